"""What a machine lacks of an entry's choices is told before anything is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ftbench.builtin import specs
from ftbench.errors import MissingResource
from ftbench.run.evaluation import model as eval_model
from ftbench.run.kernels import check_attention, model_in_force
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_spec
from ftbench.spec.model import Quantization

FLASH = "flash-attention-2"


def flash(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    """Whether the package is found; all others are as they are, since transformers remembers what it looked for."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: there or None if name == "flash_attn" else find(name, *more)
    )


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_other_kernels_ask_for_nothing(attention: str) -> None:
    def unasked() -> object:
        raise AssertionError("nobody looks for a device")

    check_attention(attention, unasked)


def test_flash_attention_names_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    flash(monkeypatch, there=False)
    with pytest.raises(MissingResource, match=r"FTB578.*a CUDA device and the package flash-attn"):
        check_attention(FLASH, list)
    with pytest.raises(MissingResource, match="lacks the package flash-attn"):
        check_attention(FLASH, lambda: ["a card"])
    flash(monkeypatch, there=True)
    check_attention(FLASH, lambda: ["a card"])


def test_evaluation_says_so_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flash(monkeypatch, there=False)
    with pytest.raises(MissingResource, match="FTB578"):
        eval_model.load_base(tmp_path, dtype="bfloat16", attention=FLASH)


@pytest.mark.parametrize(("chosen", "due"), [(None, "bfloat16"), ("float32", "float32")])
def test_scoring_computes_in_the_type_that_training_has(chosen: str | None, due: str) -> None:
    from ftbench.app import loading

    block = {"bits": 4, "kind": "fp4", "double": False} | ({"compute_dtype": chosen} if chosen else {})
    trained = loading.quantization({"dtype": "bfloat16", "quantization": block})
    scored = eval_model._bits(Quantization.model_validate(block), "bfloat16")
    assert str(trained.bnb_4bit_compute_dtype) == str(scored.bnb_4bit_compute_dtype) == f"torch.{due}"


def test_scoring_holds_the_model_as_the_entry_chose() -> None:
    spec = load_spec(specs()["budget/finance"]).spec
    sets = ["model.quantization.kind=nf4", "model.quantization.compute_dtype=float32", f"model.attention={FLASH}"]
    plain, chosen = (model_in_force(spec, resolve_entry(spec, None, given)) for given in ([], sets))
    assert plain == spec.model
    assert chosen.quantization == Quantization(bits=4, kind="nf4", compute_dtype="float32")
    assert chosen.attention == FLASH and chosen.base == spec.model.base
