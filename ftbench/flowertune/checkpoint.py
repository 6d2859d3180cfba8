"""A checkpoint of FlowerTune as an adapter folder: read as data alone, never unpickled into code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ftbench import codes
from ftbench.atomic import write_folder
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput
from ftbench.result import adapter as reading
from ftbench.result import safejson

if TYPE_CHECKING:
    import torch

CONFIG = "adapter_config.json"
SAFE = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
MAX_BYTES = 8 * 2**30
"""Largest file of weights that is read."""
_OWN = re.compile(r"(\.lora_(?:A|B|embedding_A|embedding_B|magnitude_vector))\.(?!weight$)[^.]+(?=\.weight$|$)")
"""A tensor of an adapter that has a name: `default`, or what its author calls it."""
KEPT = (
    "alpha_pattern",
    "base_model_name_or_path",
    "bias",
    "fan_in_fan_out",
    "lora_alpha",
    "lora_dropout",
    "modules_to_save",
    "peft_type",
    "r",
    "rank_pattern",
    "target_modules",
    "task_type",
    "use_dora",
    "use_rslora",
)
"""Fields of `adapter_config.json` that say what the adapter computes; peft has had others and forgets some."""


def convert(folder: Path, out: Path) -> tuple[int, int]:
    """Write the checkpoint in `folder` as an adapter folder `out`. Returns its numbers of tensors and of parameters.

    Raises InvalidInput: FTB912 where there is no folder, FTB922 for what is no LoRA adapter or cannot be read safely,
    FTB319 where there is something at `out`.
    """
    if not folder.is_dir():
        raise InvalidInput(Diagnostic(codes.NO_PATH, "there is no such folder", Place(str(folder))))
    if out.exists():
        raise InvalidInput(
            Diagnostic(codes.NO_DRAFT, "there is something already", Place(str(out)), "name another: --adapter DIR")
        )
    config = _config(folder / CONFIG)
    tensors = _tensors(folder)
    wrong = [name for name in tensors if ".lora_" not in name]
    if wrong or not tensors:
        found = f"holds {printable(wrong[0])[:80]}" if wrong else "holds no tensor"
        _refuse(
            folder, f"this is no LoRA adapter: it {found}", "an adapter's tensors are called …lora_A.weight and so on"
        )
    data = _saved(tensors)
    reading.read_tensors(data, str(folder))
    write_folder(out, {CONFIG: (json.dumps(config, indent=2, sort_keys=True) + "\n").encode(), SAFE: data})
    return len(tensors), sum(tensor.numel() for tensor in tensors.values())


def _refuse(path: Path, message: str, hint: str = "") -> NoReturn:
    raise InvalidInput(Diagnostic(codes.BAD_CHECKPOINT, message, Place(str(path)), hint))


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > 2**20:
        _refuse(
            path, "there is no such file, or it is too large", "a checkpoint is a folder as peft saves it: peft_200"
        )
    value = safejson.parse(path.read_bytes(), str(path))
    if not isinstance(value, dict) or value.get("peft_type") != "LORA":
        _refuse(path, "this is no configuration of a LoRA adapter")
    return {name: value[name] for name in KEPT if name in value} | {"inference_mode": True}


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Name → float32 tensor. `weights_only` refuses a pickle that holds anything but tensors."""
    import torch

    safe, pickled = folder / SAFE, folder / PICKLED
    path = safe if safe.is_file() else pickled
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        _refuse(folder, f"there is neither {SAFE} nor {PICKLED}, or it is too large")
    try:
        if path is safe:
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:
        why = printable(str(error).strip().split("\n")[0])[:160]
        _refuse(path, f"cannot be read as tensors alone: {why}")
    if not isinstance(found, Mapping) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()
    ):
        _refuse(path, "holds something beside tensors")
    if any(not tensor.is_floating_point() or tensor.is_sparse for tensor in found.values()):
        _refuse(path, "holds tensors that are no numbers of an adapter")
    plain = saved_names(folder, found)
    return {plain[name]: tensor.to(torch.float32).contiguous() for name, tensor in sorted(found.items())}


def saved_names(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Name of a tensor → its name as peft saves it. Raises InvalidInput (FTB922) where two come to one name: they are
    of two adapters, and one would be lost without a word."""
    plain = {name: saved_name(name) for name in names}
    by_name: dict[str, str] = {}
    for name, short in plain.items():
        if (other := by_name.setdefault(short, name)) != name:
            both = f"{printable(other)[-80:]} and {printable(name)[-80:]}"
            _refuse(folder, f"holds more than one adapter: {both}", "save the one that the server ended with, alone")
    return plain


def saved_name(name: str) -> str:
    """As peft saves it: without the adapter's own name, which a state dict of a live model has in it."""
    plain = _OWN.sub(r"\1", name)
    return plain.removesuffix(".weight") if plain.endswith(".lora_magnitude_vector.weight") else plain


def _saved(tensors: Mapping[str, torch.Tensor]) -> bytes:
    from safetensors.torch import save

    return bytes(save({name: tensor.clone() for name, tensor in tensors.items()}))
