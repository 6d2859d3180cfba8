"""Prompts that share a forward pass, one after another in one row, without padding.

What all prompts of a pack begin with is computed once, and a prompt once for all its options. Packs are made of all
requests, before anything is shared out or looked up, so that an answer is computed in the same company whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from ftbench.run.evaluation.tokens import Request, Tokens

WORTH = 8
"""Fewest tokens in common that are computed apart: attention to them costs an operator more."""
FULL = 4
"""A pack is closed early, so that its prompts share more, once it has 1 / FULL of its tokens."""


@dataclass(frozen=True)
class Prompt:
    """One prompt and its options, as tokens."""

    context: list[int]
    options: list[list[int]]
    requests: list[Request]
    """One an option."""

    @property
    def read(self) -> int:
        """Tokens that the model reads: of each option all but its last, which is predicted only."""
        return len(self.context) + sum(len(option) - 1 for option in self.options)


@dataclass(frozen=True)
class Pack:
    """Prompts of one forward pass."""

    shared: int
    """Tokens that all of them begin with, computed once; 0 or at least WORTH, and fewer than any of them has."""
    prompts: list[Prompt]

    @property
    def requests(self) -> list[Request]:
        """Of all prompts, in order."""
        return [request for prompt in self.prompts for request in prompt.requests]


def packs(encoded: Mapping[Request, Tokens], tokens: int, most: int | None = None) -> list[Pack]:
    """Packs of about `tokens` tokens and at most `most` prompts, at least one each; the longest first.

    Prompts of like beginnings stand together. The requests' order moves nothing.
    """
    made: list[Pack] = []
    waiting: list[Prompt] = []
    shared = size = 0
    for prompt in _prompts(encoded):
        if not waiting:
            waiting, shared, size = [prompt], _worth(len(prompt.context) - 1), prompt.read
            continue
        less = _worth(min(shared, _common(waiting[0].context, prompt.context)))
        grown = sum(one.read - less for one in [*waiting, prompt]) + less
        loses = grown > size + prompt.read and size * FULL >= tokens
        if grown > tokens or loses or len(waiting) == most:
            made.append(_pack(shared, waiting))
            waiting, shared, size = [prompt], _worth(len(prompt.context) - 1), prompt.read
        else:
            waiting, shared, size = [*waiting, prompt], less, grown
    if waiting:
        made.append(_pack(shared, waiting))
    # The order is no part of an answer; whoever shares packs out ends more evenly with the small ones last.
    return sorted(made, key=lambda pack: -sum(prompt.read for prompt in pack.prompts))


def _pack(shared: int, prompts: list[Prompt]) -> Pack:
    return Pack(shared if len(prompts) > 1 else 0, prompts)


def _prompts(encoded: Mapping[Request, Tokens]) -> list[Prompt]:
    """The prompts, those that begin alike beside each other."""
    by_text: dict[str, list[Request]] = {}
    for request in sorted(encoded):
        by_text.setdefault(request[0], []).append(request)
    made = [Prompt(encoded[own[0]][0], [encoded[one][1] for one in own], own) for own in by_text.values()]
    return sorted(made, key=lambda prompt: prompt.context)


def _common(one: Iterable[int], other: Iterable[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _worth(shared: int) -> int:
    return shared if shared >= WORTH else 0
