"""Outlines of base models: made from a model's folder, and read from a store that has no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, because
from ftbench.errors import MissingResource
from ftbench.spec import outline
from ftbench.spec.outline import Outline


def of_folder(folder: Path, files: Mapping[str, str], known: Mapping[str, bytes] | None = None) -> Outline:
    """The outline of the model in a folder; `files` are the digests of its files, `known` headers of those not there.

    Raises MissingResource (FTB332) for a folder that holds no model with settings and safetensors.
    """
    try:
        headers = {name: (known or {}).get(name) or header(folder / name) for name in outline.weights(files)}
        return outline.make(files, (folder / outline.CONFIG).read_bytes(), headers)
    except (OSError, ValueError) as error:
        message = f"this is no base model with settings and safetensors: {because(error)}"
        raise MissingResource(Diagnostic(codes.UNREADABLE, message, Place(str(folder)))) from error


def header(path: Path) -> bytes:
    """The JSON header of a safetensors file. Raises ValueError, OSError."""
    with path.open("rb") as file:
        return file.read(outline.header_size(file.read(8)))


def read(path: Path, digest: str) -> Outline:
    """An outline in a store, checked as far as its name tells: files and settings. Raises MissingResource (FTB303)."""
    try:
        found = Outline.model_validate_json(path.read_bytes())
        wrong = list(found.problems()) if found.digest == digest else ["its files are not those that its name says"]
    except (OSError, ValidationError) as error:
        wrong = [f"it cannot be read: {because(error)}"]
    if wrong:
        hint = "delete it and get it again: ftbench data fetch --no-weights --model NAME@COMMIT"
        raise MissingResource(Diagnostic(codes.CORRUPT, f"corrupt: {'; '.join(wrong)}", Place(str(path)), hint))
    return found


def tensor_bytes(header: bytes) -> int:
    """Bytes of all tensors by a safetensors header. Raises ValueError where it is none."""
    try:
        table = json.loads(header)
        table.pop("__metadata__", None)
        return max((int(one["data_offsets"][1]) for one in table.values()), default=0)
    except (AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError(f"a safetensors header that cannot be understood: {error}") from error
