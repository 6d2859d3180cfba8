"""A saved adapter becomes a folder that peft loads, and nothing in it is ever carried out."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import apps
import pytest

from ftbench.cli.main import run
from ftbench.errors import InvalidInput
from ftbench.flowertune.checkpoint import convert
from ftbench.result.adapter import read_tensors

torch = pytest.importorskip("torch")

CONFIG = {
    "peft_type": "LORA",
    "r": 2,
    "lora_alpha": 4,
    "target_modules": ["q_proj"],
    "auto_mapping": None,
    "base_model_name_or_path": "x/y",
}


def tensors() -> dict[str, Any]:
    return {
        "base_model.model.layers.0.q_proj.lora_A.weight": torch.ones(2, 4, dtype=torch.bfloat16),
        "base_model.model.layers.0.q_proj.lora_B.default.weight": torch.zeros(4, 2, dtype=torch.float16),
        "base_model.model.layers.0.q_proj.lora_magnitude_vector.default.weight": torch.ones(4),
    }


def checkpoint(folder: Path, weights: object | None = None, config: dict[str, Any] = CONFIG, name: str = "bin") -> Path:
    folder.mkdir()
    folder.joinpath("adapter_config.json").write_text(json.dumps(config))
    if name == "bin":
        torch.save(tensors() if weights is None else weights, folder / "adapter_model.bin")
    else:
        from safetensors.torch import save_file

        save_file(weights or tensors(), folder / "adapter_model.safetensors")
    return folder


@pytest.mark.parametrize("name", ["bin", "safetensors"])
def test_both_forms_come_to_the_same(name: str, tmp_path: Path) -> None:
    assert convert(checkpoint(tmp_path / "peft_10", name=name), tmp_path / "out") == (3, 20)
    found = read_tensors((tmp_path / "out" / "adapter_model.safetensors").read_bytes(), "out")
    assert sorted(key.rpartition("q_proj.")[2] for key in found) == [
        "lora_A.weight",
        "lora_B.weight",
        "lora_magnitude_vector",
    ]
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["r"] == 2 and "auto_mapping" not in config


class Harmful:
    """What a pickle may do when it is loaded."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trap}",)


def test_a_pickle_that_acts_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    folder = checkpoint(tmp_path / "peft_10", {"lora_A": Harmful(trap)})
    with pytest.raises(InvalidInput, match="FTB922"):
        convert(folder, tmp_path / "out")
    folder.joinpath("adapter_model.bin").write_bytes(pickle.dumps(Harmful(trap)))
    with pytest.raises(InvalidInput, match="FTB922"):
        convert(folder, tmp_path / "out")
    assert not trap.exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("weights", "config", "words"),
    [
        ({"model.embed.weight": torch.ones(2)}, CONFIG, "this is no LoRA adapter"),
        ([torch.ones(2)], CONFIG, "something beside tensors"),
        ({"a.lora_A.weight": torch.ones(2, dtype=torch.int64)}, CONFIG, "no numbers"),
        (None, CONFIG | {"peft_type": "IA3"}, "no configuration of a LoRA"),
        ({}, CONFIG, "holds no tensor"),
    ],
)
def test_what_is_no_adapter(weights: Any, config: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=words):
        convert(checkpoint(tmp_path / "peft_10", weights, config), tmp_path / "out")


def test_the_command_converts_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app, out = apps.write(apps.messages(), tmp_path / "app"), tmp_path / "adapter"
    arguments = ["--checkpoint", str(checkpoint(tmp_path / "peft_10")), "--adapter", str(out)]
    assert run(["import", "flowertune", str(app), "--out", str(tmp_path / "entry.yaml"), *arguments]) == 1
    assert "3 tensors, 20 parameters" in capsys.readouterr().err
    assert (out / "adapter_model.safetensors").is_file()
