"""A row becomes an example: token ids and which of them are learnt.

Prompt and completion are tokenised apart and their ids joined: in a joined text tokens merge across the boundary and
the loss would cover or miss the first token of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import AppError

IGNORED = -100
"""Label of a token that is not learnt."""
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True)
class Example:
    """Token ids and labels of one row, of equal length; labels are ids or IGNORED."""

    ids: list[int]
    labels: list[int]

    @property
    def counted(self) -> int:
        """Tokens that the loss counts. The first token is predicted from nothing and never counts."""
        return sum(label != IGNORED for label in self.labels[1:])


def render(template: str, row: Mapping[str, Any]) -> str:
    """The template with each `{column}` replaced by the row's text or whole number; `{{` and `}}` are literal braces.

    Raises AppError for any other brace, and for a column that is missing or of another type.
    """

    def put(match: re.Match[str]) -> str:
        found = match.group(0)
        if found in ("{{", "}}"):
            return found[0]
        name = match.group(1)
        if name is None:
            raise AppError("FTB548", f"template {template!r} has a single brace", "write {{ or }} for a literal one")
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise AppError(
                "FTB548", f"template {template!r} needs column {name!r} as text or a whole number, not {value!r}"
            )
        return str(value)

    return PLACEHOLDER.sub(put, template)


def encode(row: Mapping[str, Any], data: Mapping[str, Any], sequence_length: int, tokenizer: Any) -> Example | None:
    """One example by the spec's `data` block, or None where the over-length rule or an empty completion drops it."""
    prompt = _ids(tokenizer, render(data["prompt"], row))
    completion = _ids(tokenizer, render(data["completion"], row))
    head = [_special(tokenizer, "bos_token_id")] if data["bos"] else []
    tail = [_special(tokenizer, "eos_token_id")] if data["eos"] else []
    ids = head + prompt + completion + tail
    labels = [IGNORED] * (len(head) + len(prompt)) + completion + tail
    if len(ids) > sequence_length:
        if data["over_length"] == "drop":
            return None
        ids, labels = ids[:sequence_length], labels[:sequence_length]
    example = Example(ids, labels)
    return example if example.counted else None


def encode_all(
    rows: Iterable[Mapping[str, Any]], data: Mapping[str, Any], sequence_length: int, tokenizer: Any
) -> list[Example]:
    """Examples of a client's rows in their order, dropped rows left out."""
    examples = (encode(row, data, sequence_length, tokenizer) for row in rows)
    return [example for example in examples if example is not None]


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False)) if text else []


def _special(tokenizer: Any, name: str) -> int:
    value = getattr(tokenizer, name)
    if value is None:
        raise AppError("FTB547", f"the base model's tokenizer has no {name}, which the benchmark asks for")
    return int(value)
