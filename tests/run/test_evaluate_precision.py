"""The base model in evaluation is held as in training: precision, bits and attention kernel of the spec."""

from __future__ import annotations

from pathlib import Path

import evaluation_world as world
import pytest
import torch

from ftbench import codes
from ftbench.app import loading
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.run.evaluation import model as eval_model
from ftbench.spec.model import BaseModelRef, Model, Quantization

IDS = torch.tensor([[0, 5, 9, 33, 7]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("precision")
    world.make_model(folder / "model", Store([folder / "store"]))
    return folder / "model"


NF4 = Quantization(bits=4, kind="nf4", double=True)


@pytest.mark.parametrize(
    ("dtype", "quantization", "attention"),
    [("float32", None, "eager"), ("bfloat16", None, "sdpa"), ("bfloat16", NF4, "sdpa"), ("float32", NF4, "sdpa")],
)
def test_as_in_training(folder: Path, dtype: str, quantization: Quantization | None, attention: str) -> None:
    if quantization is not None:
        pytest.importorskip("bitsandbytes")
    block = Model.model_validate(
        {
            "base": BaseModelRef(name="builtin/tiny", revision="0" * 64),
            "max_parameters": 10**6,
            "dtype": dtype,
            "quantization": quantization,
            "attention": attention,
        }
    )
    model, _ = eval_model.load_base(folder, dtype=dtype, quantization=quantization, attention=attention)
    trained = loading.load_base(folder, block.model_dump(mode="json")).eval()
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, trained(IDS).logits)
    assert next(model.parameters()).dtype == getattr(torch, dtype)
    assert ("Linear4bit" in str(model)) == (quantization is not None)
    if quantization is not None:
        whole, _ = eval_model.load_base(folder, dtype=dtype)
        with torch.no_grad():
            assert not torch.equal(model(IDS).logits, whole(IDS).logits)


def test_an_adapter_on_bits_comes_off_again(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    model, _ = eval_model.load_base(folder, dtype="bfloat16", quantization=NF4)
    adapter = world.make_adapter(folder, tmp_path / "adapter")
    with torch.no_grad():
        plain = model(IDS).logits
        tuned = eval_model.attach(model, adapter)
        assert not torch.equal(tuned(IDS).logits, plain)
        assert torch.equal(tuned.unload()(IDS).logits, plain)


def test_bits_without_the_package_that_reads_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What transformers says where bitsandbytes is missing, or older than it asks for."""
    import transformers

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Using `bitsandbytes` 4-bit quantization requires bitsandbytes")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", missing)
    with pytest.raises(InvalidInput, match="requires bitsandbytes") as refused:
        eval_model.load_base(folder, dtype="bfloat16", quantization=NF4)
    assert refused.value.diagnostics[0].code == codes.QUANTIZATION_UNFIT
