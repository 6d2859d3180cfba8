"""Base models out of GGUF files, by transformers' own reader."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gguf
import gguf_world
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.data import digests, local_models
from ftbench.data.store import Store
from ftbench.errors import InvalidInput

MODEL = builtin.store() / "models" / builtin.MODELS["builtin/micro"]


def test_a_model_out_of_a_gguf_file_says_so_and_is_never_the_hubs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file holds the very weights of a folder, so that nothing but the mark can keep the two apart."""
    folder, path, store = tmp_path / "hub", tmp_path / "small.gguf", Store([tmp_path / "store"])
    shutil.copytree(MODEL, folder)
    plain = {name: value.to(torch.bfloat16) for name, value in load_file(folder / "model.safetensors").items()}
    save_file({name: value.float() for name, value in plain.items()}, folder / "model.safetensors")
    gguf_world.write(folder, path)
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    given = ["--model", str(path), "--name", "my-lab/small", "--store", str(tmp_path / "store"), "--json"]
    assert run(["data", "add", *given]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    name, _, digest = item["name"].partition("@")
    assert name == "my-lab/small" and store.has_model(digest)
    kept = tmp_path / "store/models" / digest
    weights = load_file(kept / "model.safetensors")
    assert weights.keys() == plain.keys() and all(torch.equal(weights[one], plain[one]) for one in plain)
    settings = json.loads((kept / "config.json").read_bytes())
    mark = settings[local_models.MARK]
    assert mark["format"] == "gguf" and mark["sha256"] == digests.file_sha256(path)
    assert mark["by"].startswith("transformers ") and "quantization_config" not in settings
    outline = store.outline(digest)
    assert outline is not None and json.loads(outline.config)[local_models.MARK] == mark  # who verifies sees it as well
    # What remains when the mark is taken off is another digest: the one that a hub's files would have.
    del settings[local_models.MARK]
    bare = tmp_path / "bare"
    shutil.copytree(kept, bare)
    (bare / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    theirs = local_models.add(bare, "my-lab/small", store).ref.revision
    assert digest not in {theirs, local_models.add(folder, "my-lab/small", store).ref.revision}


def test_one_file_gives_one_digest_and_blocks_are_dequantised(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    weights = gguf_world.write(MODEL, path, gguf.GGMLQuantizationType.Q8_0)
    first = local_models.add(path, "my-lab/small", Store([tmp_path / "one"])).ref
    assert local_models.add(path, "my-lab/small", Store([tmp_path / "two"])).ref == first
    kept = load_file(tmp_path / "one/models" / first.revision / "model.safetensors")
    for name, value in weights.items():
        assert kept[name].dtype == torch.bfloat16
        largest = float(np.abs(value).max())
        assert float((kept[name].float() - torch.from_numpy(value)).abs().max()) < largest / 60
    only = local_models.add(path, "my-lab/small", Store([tmp_path / "three"]), weights=False)
    assert only.ref == first and not (tmp_path / "three/models" / first.revision).exists()


@pytest.mark.parametrize("wrong", ["cut", "merges", "architecture", "only its first word"])
def test_a_broken_gguf_file_is_refused_in_words(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "small.gguf"
    gguf_world.write(MODEL, path)
    data = path.read_bytes()
    spoilt = {
        "cut": data[: len(data) // 2],
        "merges": data.replace(b"t h", b"q z"),  # of a token that is not there: `tokenizers` raises a bare Exception
        "architecture": data.replace(b"llama", b"lhama"),
        "only its first word": b"GGUF",
    }
    path.write_bytes(spoilt[wrong])
    with pytest.raises(InvalidInput, match=r"FTB315 transformers cannot read this GGUF file: ."):
        local_models.add(path, "my-lab/small", Store([tmp_path / "store"]))
    assert not (tmp_path / "store/models").exists()
