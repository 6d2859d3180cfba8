"""Invented words, by lot. Words of two kinds never meet: each kind has an ending of its own."""

from __future__ import annotations

from ftbench.micro.dice import Dice

ONSETS = ("b", "br", "d", "dr", "f", "g", "gr", "k", "kl", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v")
MIDDLES = ("lm", "nd", "rk", "sk", "ld", "rn", "mb", "st", "rv", "lt")


def words(ending: str, count: int) -> tuple[str, ...]:
    """`count` different words with that ending, the same at every call."""
    every = [onset + vowel + middle + ending for onset in ONSETS for vowel in "aeiou" for middle in MIDDLES]
    return tuple(Dice(f"coin/{ending}").sample(every, count))
