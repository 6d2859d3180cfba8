"""DoRA, groups of targets, quantised and bfloat16 weights, checkpointing: on a model with a few thousand weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from safetensors.numpy import load_file

from ftbench.app import adapter_files, arrays, initial, loading, model, seeding, settings, worker
from ftbench.app.errors import AppError

MakeBench = Callable[..., Any]
NF4 = {"bits": 4, "kind": "nf4", "double": True}
FP4 = {"bits": 4, "kind": "fp4", "double": False}
INT8 = {"bits": 8, "kind": "int8", "double": False}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose layers fill bitsandbytes' blocks of 64."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4}
    folder = tmp_path_factory.mktemp("wide")
    LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes, max_position_embeddings=64)).save_pretrained(folder)
    return folder


def spec(kind: str = "lora", **block: Any) -> dict[str, Any]:
    held = {"dtype": "float32", "quantization": None, "gradient_checkpointing": False, "attention": "sdpa"}
    return {
        "model": {"max_parameters": 10**7, **held, **block},
        "adapter": {"kind": kind, "rank": 4, "alpha": 8, "dropout": 0, "targets": "all-linear"},
    }


def loaded(folder: Path, wanted: dict[str, Any]) -> torch.nn.Module:
    base = loading.load_base(folder, wanted["model"])
    return model.attach(base, wanted["adapter"], seeding.derive(1, "adapter"))


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("held", [None, NF4, FP4], ids=["plain", "nf4", "fp4"])
def test_the_initial_adapter_needs_no_weights_in_memory(wide: Path, kind: str, held: Any) -> None:
    """What is drawn on empty layers is what peft draws on the loaded model, magnitudes and all."""
    wanted = spec(kind, quantization=held)
    drawn, real = initial.arrays(wide, wanted, 1), model.get_arrays(loaded(wide, wanted))
    assert arrays.digest(wanted["adapter"], drawn) == arrays.digest(wanted["adapter"], real)


def test_magnitudes_of_bfloat16_weights_are_those_that_peft_has(wide: Path) -> None:
    wanted = spec("dora", dtype="bfloat16", quantization=NF4)
    drawn, real = initial.arrays(wide, wanted, 1), model.get_arrays(loaded(wide, wanted))
    names = [name for name in drawn if name.endswith(initial.MAGNITUDE)]
    assert len(names) == 7
    assert all((drawn[name] == real[name]).all() for name in names)


def test_the_base_model_s_weights_are_never_all_in_memory(wide: Path) -> None:
    base = initial.hollow(wide)
    assert all(parameter.is_meta for parameter in base.parameters())
    initial.fill(base)
    stored = {p.untyped_storage().nbytes() for n, p in base.named_parameters() if n.endswith("proj.weight")}
    assert stored == {4}


def test_parameters_are_counted_as_they_are_not_as_they_are_packed(wide: Path) -> None:
    from transformers import AutoModelForCausalLM

    real = AutoModelForCausalLM.from_pretrained(wide, local_files_only=True).num_parameters()
    initial.check_parameters(initial.hollow(wide), real)
    with pytest.raises(AppError, match=f"{real:,} parameters"):
        initial.check_parameters(initial.hollow(wide), real - 1)


@pytest.mark.parametrize(
    ("held", "dtype", "kind"),
    [(NF4, "bfloat16", "dora"), (FP4, "float32", "lora"), (INT8, "float32", "lora"), (None, "bfloat16", "dora")],
    ids=["nf4-dora", "fp4-lora", "int8-lora", "bf16-dora"],
)
@pytest.mark.parametrize("ours", [False, True], ids=["peft", "ours"])
def test_quantised_weights_train_a_float32_adapter(wide: Path, held: Any, dtype: str, kind: str, ours: bool) -> None:
    from ftbench.app import objective, prepared, training
    from ftbench.app.tokens import Example

    wanted = spec(kind, quantization=held, dtype=dtype)
    net = loaded(wide, wanted)
    weight = dict(net.named_modules())["base_model.model.model.layers.0.mlp.up_proj"].base_layer.weight
    packed = {4: torch.uint8, 8: torch.int8}.get(held["bits"]) if held else torch.bfloat16
    assert weight.dtype == packed
    assert {p.dtype for p in net.parameters() if p.requires_grad} == {torch.float32}
    if ours:
        assert bool(prepared.prepare(net)) == (held == INT8)
    start = initial.arrays(wide, wanted, 1)
    examples = [Example([1, 5, 6, 7, 2], [-100, -100, 6, 7, 2])]
    optimizer = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0}
    minimised = objective.find_objective(
        {
            "objective": {"kind": "sft"},
            "data": {"loss_reduction": "token-mean"},
            "training": {"sequence_length": 8},
        }
    )
    recipe = training.Recipe(0.01, optimizer, 8, 2, 0, minimised, 1.0)
    outcomes = []
    for _ in range(2):
        model.set_arrays(net, start)
        seeding.seed_everything(1)
        first = objective.loss(minimised, net, examples, [1 / 3])[0].item()
        training.train(net, examples, iter([0] * 99), recipe)
        last = objective.loss(minimised, net, examples, [1 / 3])[0].item()
        outcomes.append(model.get_arrays(net))
    assert last < first - 0.5
    assert all((outcomes[0][name] == outcomes[1][name]).all() for name in start)
    changed = {name.rpartition("lora_")[2] for name in start if (outcomes[0][name] != start[name]).any()}
    assert changed == {"A.weight", "B.weight", "magnitude_vector"} - ({"magnitude_vector"} if kind == "lora" else set())


def test_dora_on_8_bits_is_refused(wide: Path) -> None:
    with pytest.raises(AppError, match="8-bit"):
        initial.arrays(wide, spec("dora", quantization=INT8), 1)


def test_flash_attention_that_is_not_there_is_named(wide: Path) -> None:
    with pytest.raises(AppError, match="flash-attn"):
        loading.load_base(wide, spec(attention="flash-attention-2")["model"])


def test_recomputed_activations_give_the_same_adapter(make_bench: MakeBench) -> None:
    found = []
    for value in (False, True):
        bench = make_bench({"model.gradient_checkpointing": value, "adapter.dropout": 0.1, "federation.rounds": 1})
        wanted = settings.read(bench.config, bench.plan)
        start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
        found.append(worker.train(wanted, 0, 1, 0.01, start)[0])
        checkpointing = [
            m for m in worker.find_worker(wanted).net.modules() if getattr(m, "gradient_checkpointing", False)
        ]
        assert bool(checkpointing) == value
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_attention_kernel_is_the_one_asked_for(wide: Path, attention: str) -> None:
    assert loading.load_base(wide, spec(attention=attention)["model"]).config._attn_implementation == attention


SPLIT = {"attention": ["k_proj", "o_proj", "q_proj", "v_proj"], "mlp": ["down_proj", "gate_proj", "up_proj"]}
JOINED = {"attention": ["o_proj", "qkv_proj"], "mlp": ["down_proj", "gate_up_proj"]}
FAMILIES = {"Llama": SPLIT, "Mistral": SPLIT, "Qwen2": SPLIT, "Gemma2": SPLIT, "Phi3": JOINED}


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("group", ["attention", "mlp"])
def test_groups_of_targets_by_family(tmp_path: Path, family: str, group: str) -> None:
    import transformers

    config = getattr(transformers, f"{family}Config")(
        vocab_size=16,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        pad_token_id=0,
    )
    config.architectures = [f"{family}ForCausalLM"]
    config.save_pretrained(tmp_path)
    wanted = spec()
    wanted["adapter"]["targets"] = group
    drawn = initial.arrays(tmp_path, wanted, 1)
    modules = {name.partition(".lora_")[0].rpartition(".")[2] for name in drawn}
    assert sorted(modules) == FAMILIES[family][group]
    assert len(drawn) == 2 * 2 * len(modules)
    ref = {"name": "some/model", "revision": "0" * 40}
    written = json.loads(adapter_files.config_bytes(wanted["adapter"], ref, drawn))
    assert written["target_modules"] == FAMILIES[family][group]


def test_a_group_that_the_model_lacks_is_named() -> None:
    from ftbench.app import targets

    with pytest.raises(AppError, match="attention"):
        targets.resolve("attention", torch.nn.Sequential(torch.nn.Linear(2, 2)))


@pytest.mark.parametrize("group", ["attention", "mlp"])
def test_peft_loads_a_finished_dora(make_bench: MakeBench, group: str) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    bench = make_bench({"adapter.kind": "dora", "adapter.targets": group, "federation.rounds": 2})
    bench.play()
    folder: Path = bench.run_dir / "adapter"
    config = json.loads((folder / "adapter_config.json").read_bytes())
    assert config["use_dora"] is True
    base = AutoModelForCausalLM.from_pretrained(bench.world.model_folder, local_files_only=True)
    back = model.get_arrays(PeftModel.from_pretrained(base, str(folder)))
    assert arrays.digest(bench.plan.spec["adapter"], back) == bench.ledger[-1]["adapter"]
    written = load_file(str(folder / "adapter_model.safetensors"))
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    magnitudes = [name for name in written if name.endswith(initial.MAGNITUDE)]
    assert magnitudes
    assert all(numpy.any(written[name] != start[name]) for name in magnitudes)


def test_a_plain_adapter_s_configuration_does_not_name_dora() -> None:
    ref = {"name": "builtin/tiny", "revision": "0" * 64}
    assert "use_dora" not in json.loads(adapter_files.config_bytes(spec()["adapter"], ref))
