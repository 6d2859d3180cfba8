"""The catalogue: whole, in pairs, with sources; and other places a model may come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.base_models import catalogue
from ftbench.base_models.catalogue import UNCHECKED, find_base_model, models
from ftbench.base_models.hub_config import read
from ftbench.base_models.shapes import count, families, linears
from ftbench.errors import InvalidInput, MissingResource

EXPECTED = {
    "HuggingFaceTB/SmolLM2-135M",
    "HuggingFaceTB/SmolLM2-360M",
    "HuggingFaceTB/SmolLM2-1.7B",
    "Qwen/Qwen2.5-0.5B",
    "Qwen/Qwen2.5-1.5B",
    "Qwen/Qwen2.5-3B",
    "Qwen/Qwen2.5-7B",
    "meta-llama/Llama-3.2-1B",
    "meta-llama/Llama-3.2-3B",
    "meta-llama/Llama-3.1-8B",
    "meta-llama/Llama-3.1-70B",
    "google/gemma-2-9b",
    "mistralai/Mistral-7B-v0.3",
    "mistralai/Mistral-Small-24B-Base-2501",
    "HuggingFaceTB/SmolLM3-3B-Base",
    "Qwen/Qwen3-0.6B-Base",
    "Qwen/Qwen3-1.7B-Base",
    "Qwen/Qwen3-4B-Base",
    "Qwen/Qwen3-8B-Base",
    "google/gemma-3-1b-pt",
}


def test_every_pair_is_there() -> None:
    known = models()
    assert {m.name for m in known.values() if m.variant == "non-instruct"} == EXPECTED
    alone = {m.name for m in known.values() if m.pair is None}
    assert alone == {"microsoft/phi-4", "microsoft/Phi-4-mini-instruct", "meta-llama/Llama-3.3-70B-Instruct"}
    for model in known.values():
        if model.pair is not None:
            other = known[model.pair]
            assert other.pair == model.name
            assert {model.variant, other.variant} == {"instruct", "non-instruct"}
            same = {"context"}
            assert model.architecture.model_dump(exclude=same) == other.architecture.model_dump(exclude=same)
            assert model.parameters == other.parameters


@pytest.mark.parametrize("name", models())
def test_every_fact_has_a_source(name: str) -> None:
    model = models()[name]
    assert set(model.sources) == {"architecture", "parameters", "variant", "licence", "context", "revision"}
    assert all(model.sources.values())
    assert (model.sources["revision"] == "not known here") == (model.revision is None)
    assert UNCHECKED in model.sources["architecture"]


@pytest.mark.parametrize("name", models())
def test_parameters_follow_from_the_architecture(name: str) -> None:
    assert models()[name].parameters == count(models()[name].architecture)


def test_a_head_that_is_stored_again_is_downloaded_again() -> None:
    model = models()["Qwen/Qwen3-0.6B"]
    assert model.held == model.parameters + model.architecture.vocabulary * model.architecture.hidden
    assert model.download_bytes == 2 * model.held == 1_503_264_768  # the hub's file, without its header
    assert all(one.held is None or one.architecture.tied for one in models().values())


@pytest.mark.parametrize("name", models())
def test_families_name_every_layer_of_the_decoder(name: str) -> None:
    architecture = models()[name].architecture
    named = {leaf for part in families(architecture).values() for leaf in part}
    assert named == {x.name.rpartition(".")[2] for x in linears(architecture) if not x.head}


@pytest.mark.parametrize("name", ["Qwen2.5-7B", "qwen2.5-7b", "qwen/qwen2.5-7b", "Qwen/Qwen2.5-7B"])
def test_a_name_may_be_short(name: str) -> None:
    assert find_base_model(name).name == "Qwen/Qwen2.5-7B"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="FTB801") as caught:
        find_base_model("Mistal-7B-v0.3")
    assert caught.value.diagnostics[0].hint == "did you mean `mistralai/Mistral-7B-v0.3`?"
    with pytest.raises(InvalidInput, match="FTB801"):
        find_base_model("zzzzzzzz")


CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "vocab_size": 768,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}


def test_a_config_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "dtype": "bfloat16"}))
    model = find_base_model(str(tmp_path))
    assert (model.architecture.kv_heads, model.architecture.head_dim, model.architecture.tied) == (4, 24, True)
    assert model.parameters == 406_176
    assert model.download_bytes == 2 * 406_176
    assert find_base_model(str(path)).architecture == model.architecture


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "own-thing"}, "a model of type 'own-thing' cannot be counted"),
        ({"model_type": None}, "does not say its `model_type`"),
        ({"hidden_size": -1}, "not a whole number"),
        ({"num_attention_heads": 0}, "not a whole number"),
        ({"hidden_size": "96"}, "not a whole number"),
    ],
)
def test_a_config_that_cannot_be_understood(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG | change))
    with pytest.raises(InvalidInput, match="FTB802") as caught:
        read(path)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"model_type": "llama"}'])
def test_a_file_that_is_no_config(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="FTB802"):
        read(path)


def test_the_micro_model_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models" / ("a" * 64)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.setattr(builtin, "store", lambda: tmp_path)
    assert find_base_model("builtin/micro").revision == "a" * 64
    assert find_base_model("builtin/micro", "a" * 64).stored == "float32"
    with pytest.raises(MissingResource, match="FTB805"):
        find_base_model("builtin/micro", "b" * 64)


def test_a_damaged_file_of_the_catalogue_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (catalogue.FOLDER / "phi-4.yaml").read_text()
    (tmp_path / "phi-4.yaml").write_text(source.replace("variant: instruct", "variant: chatty"))
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    models.cache_clear()
    try:
        with pytest.raises(InvalidInput, match=r"phi-4\.yaml"):
            models()
    finally:
        models.cache_clear()
