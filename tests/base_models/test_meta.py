"""Counts against the real thing: transformers and peft on torch's meta device, which allocates nothing."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pytest

from ftbench.base_models.adapters import AdapterKind, Targets, adapted, trainable
from ftbench.base_models.architecture import Architecture
from ftbench.base_models.catalogue import BaseModel, models
from ftbench.base_models.estimate import Setting, estimate
from ftbench.base_models.hub_config import from_config
from ftbench.base_models.shapes import count, families, linears, parameters

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

# One model of each architecture; its pair differs in nothing that is counted.
SHAPES = {m.name: m for m in models().values() if m.variant == "non-instruct" or m.pair is None}
SOME = [
    "HuggingFaceTB/SmolLM2-135M",
    "Qwen/Qwen2.5-7B",
    "google/gemma-2-9b",
    "microsoft/Phi-4-mini-instruct",
    "mistralai/Mistral-Small-24B-Base-2501",
    "Qwen/Qwen3-0.6B-Base",
    "google/gemma-3-1b-pt",
]


def hub_config(a: Architecture) -> Any:
    """The architecture as a configuration of transformers."""
    more: dict[str, Any] = {} if a.model_type in {"phi3", "qwen2"} else {"head_dim": a.head_dim}
    if a.model_type == "phi3":
        more["pad_token_id"] = 0
    return transformers.AutoConfig.for_model(
        a.model_type,
        hidden_size=a.hidden,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        num_key_value_heads=a.kv_heads,
        intermediate_size=a.intermediate,
        vocab_size=a.vocabulary,
        tie_word_embeddings=a.tied,
        max_position_embeddings=a.context,
        **more,
    )


def on_meta(a: Architecture) -> Any:
    """The model itself, without memory."""
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(hub_config(a))


@cache
def real(name: str) -> Any:
    """The same, made once; adapters are added to copies."""
    return on_meta(SHAPES[name].architecture)


def adapter_elements(name: str, kind: AdapterKind, rank: int, targets: Targets) -> int:
    """Elements that peft makes trainable and that travel."""
    config = peft.LoraConfig(
        r=rank,
        target_modules=targets if isinstance(targets, str) else list(targets),
        use_dora=kind == "dora",
        task_type="CAUSAL_LM",
    )
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(on_meta(SHAPES[name].architecture), config, low_cpu_mem_usage=True)
    sent = sum(value.numel() for value in peft.get_peft_model_state_dict(model).values())
    assert sent == sum(p.numel() for p in model.parameters() if p.requires_grad)
    return sent


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_are_those_of_transformers(name: str) -> None:
    model = SHAPES[name]
    made = {key: tuple(value.shape) for key, value in real(name).named_parameters()}
    assert {p.name: p.shape for p in parameters(model.architecture)} == made
    assert model.parameters == count(model.architecture) == sum(p.numel() for p in real(name).parameters())


@pytest.mark.parametrize("name", SHAPES)
def test_linear_layers_are_those_of_transformers(name: str) -> None:
    made = [
        (key, module.in_features, module.out_features, module.bias is not None)
        for key, module in real(name).named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    assert sorted((x.name, x.inputs, x.outputs, x.bias) for x in linears(SHAPES[name].architecture)) == sorted(made)


@pytest.mark.parametrize("name", SHAPES)
def test_a_configuration_is_read_as_the_catalogue_has_it(name: str) -> None:
    """What transformers fills in where a config.json is silent included: the family's defaults are ours."""
    architecture = SHAPES[name].architecture
    assert from_config(hub_config(architecture).to_dict()) == architecture
    sizes = hub_config(architecture).to_diff_dict() | {"model_type": architecture.model_type}
    known = {"num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "vocab_size"}
    if known | {"max_position_embeddings"} <= sizes.keys():
        assert from_config(sizes) == architecture


@pytest.mark.parametrize("name", SHAPES)
def test_lora_is_that_of_peft(name: str) -> None:
    architecture = SHAPES[name].architecture
    assert trainable(architecture, "lora", 32, "all-linear") == adapter_elements(name, "lora", 32, "all-linear")


@pytest.mark.parametrize("name", SOME)
def test_named_targets_are_those_of_peft(name: str) -> None:
    architecture = SHAPES[name].architecture
    targets = [families(architecture)["attention"][0], "down_proj"]
    assert trainable(architecture, "lora", 16, targets) == adapter_elements(name, "lora", 16, targets)


@pytest.mark.parametrize("name", SOME)
def test_dora_is_that_of_peft(name: str) -> None:
    architecture = SHAPES[name].architecture
    assert trainable(architecture, "dora", 16, "all-linear") == adapter_elements(name, "dora", 16, "all-linear")


def test_bytes_are_four_a_trained_parameter() -> None:
    model: BaseModel = models()["Qwen/Qwen2.5-0.5B"]
    setting = Setting("dora", 8, "all-linear", clients_per_round=4, rounds=15, sequence_length=512, micro_batch=1)
    found = estimate(model, setting).communication
    assert found.total_bytes == 4 * adapter_elements(model.name, "dora", 8, "all-linear") * 4 * 2 * 15


def test_a_target_is_matched_as_peft_matches_it() -> None:
    architecture = models()["HuggingFaceTB/SmolLM2-135M"].architecture
    for targets in (["mlp.up_proj"], ["model.layers.3.self_attn.q_proj", "o_proj"]):
        assert adapted(architecture, targets)
        assert trainable(architecture, "lora", 4, targets) == adapter_elements(
            "HuggingFaceTB/SmolLM2-135M", "lora", 4, targets
        )
