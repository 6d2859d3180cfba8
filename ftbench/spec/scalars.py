"""Plain scalars by YAML 1.2's core schema, and by nothing older: `5e-5` is a number, `yes` a string, `010` ten."""

from __future__ import annotations

import math
import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCT = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
EXACT = 2**53
"""Whole numbers at and above this are not exact in every JSON reader, so RFC 8785 refuses them."""

Scalar = str | int | float | bool | None


class BadNumber(ValueError):
    """A number that cannot be kept exactly; the message says why."""


def plain(text: str) -> Scalar:
    """Value of an unquoted scalar. Raises BadNumber for infinity, NaN and whole numbers from 2^53 on."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    for pattern, base, skip in ((_INT, 10, 0), (_OCT, 8, 2), (_HEX, 16, 2)):
        if pattern.fullmatch(text):
            return _whole(text[skip:], base)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise BadNumber("too large for a 64-bit number")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise BadNumber("infinite or not a number")
    return text


def _whole(digits: str, base: int) -> int:
    significant = digits.lstrip("+-").lstrip("0")
    # The length is looked at first: Python takes quadratic time for, and then refuses, very long numerals.
    if len(significant) > 20 or int(significant or "0", base) >= EXACT:
        raise BadNumber("2^53 or above, which not every reader keeps exactly")
    number = int(significant or "0", base)
    return -number if digits.startswith("-") else number
