"""What a base model's outline says of its size and layers, without its weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.result.adapter import Header, parse_header
from ftbench.spec.outline import Outline

KNOWN_LAYOUT = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3")
"""`model_type`s whose linear layers are exactly the two-dimensional weights that are no embedding and no head."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base model, as far as settings and headers tell."""

    config: dict[str, Any]
    headers: dict[str, Header]
    """Tensor name → header, of every file of weights."""

    @property
    def parameters(self) -> int:
        """Number of parameters as stored: tied weights count once."""
        return sum(prod(header.shape) for header in self.headers.values())

    @property
    def packed(self) -> bool:
        """Whether the weights are stored in fewer bits than a number has, so that elements are not parameters."""
        few = any(header.dtype in ("U8", "I8", "I32") for header in self.headers.values())
        return few or "quantization_config" in self.config

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """Linear layers but the output head, by their weights' shapes: module → (out, in)."""
        shapes = {}
        for name, header in self.headers.items():
            module = name.removesuffix(".weight")
            if module != name and len(header.shape) == 2 and "embed" not in module and module != "lm_head":
                shapes[module] = (header.shape[0], header.shape[1])
        return shapes

    @property
    def complete(self) -> bool:
        """Whether the layout is known, so that `linear` has all of them and nothing else."""
        return self.config.get("model_type") in KNOWN_LAYOUT


def read(outline: Outline) -> Base:
    """The base model of an outline. Raises InvalidInput where the outline does not hold together."""
    for problem in outline.problems():
        _refuse(problem)
    headers: dict[str, Header] = {}
    for name, text in sorted(outline.headers.items()):
        found, _ = parse_header(text.encode(), f"{names.MODEL}: {name}")
        if twice := sorted(set(headers) & set(found)):
            _refuse(f"tensor {twice[0][:80]!r} is in two of its files")
        headers.update(found)
    if not headers:
        _refuse("it has no tensor")
    try:
        config = json.loads(outline.config)
    except (ValueError, RecursionError) as error:
        _refuse(f"its config.json cannot be read: {error}")
    if not isinstance(config, dict):
        _refuse("its config.json is no object")
    return Base(config, headers)


def _refuse(message: str) -> NoReturn:
    raise InvalidInput(Diagnostic(codes.NOT_STRICT_JSON, message, Place(names.MODEL)))
