"""Strict JSON from people we do not trust: parsed, then held to its JSON Schema, and only then given to a model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.spec.primitives import Block
from ftbench.spec.schema import schema_for

MAX_BYTES = 64 * 2**20
"""Largest JSON document that is read, in bytes."""
MAX_DEPTH = 32
"""Deepest nesting that is read. Our own documents need less than 12."""
MAX_ERRORS = 20
"""Schema errors reported for one document."""
MAX_MESSAGE = 300
"""Characters of a schema error that are shown; it may quote what it refuses."""

_ALIKE = bytes.maketrans(b"123456789.E", b"0000000000e")
"""Every digit and the point as 0: what may overflow then begins with one letter, and is found at C's speed."""
_EXPONENT = re.compile(rb"e(?<=0e)\+?000+\s*(?:[,\]}]|\Z)")
_LONG = b"0" * 200

_LOOKED_INTO = (str, dict, list)

M = TypeVar("M", bound=Block)


class _Refused(ValueError):
    """Something that JSON text may hold in Python and may not hold here."""


def parse(data: bytes, where: str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The JSON value in `data`; `where` names it in errors.

    Raises InvalidInput (FTB601) for anything but UTF-8 without BOM, for NaN, infinities and numbers that overflow
    (1e400), for integers from 2^53 on, for a key given twice, for lone surrogates, and past the limits.
    """
    if len(data) > max_bytes:
        _refuse(where, f"has {len(data)} bytes; at most {max_bytes} are read")
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            _refuse(where, "is not JSON: it begins with a BOM", 1, 1)
        # Only what is long or has an exponent overflows; Python's own reader of floats is much faster than ours.
        value = (_CAREFUL if _may_overflow(data) else _READER).decode(text)
    except RecursionError:
        _refuse(where, f"is nested deeper than {max_depth} levels")
    except UnicodeDecodeError as error:
        _refuse(where, f"is not UTF-8: {error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        _refuse(where, f"is not JSON: {error.msg}", error.lineno, error.colno)
    except ValueError as error:
        _refuse(where, str(error))
    if b"\\u" not in data and data.count(b"{") + data.count(b"[") <= max_depth:
        return value  # neither too deep nor with half a surrogate pair, which UTF-8 itself cannot hold
    for path, problem in _walk(value, max_depth):
        _refuse(where, f"{problem} at {path}")
    return value


def parse_model(data: bytes, model: type[M], where: str, *, max_bytes: int = MAX_BYTES) -> M:
    """`data` as a model: strict JSON, then the model's JSON Schema, then the model. Raises InvalidInput."""
    return to_model(parse(data, where, max_bytes=max_bytes), model, where)


def to_model(value: Any, model: type[M], where: str) -> M:
    """A JSON value as a model, its JSON Schema first. Raises InvalidInput (FTB602) with every problem found."""
    problems = schema_problems(value, model)
    if not problems:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False, include_input=False):
                problems.append(f"{json_path(item['loc'])}: {item['msg']}")
    raise InvalidInput([Diagnostic(codes.NOT_THE_SCHEMA, problem, Place(where)) for problem in problems[:MAX_ERRORS]])


def to_strict(value: Any, model: type[M], where: str) -> M:
    """The same for thousands of small values: the model first, and its schema only where the model refuses.

    The models are strict and their schemas are made from them, so what a model takes its schema takes too; a test holds
    that. A schema's validator needs half a millisecond for a sample, the model a hundredth of it.
    """
    try:
        return model.model_validate(value)
    except ValidationError:
        return to_model(value, model, where)


def schema_problems(value: Any, model: type[BaseModel]) -> list[str]:
    """What the model's JSON Schema has against `value`, as `path: message`; empty if nothing."""
    from jsonschema.exceptions import best_match

    problems: list[str] = []
    for error in _validator(model).iter_errors(value):
        if len(problems) == MAX_ERRORS:
            break
        told = best_match([error]) or error
        problems.append(f"{json_path(told.absolute_path)}: {_shortened(told.message)}")
    return sorted(problems)


def _shortened(message: str) -> str:
    """Whatever a message quotes comes first in it, and what is wrong with that last: the middle is left out."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE // 2]} … {message[-MAX_MESSAGE // 2 :]}"


def json_path(parts: Any) -> str:
    """`$.a.b[3]` for the parts of a path in a JSON document."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


@cache
def _validator(model: type[BaseModel]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    walked = Draft202012Validator.VALIDATORS["items"]

    def items(validator: Any, below: Any, value: Any, schema: Any) -> Any:
        """A list that is longer than it may be is refused for that (`maxItems`), and nothing in it is looked at."""
        if not isinstance(value, list) or len(value) <= schema.get("maxItems", math.inf):
            yield from walked(validator, below, value, schema)

    bounded: Any = extend(Draft202012Validator, {"items": items})  # type: ignore[no-untyped-call]
    return bounded(schema_for(model, model.__name__, f"urn:ftbench:model:{model.__name__}"))


def _refuse(where: str, message: str, line: int = 0, column: int = 0) -> NoReturn:
    raise InvalidInput(Diagnostic(codes.NOT_STRICT_JSON, message[:MAX_MESSAGE], Place(where, line, column)))


def _may_overflow(data: bytes) -> bool:
    """Whether some number in JSON text may be too large for a float; never False where one is."""
    alike = data.translate(_ALIKE)
    return _LONG in alike or _EXPONENT.search(alike) is not None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"has the key {json.dumps(twice)[:80]} twice in one object")
    return made


def _constant(text: str) -> NoReturn:
    raise _Refused(f"holds {text}, which is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(f"holds {text[:40]}, which is too large for a number")
    return value


def _integer(text: str) -> int:
    if len(text) > 17 or abs(value := int(text)) >= 2**53:
        raise _Refused(f"holds the integer {text[:40]}, which is 2^53 or more")
    return value


_READER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer)
_CAREFUL = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float)


def _walk(value: Any, max_depth: int) -> Iterator[tuple[str, str]]:
    """Places that are too deep or hold text that is not Unicode; without recursion, whatever the depth."""
    todo: list[tuple[Any, tuple[Any, ...]]] = [(value, ())]
    while todo:
        node, path = todo.pop()
        if len(path) > max_depth:
            yield json_path(path[:4]) + "…", f"is nested deeper than {max_depth} levels"
            return
        if isinstance(node, str) and not _unicode(node):
            yield json_path(path), "holds half a surrogate pair"
        elif isinstance(node, dict):
            if not all(map(_unicode, node)):
                yield json_path(path), "holds half a surrogate pair in a key"
            todo.extend((item, (*path, key)) for key, item in node.items() if isinstance(item, _LOOKED_INTO))
        elif isinstance(node, list):
            todo.extend((item, (*path, index)) for index, item in enumerate(node) if isinstance(item, _LOOKED_INTO))


def _unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)
