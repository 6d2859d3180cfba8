"""Types, limits and values in the user's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import annotated_types as at

from ftbench.spec.fields import Shape
from ftbench.spec.model import BaseModelRef, Commit, Name, Sha256, Version

_PATTERNS: dict[str, str] = {}
_SCALARS = {int: "a whole number", float: "a number", str: "text", bool: "`true` or `false`", type(None): "null"}
_CONSTANTS = {True: "true", False: "false", None: "null"}


def _name_pattern(annotation: Any, words: str) -> None:
    for item in annotation.__metadata__:
        for limit in item.metadata:
            if pattern := getattr(limit, "pattern", None):
                _PATTERNS[pattern] = words


_name_pattern(Name, "lower-case words joined by hyphens, such as `my-benchmark`")
_name_pattern(Version, "MAJOR.MINOR.PATCH, such as `0.1.0`")
_name_pattern(Commit, "a commit, 40 hexadecimal digits in lower case (branches and tags move)")
_name_pattern(Sha256, "64 hexadecimal digits in lower case")
for _field, _words in (
    ("name", "OWNER/NAME, such as `builtin/micro`"),
    ("revision", "a commit (40 hexadecimal digits) or a digest (64), in lower case"),
):
    for _limit in BaseModelRef.model_fields[_field].metadata:
        if _pattern := getattr(_limit, "pattern", None):
            _PATTERNS[_pattern] = _words


def pattern(regex: str) -> str:
    """What a field with this regular expression wants."""
    return _PATTERNS.get(regex, f"text of the form {regex}")


def number(amount: float) -> str:
    """A number as people write it: `16`, not `16.0`."""
    return str(int(amount)) if amount == int(amount) and abs(amount) < 2**53 else str(amount)


NEWLINE = "↵"
"""What stands for a line break in a value that is shown on one line."""


def quoted(value: object, most: int = 60) -> str:
    """A scalar in back-quotes as YAML would show it, cut short."""
    text = _CONSTANTS[value] if isinstance(value, bool | None) else str(value).replace("\n", NEWLINE)
    return f"`{text if len(text) <= most else text[: most - 1] + '…'}`"


def listed(values: Iterable[object], last: str = "or") -> str:
    """`a`, `b` or `c`."""
    words = [quoted(value) for value in values]
    return "".join(words) if len(words) < 2 else ", ".join(words[:-1]) + f" {last} {words[-1]}"


def found(value: object) -> str:
    """What stands there, for `expected …, found …`."""
    if isinstance(value, bool) or value is None:
        return "nothing" if value is None else quoted(value)
    if isinstance(value, int | float):
        return f"the number {quoted(value)}"
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "an empty text"
    return "a list" if isinstance(value, list) else "a mapping"


def expected(shape: Shape, *, limits: bool = True) -> str:
    """What a field takes, such as `a whole number of at least 1` or `` `none` ``."""
    members = shape.members
    text = " or ".join(dict.fromkeys(_one(member, limits) for member in members))
    if limits and len(members) == 1 and shape is not members[0]:
        text += _limits(shape.limits, members[0])
    return text + (" or null" if shape.nullable else "")


def _one(shape: Shape, limits: bool) -> str:
    if shape.words is not None:
        return listed(shape.words)
    if shape.block:
        kind = shape.fields.get("kind")
        if kind and kind.words:
            return f"a mapping of kind {listed(kind.words)}"
        needed = [name for name, field in shape.fields.items() if field.required]
        return f"a mapping with {listed(needed, 'and')}" if 0 < len(needed) < 4 else "a mapping"
    if shape.item:
        word = "a list" if "list" in str(shape.type) else "a mapping"
        inner = shape.item
        return f"{word} of {_plural(inner)}" if inner.type is not Any else word
    text = _SCALARS.get(shape.type, "any value")
    return text + (_limits(shape.limits, shape) if limits else "")


def _plural(shape: Shape) -> str:
    names = {int: "whole numbers", float: "numbers", str: "text"}
    return names.get(shape.type) or ("mappings" if shape.block else "values")


def _is(limit: object, kind: type) -> bool:
    return isinstance(limit, kind)  # apart, so that the bound stays untyped: it is an int or a float


def _limits(limits: Iterable[Any], shape: Shape) -> str:
    parts = []
    limit: Any
    for limit in limits:
        if _is(limit, at.Ge):
            parts.append(f"at least {number(limit.ge)}")
        elif _is(limit, at.Gt):
            parts.append(f"above {number(limit.gt)}")
        elif _is(limit, at.Le):
            parts.append(f"at most {number(limit.le)}")
        elif _is(limit, at.Lt):
            parts.append(f"below {number(limit.lt)}")
        elif regex := getattr(limit, "pattern", None):
            parts.append(pattern(regex))
    if not parts or shape.item:
        return ""
    return ", " + " and ".join(parts)
