"""What there is to know of a base model without its weights: which files it has, its settings and its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from ftbench.spec.canonical import canonical, digest, sha256
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block

CONFIG = "config.json"
MAX_BYTES = 8 * 2**20
"""Most bytes of an outline, of its settings, and of one header. A model of 24 billion parameters needs 60 thousand."""


class Outline(Block):
    """`model.json` of a bundle. The digest of `files` names the model; it binds `config`, and no header.

    A header is the beginning of a file, and the digest of a file says nothing of its beginning alone: who reads a
    header here must have it from the file itself, or from whom they would take the file.
    """

    format: Literal["ftbench/outline/v1"] = "ftbench/outline/v1"
    files: dict[str, Sha256]
    """Path in the model's folder → sha256 of the file, of every file."""
    config: str
    """`config.json`, as it is."""
    headers: dict[str, str]
    """Path → the JSON header of that safetensors file, as it is; of every file of weights."""

    @property
    def digest(self) -> str:
        """What names the model in a store, a ledger and a result."""
        return digest(self.files)

    def to_bytes(self) -> bytes:
        """The document: the same bytes for the same model."""
        return canonical(self.model_dump(mode="json")) + b"\n"

    def problems(self) -> Iterator[str]:
        """Where its parts do not belong together."""
        if self.files.get(CONFIG) != sha256(self.config.encode()):
            yield f"its {CONFIG} is not the one among its files"
        if set(self.headers) != set(weights(self.files)):
            yield "its headers are not those of its files of weights"


def weights(files: Mapping[str, str]) -> list[str]:
    """The files that hold a model's weights."""
    return sorted(name for name in files if name.endswith(".safetensors") and "/" not in name)


def make(files: Mapping[str, str], config: bytes, headers: Mapping[str, bytes]) -> Outline:
    """The outline of a model. Raises ValueError where settings or a header are no UTF-8 text, or too large."""
    texts = {name: header.decode() for name, header in headers.items()}
    made = Outline(files=dict(files), config=config.decode(), headers=texts)
    if len(made.to_bytes()) > MAX_BYTES:
        raise ValueError(f"its settings and headers are more than {MAX_BYTES} bytes")
    return made


def header_size(beginning: bytes) -> int:
    """Bytes of a safetensors file's JSON header, by the eight before it. Raises ValueError where it is too large."""
    size = int.from_bytes(beginning[:8], "little")
    if len(beginning) < 8 or size > MAX_BYTES:
        raise ValueError("a file of weights does not begin as safetensors do")
    return size
