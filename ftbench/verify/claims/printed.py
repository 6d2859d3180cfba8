"""Numbers as they were printed: exact, with the digits that they were rounded or cut to."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?")
FINEST = 5
"""Decimals of a percentage beyond which they tell of a float32's own errors and not of the score."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A share of 1. What it stands for lies from half a unit below to less than one above."""

    text: str
    value: Fraction
    unit: Fraction
    """Worth of the last digit that is looked at."""
    percent: bool = False
    """Whether it was read as a percentage."""

    @property
    def low(self) -> Fraction:
        """The least that is printed so: rounded up from there."""
        return self.value - self.unit / 2

    @property
    def high(self) -> Fraction:
        """What is not printed so any more: cut off, it is the next number."""
        return self.value + self.unit

    @property
    def digits(self) -> int:
        """Decimals of the percentage."""
        return max(0, len(str(int(1 / self.unit))) - 3)

    def holds(self, true: Fraction) -> bool:
        """Whether `true` may be printed so, rounded (half up or half to even) or cut off: boards do either."""
        return self.low <= true < self.high

    def counts(self, items: int) -> range:
        """The counts of right answers to `items` items that may be printed so."""
        first, last = ceil(self.low * items), ceil(self.high * items) - 1
        return range(max(first, 0), min(last, items) + 1)


def read(text: str) -> tuple[Fraction, Fraction, bool]:
    """The number in a cell, the worth of its last digit, and whether it has a percent sign. Raises ValueError."""
    bare = text.strip()
    percent = bare.endswith("%")
    bare = bare.removesuffix("%").strip()
    if not NUMBER.fullmatch(bare):
        raise ValueError("is no number")
    mantissa, _, exponent = bare.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return Fraction(bare), Fraction(1, 10**decimals) if decimals >= 0 else Fraction(10**-decimals), percent


def printed(text: str, *, percent: bool) -> Printed:
    """A cell of a table in percent or in fractions; a percent sign in it decides. Raises ValueError for no number."""
    value, unit, sign = read(text)
    percent = percent or sign
    if percent:
        value, unit = value / 100, unit / 100
    return Printed(text.strip(), value, max(unit, Fraction(1, 10 ** (FINEST + 2))), percent)


@functools.cache
def by_chance(items: int, unit: Fraction) -> float:
    """Share of the values 0, unit, … 1 that some count of `items` gives, rounded or cut off."""
    steps = int(1 / unit)
    found: set[int] = set()
    for count in range(items + 1):
        place = Fraction(count * steps, items)
        found |= {floor(place), floor(place + Fraction(1, 2)), ceil(place - Fraction(1, 2))}
    return len(found) / (steps + 1)
