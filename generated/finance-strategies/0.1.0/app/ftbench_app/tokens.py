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
FIXED_DATE = (
    "{% macro strftime_now(format) %}{{ format|replace('%Y', '2025')|replace('%m', '01')|replace('%d', '01')"
    "|replace('%b', 'Jan')|replace('%B', 'January')|replace('%A', 'Wednesday') }}{% endmacro %}{{ '' }}"
)
"""Put before a chat template: one that writes the current date says the same every day, here and in evaluation. A
function given as an argument would not do: transformers hands templates nothing but plain data."""
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
    # Some models, such as Qwen 2.5, have no such token; there is none to go first then.
    head = [int(tokenizer.bos_token_id)] if data["bos"] and tokenizer.bos_token_id is not None else []
    context = _context(tokenizer, render(data["prompt"], row), head, data["chat_template"])
    completion = _ids(tokenizer, render(data["completion"], row))
    tail = [_special(tokenizer, "eos_token_id")] if data["eos"] else []
    ids = context + completion + tail
    labels = [IGNORED] * len(context) + completion + tail
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


def _context(tokenizer: Any, prompt: str, head: list[int], chat_template: str) -> list[int]:
    """What comes before the completion: BOS and the prompt, or the prompt as one user turn in the chat template.

    A template that writes BOS itself, as most do, gets no second one.
    """
    if chat_template == "none":
        return head + _ids(tokenizer, prompt)
    if not tokenizer.chat_template:
        raise AppError(
            "FTB547",
            "the base model's tokenizer has no chat template, which the benchmark asks for",
            "choose an instruct model",
        )
    turns = [{"role": "user", "content": prompt}]
    template = FIXED_DATE + tokenizer.get_chat_template()
    ids = list(
        tokenizer.apply_chat_template(
            turns, chat_template=template, add_generation_prompt=True, tokenize=True, return_dict=False
        )
    )
    return ids if ids[: len(head)] == head else head + ids


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False)) if text else []


def _special(tokenizer: Any, name: str) -> int:
    value = getattr(tokenizer, name)
    if value is None:
        raise AppError("FTB547", f"the base model's tokenizer has no {name}, which the benchmark asks for")
    return int(value)
