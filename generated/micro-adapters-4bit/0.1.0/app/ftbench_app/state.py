"""Adapters and other state on disk, named by their digest: `state/<digest>.safetensors`."""

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


STRATEGY, PRIVACY, TRANSPORT = "strategy", "privacy", "transport"


def join(parts: Mapping[str, Arrays | None]) -> Arrays | None:
    """One set of arrays out of the parts that have something to keep; None where none has."""
    joined = {f"{part}/{name}": array for part, arrays in parts.items() for name, array in (arrays or {}).items()}
    return ordered(joined) if joined else None


def part(joined: Arrays | None, name: str) -> Arrays | None:
    """What one part kept; None where it kept nothing."""
    prefix = f"{name}/"
    found = {key.removeprefix(prefix): array for key, array in (joined or {}).items() if key.startswith(prefix)}
    return found or None
