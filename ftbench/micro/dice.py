"""A random generator that can never drift: sha256 in counter mode.

The built-in data is pinned by digest, so it must come out the same under every Python and NumPy. Neither promises
that for its higher-level draws (`shuffle`, `sample`, `permutation`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws that depend on `label` and nothing else. Two labels give unrelated streams."""

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._block = 0
        self._words: list[int] = []

    def _word(self) -> int:
        """The next 64 bits as a whole number."""
        if not self._words:
            block = hashlib.sha256(self._label + b"\n" + self._block.to_bytes(8, "big")).digest()
            self._block += 1
            self._words = [int.from_bytes(block[i : i + 8], "big") for i in (24, 16, 8, 0)]
        return self._words.pop()

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` − 1. The bias of the modulus is below bound / 2^64."""
        return self._word() % bound

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, all equally likely."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All of `items` in random order (Fisher and Yates)."""
        deck = list(items)
        for last in range(len(deck) - 1, 0, -1):
            other = self.below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` of `items` without repetition, in random order."""
        return self.shuffled(items)[:count]


ONSETS = ("b", "br", "d", "dr", "f", "g", "gr", "k", "kl", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v")
MIDDLES = ("lm", "nd", "rk", "sk", "ld", "rn", "mb", "st", "rv", "lt")


def words(ending: str, count: int) -> tuple[str, ...]:
    """`count` different words with that ending, the same at every call."""
    every = [onset + vowel + middle + ending for onset in ONSETS for vowel in "aeiou" for middle in MIDDLES]
    return tuple(Dice(f"coin/{ending}").sample(every, count))
