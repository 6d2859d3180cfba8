"""Which of a client's rows are learnt from: the rest is counted by reason and told by number, never lost in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .objective import Objective

SHOWN = 5
"""Rows that are named for each reason; the rest are counted."""


@dataclass(frozen=True)
class Used:
    """Examples of some rows, and what became of the others."""

    examples: list[Any]
    """The objective's, in the order of the rows."""
    held: int
    """Rows in all."""
    left_out: Mapping[str, list[int]]
    """Why → numbers of the rows that were left out for it."""

    def told(self, whose: str) -> list[str]:
        """Lines for the log, none where every row is used. `whose`: `client 3`, or what else holds the rows."""
        return [
            f"{whose}: {len(numbers)} of {self.held} rows left out: {reason} ({_some(numbers)})"
            for reason, numbers in sorted(self.left_out.items())
        ]


def find_used(
    objective: Objective,
    rows: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    model: Any = None,
    numbers: Sequence[int] | None = None,
) -> Used:
    """The rows' examples. `model`: the base model, for what an objective asks it of them; None: it is not asked, and
    the examples can only be counted. `numbers`: the rows' numbers in the whole data; None: their places here.

    Raises AppError for what is wrong with every row: a template that cannot be read, a tokenizer that lacks something.
    """
    examples: list[Any] = []
    left_out: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        made = objective.encode(row, tokenizer)
        if isinstance(made, str):
            left_out.setdefault(made, []).append(place if numbers is None else numbers[place])
        else:
            examples.append(made)
    return Used(examples if model is None else objective.ready(examples, model), len(rows), left_out)


def _some(numbers: Sequence[int]) -> str:
    more = ", …" if len(numbers) > SHOWN else ""
    return f"{'row' if len(numbers) == 1 else 'rows'} {', '.join(map(str, numbers[:SHOWN]))}{more}"
