"""The adapter before the first round, drawn without the base model's weights in memory.

Factors are drawn as peft draws them: they depend on the layers' order and sizes alone, so the layers here have no
weights of their own. DoRA's magnitudes are norms of the base model's rows, read one layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors import SafetensorError, safe_open

from . import loading, model, seeding
from .arrays import Arrays
from .errors import AppError

MAGNITUDE = ".lora_magnitude_vector"
PREFIX = "base_model.model."
"""What peft puts before a module's name."""


def hollow(folder: Path) -> torch.nn.Module:
    """The base model's layers on no storage, each linear weight a single zero seen as a whole matrix.

    Raises AppError where the folder has no model that transformers knows.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            base: torch.nn.Module = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise AppError("FTB547", f"the base model in {folder} does not load: {error}") from error
    return base


def fill(base: torch.nn.Module) -> None:
    """Let peft find a device and a dtype on every linear layer."""
    for module in base.modules():
        if isinstance(module, torch.nn.Linear):
            nothing = torch.zeros(()).expand(module.weight.shape)
            module.weight = torch.nn.Parameter(nothing, requires_grad=False)


def check_parameters(base: torch.nn.Module, most: int) -> None:
    """Raises AppError where the model has more than `most` parameters, tied ones counted once."""
    parameters = sum(parameter.numel() for parameter in base.parameters())
    if parameters > most:
        raise AppError(
            "FTB547",
            f"the base model has {parameters:,} parameters, the benchmark allows {most:,}",
            "choose a smaller base model",
        )


def arrays(folder: Path, spec: Mapping[str, Any], seed: int) -> Arrays:
    """The adapter of a run with this seed before its first round."""
    base = hollow(folder)
    check_parameters(base, int(spec["model"]["max_parameters"]))
    fill(base)
    drawn = model.get_arrays(model.attach(base, spec["adapter"], seeding.derive(seed, "adapter")))
    names = [name for name in drawn if name.endswith(MAGNITUDE)]
    return {**drawn, **magnitudes(folder, spec["model"], names)} if names else drawn


def magnitudes(folder: Path, block: Mapping[str, Any], names: list[str]) -> Arrays:
    """Norm of each row of the weights as they are held, for each adapter tensor named; as peft has it with B = 0.

    Raises AppError where a weight is not in the folder's files.
    """
    places: dict[str, Path] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                places |= dict.fromkeys(file.keys(), path)
        found: Arrays = {}
        for name in names:
            key = name.removeprefix(PREFIX).removesuffix(MAGNITUDE) + ".weight"
            with safe_open(places[key], framework="pt") as file:
                held = loading.as_held(file.get_tensor(key), block)
            norms = torch.linalg.norm(held, dim=1).to(held.dtype)
            found[name] = norms.float().cpu().numpy().astype(numpy.float32)
    except (OSError, SafetensorError, KeyError) as error:
        raise AppError("FTB547", f"the base model in {folder} does not load: {error}") from error
    return found
