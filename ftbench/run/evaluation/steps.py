"""How sure a model was of each token that it wrote: what a text made again may differ from, and where.

A greedy text is one choice after another, each the likeliest token. Where the two likeliest are nearly alike, another
machine's last digits may choose the other, and everything after it is another text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Steps = list[tuple[int, float]]
"""For each token written, in order: characters of the text before it, and by how many nats it was the likeliest."""
Settings = tuple[int, tuple[str, ...]]
"""Most new tokens and stop strings of a text."""

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""What a decoder writes for bytes that are no whole character yet."""


class Recorder:
    """A logits processor that changes nothing and notes by how much the likeliest token leads, row by row."""

    def __init__(self) -> None:
        self.margins: list[list[float]] = []
        """Step → row → nats between the likeliest and the next."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """See transformers' `LogitsProcessor`."""
        first, second = scores.float().topk(2, dim=-1).values.unbind(-1)
        self.margins.append((first - second).tolist())
        return scores

    def of_row(self, row: int) -> list[float]:
        """Margins of one row's tokens in order."""
        return [step[row] for step in self.margins]


def steps_of(decode: Callable[[list[int]], str], ids: Sequence[int], margins: Sequence[float]) -> Steps:
    """Where each token's text begins, with its margin; `ids` may be longer than the text is used.

    Each token is decoded with the few before it, so that time grows with the text and not with its square. A token
    amid a character begins where the character does.
    """
    found: Steps = []
    length = since = told = 0
    for number, margin in enumerate(margins):
        found.append((length, margin))
        before, now = decode(list(ids[since:told])), decode(list(ids[since : number + 1]))
        if len(now) > len(before) and not now.endswith(INCOMPLETE):
            length += len(now) - len(before)
            since, told = told, number + 1
    return found
