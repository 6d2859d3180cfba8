"""Mistakes in targets, models and budgets: `validate` finds each before anything is fetched or trained."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.base_models import from_spec
from ftbench.base_models.catalogue import find_base_model, models
from ftbench.base_models.choice import problems
from ftbench.base_models.estimate import estimate
from ftbench.cli.main import run
from ftbench.data.store import Store
from ftbench.spec.canonical import sha256
from ftbench.spec.load import load_spec
from ftbench.spec.model import BaseModelRef, Spec
from ftbench.spec.outline import make

LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
LARGE = {"hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64, "intermediate_size": 28672}
PACKED = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
STARCODER = {
    "q_proj": (64, 64),
    "k_proj": (16, 64),
    "v_proj": (16, 64),
    "o_proj": (64, 64),
    "c_fc": (256, 64),
    "c_proj": (64, 256),
}
NEOX = {"query_key_value": (192, 64), "dense": (64, 64), "dense_h_to_4h": (256, 64), "dense_4h_to_h": (64, 256)}
COMMIT = "1" * 40
CODINGS = ["float32", "bf16", "int8"]


@dataclass(frozen=True)
class Mistake:
    """A choice that cannot pass."""

    code: str
    words: str
    model: str = ""
    """A name, for `--model`; of the catalogue without its publisher's commit."""
    config: dict[str, Any] = field(default_factory=dict)
    """Settings, for `--model config.json`."""
    sets: tuple[str, ...] = ()
    spec: str = "finance"
    change: tuple[str, str] = ("", "")
    """What is replaced in the spec's text."""


def targets(model: str, names: str, words: str, **more: Any) -> Mistake:
    return Mistake("FTB803", words, model=model, sets=(f"adapter.targets={names}",), **more)


def budget(
    words: str, code: str, mib: str, *sets: str, model: str = "HuggingFaceTB/SmolLM2-135M", **more: Any
) -> Mistake:
    change = ("communication_mib: 200000", f"communication_mib: {mib}")
    return Mistake(code, words, model=model, sets=sets, change=change, **more)


def parameters(words: str, limit: int, *sets: str, model: str = "HuggingFaceTB/SmolLM2-135M") -> Mistake:
    change = ("trainable_parameters: 1000000000", f"trainable_parameters: {limit}")
    return Mistake("FTB807", words, model=model, sets=sets, change=change)


PHI, QWEN, MISTRAL = "microsoft/phi-4", "Qwen/Qwen2.5-7B", "mistralai/Mistral-7B-v0.3"
MINI, SMALL, LARGEST = (
    "microsoft/Phi-4-mini-instruct",
    "HuggingFaceTB/SmolLM2-135M",
    "mistralai/Mistral-Small-24B-Base-2501",
)
PHI3 = LLAMA | {"model_type": "phi3"}
# SmolLM2-135M, LoRA of rank 1 on q_proj alone: 30 layers of 576 + 576 numbers.
ONE = ("adapter.kind=lora", "adapter.rank=1", "adapter.targets=[q_proj]")
Q = 30 * (576 + 576)

MISTAKES = {
    # targets
    "joined attention": targets(PHI, "[q_proj, v_proj]", "joins them into one layer"),
    "joined attention, all four": targets(MINI, "[q_proj, k_proj, v_proj, o_proj]", "qkv_proj"),
    "joined mlp": targets(PHI, "[gate_proj, up_proj, down_proj]", "gate_up_proj"),
    "a name of Falcon's": targets(QWEN, "[query_key_value]", "`query_key_value`"),
    "a name of GPT-2's": targets("meta-llama/Llama-3.2-1B", "[c_attn]", "`c_attn`"),
    "a name of Phi-1's": targets("google/gemma-2-9b", "[Wqkv]", "`Wqkv`"),
    "a name of Phi-3's": targets("HuggingFaceTB/SmolLM2-360M", "[qkv_proj]", "`qkv_proj`"),
    "one right and one wrong": targets(MISTRAL, "[q_proj, v_proj, dense_h_to_4h]", "`dense_h_to_4h`"),
    "a slip of the pen": targets(MISTRAL, "[q_prj]", "did you mean `q_proj`"),
    "capital letters": targets(MISTRAL, "[Q_PROJ]", "`Q_PROJ`"),
    "the head": Mistake("FTB203", "is the output head", QWEN, sets=("adapter.targets=[q_proj, lm_head]",)),
    "the embedding": Mistake("FTB203", "is the embedding", QWEN, sets=("adapter.targets=[embed_tokens]",)),
    "a block that is no layer": targets(MISTRAL, "[self_attn]", "`self_attn`"),
    "a norm": targets(MISTRAL, "[input_layernorm]", "`input_layernorm`"),
    "a layer beyond the last": targets(MISTRAL, "[model.layers.32.self_attn.q_proj]", "layers.32"),
    "a pattern": targets(MISTRAL, "['.*_proj']", "`.*_proj`"),
    "half a name": targets(MISTRAL, "[proj]", "`proj`"),
    "settings alone": targets("", "[c_fc]", "`c_fc`", config=LLAMA),
    "settings of another family": targets("", "[o_proj, gate_proj]", "`gate_proj`", config=PHI3),
    "a group that it lacks": targets("big/starcoder", "mlp", "c_fc, c_proj"),
    "a layer that it lacks": targets("big/starcoder", "[gate_proj]", "`gate_proj`"),
    "the other group": targets("some/neox", "attention", "dense_4h_to_h"),
    "names of llama": targets("some/neox", "[q_proj, v_proj]", "`v_proj`"),
    # models
    "70 billion": Mistake("FTB806", "70,553,706,496 parameters", config=LLAMA | LARGE | {"tie_word_embeddings": False}),
    "7 billion where 1 million may be": Mistake("FTB806", "7,248,023,552", model=MISTRAL, spec="quickstart"),
    "135 million where 1 million may be": Mistake("FTB806", "1,000,000", SMALL, spec="quickstart"),
    "settings of 1 billion": Mistake("FTB806", "1,235,814,400", config=LLAMA, spec="quickstart"),
    "of the store": Mistake("FTB806", "`model.max_parameters` allows", "big/starcoder", spec="quickstart"),
    "stored in 4 bits": Mistake("FTB806", "stored quantised", config=LLAMA | PACKED),
    "a limit one below": Mistake("FTB806", "134,515,008", SMALL, change=("25000000000", "134515007")),
    "an invented one": Mistake("FTB134", "no built-in base model", f"builtin/macro@{'2' * 64}", spec="quickstart"),
    # trainable parameters
    "rank 256 on 24 billion": Mistake(
        "FTB807", "`budget.trainable_parameters`", LARGEST, sets=("adapter.rank=256",)
    ),
    "one too many": parameters(f"trains {Q:,}", Q - 1, *ONE),
    "a rank too many": parameters(f"trains {2 * Q:,}", Q, ONE[0], "adapter.rank=2", ONE[2]),
    "DoRA's magnitudes": parameters(f"trains {Q + 30 * 576:,}", Q, "adapter.kind=dora", *ONE[1:]),
    "all layers": parameters("allows 34,560", Q, *ONE[:2]),
    # communication: ten clients of SmolLM2-135M, 15 rounds
    "not one round": budget("one round of 10 clients sends 2.637 MiB", "FTB808", "2.6", *ONE),
    "not one round of DoRA": budget("one round of 10 clients", "FTB808", "3.9", "adapter.kind=dora", *ONE[1:]),
    "not one round of a large one": budget("one round", "FTB808", "1000", model=MISTRAL),
    "not the last round": budget("stopped in round 15", "FTB809", "39.5", *ONE),
    "one round and no more": budget("stopped in round 2", "FTB809", "2.7", *ONE),
    "24 billion within the paper's budget": Mistake("FTB809", "stopped in round", LARGEST),
    "settings, not one round": Mistake(
        "FTB808", "one round of 10 clients", config=LLAMA, change=("communication_mib: 200000", "communication_mib: 50")
    ),
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the outlines of two models of other families."""
    found = Store([tmp_path / "store"])
    for name, layers in (("big/starcoder", STARCODER), ("some/neox", NEOX)):
        shapes = {f"model.layers.0.{part}.weight": shape for part, shape in layers.items()}
        shapes |= {"model.embed_tokens.weight": (32768, 64), "lm_head.weight": (32768, 64)}
        header, at = {}, 0
        for tensor, (out, into) in shapes.items():
            header[tensor] = {"dtype": "BF16", "shape": [out, into], "data_offsets": [at, at := at + 2 * out * into]}
        kind = {"model_type": "starcoder2", "hidden_size": 64, "num_hidden_layers": 1, "vocab_size": 32768}
        config = json.dumps({**kind, "num_attention_heads": 4, "max_position_embeddings": 512}).encode()
        outline = make(
            {"config.json": sha256(config), "model.safetensors": sha256(name.encode())},
            config,
            {"model.safetensors": json.dumps(header).encode()},
        )
        found.put_model_ref(BaseModelRef(name=name, revision=COMMIT), found.put_outline(outline))
    return tmp_path / "store"


def line(mistake: Mistake, folder: Path, store: Path) -> list[str]:
    """The command line that has it."""
    spec = mistake.spec
    if mistake.change[0]:
        text = builtin.specs()[spec].read_text()
        assert text.count(mistake.change[0]) == 1
        spec = str(folder / "spec.yaml")
        Path(spec).write_text(text.replace(*mistake.change))
    argv = [spec, *(word for one in mistake.sets for word in ("--set", one)), "--store", str(store)]
    if mistake.config:
        (folder / "config.json").write_text(json.dumps(mistake.config))
        return [*argv, "--model", str(folder / "config.json")]
    return [*argv, "--model", mistake.model if "@" in mistake.model else f"{mistake.model}@{COMMIT}"]


@pytest.mark.parametrize("name", MISTAKES)
def test_validate_finds_it(
    name: str, tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody is asked
    mistake = MISTAKES[name]
    assert run(["validate", *line(mistake, tmp_path, store)]) == 3
    told = capsys.readouterr().err
    assert mistake.code in told and mistake.words in told, told
    assert "FTB902" not in told


def test_there_are_enough() -> None:
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize("spec", ["general-nlp", "finance", "medical", "code"])
def test_entries_of_ours_pass_or_are_over_the_traffic_as_their_notes_say(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(builtin.entries().glob("*.yaml")):
        assert run(["validate", spec, "--entry", str(path)]) == 0, capsys.readouterr().err


def test_what_just_fits_passes(tmp_path: Path, store: Path) -> None:
    """15 rounds of 2.637 MiB."""
    assert run(["validate", *line(budget("", "", "39.6", *ONE), tmp_path, store)]) == 0


def test_a_model_that_nobody_knows_here_is_a_warning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["validate", "finance", "--model", f"who/knows@{COMMIT}", "--store", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert "FTB810" in told and "ftbench data fetch --model who/knows --no-weights" in told


def test_where_it_is_said_in_the_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = tmp_path / "mine.yaml"
    entry.write_text(
        "ftbench: entry/v1\nmetadata: {name: mine}\nmodel: {name: microsoft/phi-4, revision: null}\n"
        "knobs:\n  adapter.rank: 8\n  adapter.targets: [q_proj]\n"
    )
    assert run(["validate", "finance", "--entry", str(entry), "--json"]) == 3
    (one,) = json.loads(capsys.readouterr().out)["specs"][0]["diagnostics"]
    assert (one["code"], one["line"], Path(one["file"]).name) == ("FTB803", 6, "mine.yaml")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model_type": "llama"}'])
def test_settings_that_are_none_are_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(text)
    assert run(["validate", "finance", "--model", str(tmp_path / "config.json")]) == 3
    assert "FTB802" in capsys.readouterr().err


def test_faults_make_a_total_a_warning(tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = line(budget("", "", "39.5", *ONE), tmp_path, store)
    spec = Path(argv[0])
    spec.write_text(
        spec.read_text().replace("min_replies: 5", "min_replies: 1") + "faults:\n  dropout: {probability: 0.2}\n"
    )
    assert run(["validate", *argv]) == 0, capsys.readouterr().err
    assert "warning: 15 rounds do not fit" in capsys.readouterr().err


def test_torch_is_not_imported(tmp_path: Path, store: Path) -> None:
    """In a process of its own: whatever other tests have imported, it is looked at."""
    script = (
        "import sys; from ftbench.cli.main import run; code = run(sys.argv[1:]); "
        "sys.exit('torch' in sys.modules or code)"
    )
    argv = ["validate", *line(MISTAKES["names of llama"], tmp_path, store)]
    assert subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, check=False).returncode == 3


def test_it_agrees_with_the_estimate() -> None:
    """Whatever strategy, transport, rank and budget: what `estimate` calls over a limit is refused, nothing else."""
    draw = random.Random(11)
    base = load_spec(builtin.specs()["studies/finance-strategies"]).spec
    found = Counter[str]()
    for _ in range(400):
        model = draw.choice(list(models().values())[:12])
        plain = base.model_dump(mode="json")
        plain["adapter"] |= {"kind": draw.choice(["lora", "dora"]), "rank": draw.choice([1, 8, 32, 128])}
        kind = draw.choice(["fedavg", "scaffold", "flora", "ffa-lora", "flexlora"])
        plain["strategy"] = {"kind": kind}
        plain["transport"] = {"down": draw.choice(CODINGS), "up": draw.choice(CODINGS)}
        plain["federation"]["rounds"] = draw.choice([2, 15])
        plain["budget"] = {
            "communication_mib": 10 ** draw.uniform(1, 6),
            "trainable_parameters": round(10 ** draw.uniform(5, 9)),
        }
        plain["model"]["max_parameters"] = round(10 ** draw.uniform(8, 11))
        spec = Spec.model_validate(plain)
        told = estimate(model, from_spec.setting(spec))
        over = {limit.name for limit in told.limits if not limit.within}
        codes = {one.code for one in problems(spec, model)}
        assert ("base model parameters" in over) == ("FTB806" in codes)
        assert ("trainable parameters" in over) == ("FTB807" in codes)
        assert ("communication in MiB" in over) == bool({"FTB808", "FTB809"} & codes)
        assert (told.communication.rounds_within_budget == 0) == ("FTB808" in codes)
        found.update(codes or {"none"})
    assert {"none", "FTB806", "FTB807", "FTB808", "FTB809"} <= set(found)


@pytest.mark.parametrize("name", sorted(builtin.specs()))
def test_a_spec_s_own_choice_fits_its_budget(name: str) -> None:
    spec = load_spec(builtin.specs()[name]).spec
    base = spec.model.base
    assert [str(one) for one in problems(spec, find_base_model(base.name, base.revision))] == []
