"""Tensors of a checkpoint are called as peft saves them, whatever the adapter was called. No torch is needed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.errors import InvalidInput
from ftbench.flowertune.checkpoint import saved_name, saved_names

LAYER = "base_model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize("name", ["default", "lora", "clinic_3"])
def test_an_adapter_s_own_name_is_taken_off(name: str) -> None:
    """huggingface/peft#2699: only `default` was, and of other names peft finds no tensor and loads none."""
    for kind in ("lora_A", "lora_B"):
        assert saved_name(f"{LAYER}.{kind}.{name}.weight") == f"{LAYER}.{kind}.weight"
    assert saved_name(f"{LAYER}.lora_magnitude_vector.{name}.weight") == f"{LAYER}.lora_magnitude_vector"
    assert saved_name(f"model.embed_tokens.lora_embedding_A.{name}") == "model.embed_tokens.lora_embedding_A"


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        (f"{LAYER}.lora_A.weight", f"{LAYER}.lora_A.weight"),
        (f"{LAYER}.lora_magnitude_vector", f"{LAYER}.lora_magnitude_vector"),
        (f"{LAYER}.lora_magnitude_vector.weight", f"{LAYER}.lora_magnitude_vector"),
        # huggingface/peft#2772: the word in a layer's own name is not touched.
        ("pair_weighted.default.weight_in.lora_A.weight", "pair_weighted.default.weight_in.lora_A.weight"),
        ("pair_weighted.weight_in.lora_B.default.weight", "pair_weighted.weight_in.lora_B.weight"),
    ],
)
def test_other_parts_of_a_name_stay(name: str, saved: str) -> None:
    assert saved_name(name) == saved


def test_two_adapters_are_refused() -> None:
    """One of two tensors of one name was lost without a word."""
    names = [f"{LAYER}.lora_A.{name}.weight" for name in ("default", "local")]
    with pytest.raises(InvalidInput, match="more than one adapter") as error:
        saved_names(Path("peft_10"), names)
    assert error.value.diagnostics[0].code == "FTB922"
    assert saved_names(Path("peft_10"), names[:1]) == {names[0]: f"{LAYER}.lora_A.weight"}
