"""A row becomes an example: token ids and which of them are learnt.

Prompt and completion are tokenised apart and their ids joined: in a joined text tokens merge across the boundary and
the loss would cover or miss the first token of the answer. Joined, the ids decode to the joined text (`token_ids`).

With `over_length: truncate` a row of more than L = `training.sequence_length` tokens is cut by this rule. What comes
before the answer loses tokens at its beginning, after BOS, until the answer fits, but keeps L // 2 tokens where it has
them; what is still too long is cut off the answer's end. So a long prompt never leaves nothing to learn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import token_ids
from .errors import AppError

IGNORED = -100
"""Label of a token that is not learnt."""
TOO_LONG = "longer than training.sequence_length"
NOTHING = "nothing to learn within training.sequence_length"
EMPTY = "an empty answer"
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class UnfitRow(AppError):
    """A row with a value that a template does not take."""

    def __init__(self, template: str, column: str, value: object) -> None:
        self.column = column
        super().__init__(
            "FTB548", f"template {template!r} needs column {column!r} as text or a whole number, not {value!r}"
        )


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

    Raises AppError for any other brace, and UnfitRow for a column that is missing or of another type.
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
            raise UnfitRow(template, name, value)
        return str(value)

    return PLACEHOLDER.sub(put, template)


def encode(row: Mapping[str, Any], data: Mapping[str, Any], sequence_length: int, tokenizer: Any) -> Example | str:
    """One example by the spec's `data` block, or why the row is left out. Raises AppError as `encode_answers`."""
    made = encode_answers(row, data, [data["completion"]], sequence_length, tokenizer)
    return made if isinstance(made, str) else made[0]


def encode_answers(
    row: Mapping[str, Any], data: Mapping[str, Any], answers: Sequence[str], sequence_length: int, tokenizer: Any
) -> list[Example] | str:
    """For each template of an answer the example of prompt and answer, all with the same prompt; or why the row is left
    out: a value that a template does not take, an answer that is empty but for white space, the over-length rule, or
    nothing that the loss counts.

    Raises AppError for a template that cannot be read, and where the tokenizer lacks what the spec asks for.
    """
    try:
        prompt, texts = render(data["prompt"], row), [render(answer, row) for answer in answers]
    except UnfitRow as error:
        return f"column {error.column!r} is neither text nor a whole number"
    if not all(text.strip() for text in texts):
        return EMPTY
    # Some models, such as Qwen 2.5, have no such token; there is none to go first then.
    head = [int(tokenizer.bos_token_id)] if data["bos"] and tokenizer.bos_token_id is not None else []
    try:
        context = _context(tokenizer, prompt, head, data["chat_template"])
        ids_of = token_ids.running_ids if len(context) > len(head) else token_ids.start_ids
        completions = [ids_of(tokenizer, text) for text in texts]
    except token_ids.ControlInText as error:
        raise AppError("FTB548", str(error), "choose another base model: its tokenizer cannot be used so") from error
    tail = [_special(tokenizer, "eos_token_id")] if data["eos"] else []
    learnt = [ids + tail for ids in completions]
    longest = max(map(len, learnt))
    if len(context) + longest > sequence_length:
        if data["over_length"] == "drop":
            return TOO_LONG
        context = _cut(context, tokenizer.bos_token_id, max(sequence_length - longest, sequence_length // 2))
    room = sequence_length - len(context)
    made = [Example(context + ids[:room], [IGNORED] * len(context) + ids[:room]) for ids in learnt]
    return made if all(example.counted for example in made) else NOTHING


def _cut(context: list[int], bos: int | None, room: int) -> list[int]:
    """The last `room` tokens of what comes before an answer, BOS first among them where it is."""
    if len(context) <= room:
        return context
    kept = 1 if bos is not None and context[0] == bos else 0
    return context[:kept] + context[len(context) - room + kept :]


def encode_all(
    rows: Iterable[Mapping[str, Any]], data: Mapping[str, Any], sequence_length: int, tokenizer: Any
) -> list[Example]:
    """Examples of a client's rows in their order, dropped rows left out."""
    examples = (encode(row, data, sequence_length, tokenizer) for row in rows)
    return [example for example in examples if isinstance(example, Example)]


def _context(tokenizer: Any, prompt: str, head: list[int], chat_template: str) -> list[int]:
    """What comes before the completion: BOS and the prompt, or the prompt as one user turn in the chat template.

    A template that writes BOS itself, as most do, gets no second one.
    """
    if chat_template == "none":
        return head + token_ids.start_ids(tokenizer, prompt)
    if not tokenizer.chat_template:
        raise AppError(
            "FTB547",
            "the base model's tokenizer has no chat template, which the benchmark asks for",
            "choose an instruct model",
        )
    ids = token_ids.chat_ids(tokenizer, prompt)
    return ids if ids[: len(head)] == head else head + ids


def _special(tokenizer: Any, name: str) -> int:
    value = getattr(tokenizer, name)
    if value is None:
        raise AppError("FTB547", f"the base model's tokenizer has no {name}, which the benchmark asks for")
    return int(value)
