"""Adapters on disk, named by their digest: `state/<digest>.safetensors`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import load, save

from .arrays import Arrays, digest, ordered
from .errors import AppError
from .files import write_atomic


def path_of(run_dir: Path, name: str) -> Path:
    """Where the state with that digest lies."""
    return run_dir / "state" / f"{name}.safetensors"


def put(run_dir: Path, config: Mapping[str, Any], arrays: Arrays) -> str:
    """Write the arrays, durably, and return their digest."""
    name = digest(config, arrays)
    write_atomic(path_of(run_dir, name), save(ordered(arrays)))
    return name


def get(run_dir: Path, config: Mapping[str, Any], name: str) -> Arrays:
    """The arrays with that digest. Raises AppError where they are missing or damaged."""
    path = path_of(run_dir, name)
    try:
        arrays = ordered(load(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise AppError("FTB549", f"{path} cannot be read: {error}", "start a new run in another folder") from error
    except Exception as error:  # safetensors raises its own type for damaged files
        raise AppError("FTB549", f"{path} is damaged: {error}", "start a new run in another folder") from error
    if digest(config, arrays) != name:
        raise AppError("FTB549", f"{path} does not have the digest that its name says", "start a new run")
    return arrays
