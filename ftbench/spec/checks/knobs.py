"""Knobs: fields that may be one, ranges that make sense for them, a default inside the range."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from ftbench import codes
from ftbench.diagnostics import did_you_mean
from ftbench.spec import knobs, near, strategies, words
from ftbench.spec.canonical import canonical
from ftbench.spec.fields import Shape
from ftbench.spec.model import Choices, Knob, NumberRange, Spec
from ftbench.spec.paths import Path
from ftbench.spec.primitives import Block
from ftbench.spec.problems import Problem


def check_knobs(spec: Spec) -> Iterator[Problem]:
    """Every knob."""
    for name, knob in spec.knobs.items():
        try:
            yield from _knob(spec, name, knob)
        except AttributeError:  # the field, or a part of the range, is absent; the next knob is looked at all the same
            continue


def _knob(spec: Spec, name: str, knob: Knob) -> Iterator[Problem]:
    at: Path = ("knobs", name)
    try:
        field, default = knobs.locate(spec, name)
    except KeyError:
        hint = (
            near.hint(Spec, name)
            or did_you_mean(name, _candidates(spec))
            or "a knob names a field of this spec, such as `adapter.rank`"
        )
        yield Problem(codes.KNOB_PATH, at, f"the spec has no field `{name}`", hint, key=True)
        return
    if reason := knobs.closed(name) or _unfit(name, field, default):
        yield Problem(codes.KNOB_PATH, at, f"`{name}` cannot be a knob: {reason}", key=True)
        return
    found = list(_range(name, knob, field))
    yield from found
    plain = default.model_dump(mode="json") if isinstance(default, Block) else default
    if plain is None and name in strategies.PATHS:
        return  # no default to be in the range: the kind does not use it, or lacks it, which another check says
    if not found and not knobs.allows(knob, plain):
        message = f"the spec's own `{name}` lies outside the knob's range, {knobs.describe(knob, field)}"
        yield Problem(codes.KNOB_DEFAULT, at, message, f"it is {words.quoted(_short(plain))}")


def _unfit(name: str, field: Shape, default: Any) -> str | None:
    last = knobs.path(name)[-1]
    if name == knobs.BASE_MODEL:
        return None
    if isinstance(default, Block) or any(member.block for member in field.members):
        return "it is a block; name the fields in it"
    if name.startswith(knobs.BASE_MODEL + "."):
        return f"a base model is chosen whole, with `{knobs.BASE_MODEL}`"
    if last == "kind" and field.words and len(field.words) == 1:
        return "which other fields there are depends on it, and that is not supported yet"
    if field.words and len(field.words) == 1:
        return f"it has only one value, {words.quoted(field.words[0])}"
    return None


def _range(name: str, knob: Knob, field: Shape) -> Iterator[Problem]:
    if isinstance(knob, NumberRange):
        yield from _number_range(name, knob, field)
    elif isinstance(knob, Choices):
        yield from _choices(name, knob, field)
    elif knob.free and field.words:
        message = f"the knob `{name}` is free, and `{name}` is one of a list of words, which may grow with ftbench"
        hint = f"name what this benchmark allows: choices: [{', '.join(field.words)}]"
        yield Problem(codes.KNOB_RANGE, ("knobs", name), message, hint, key=True)


def _number_range(name: str, knob: NumberRange, field: Shape) -> Iterator[Problem]:
    at: Path = ("knobs", name)
    types = [member.type for member in field.members]
    if types not in ([int], [float]):
        message = f"`{name}` is not a number, so that it has no `min` and `max`"
        yield Problem(codes.KNOB_RANGE, at, message, "use `choices` or `free: true`", key=True)
        return
    if knob.min > knob.max:
        message = f"`min` {words.number(knob.min)} is above `max` {words.number(knob.max)}"
        yield Problem(codes.KNOB_RANGE, (*at, "min"), message, "exchange them")
        return
    for side, bound in (("min", knob.min), ("max", knob.max)):
        if types == [int] and bound != math.floor(bound):
            message = f"`{name}` takes whole numbers, and `{side}` is {words.number(bound)}"
            yield Problem(codes.KNOB_RANGE, (*at, side), message)
        elif wrong := _outside(field, int(bound) if types == [int] else bound):
            message = f"`{side}` {words.number(bound)} is not a value that `{name}` takes: {wrong}"
            yield Problem(codes.KNOB_RANGE, (*at, side), message)
    if knob.min == knob.max:
        message = f"the range holds one value, {words.number(knob.min)}"
        yield Problem(codes.NO_EFFECT, at, message, "a knob with one value is not a choice: leave it out", key=True)


def _choices(name: str, knob: Choices, field: Shape) -> Iterator[Problem]:
    at: Path = ("knobs", name, "choices")
    seen: list[bytes] = []
    for number, choice in enumerate(knob.choices):
        if wrong := _outside(field, choice):
            message = f"{words.quoted(_short(choice))} is not a value that `{name}` takes: {wrong}"
            yield Problem(codes.KNOB_RANGE, (*at, number), message)
        form = canonical(choice)
        if form in seen:
            yield Problem(codes.DUPLICATE, (*at, number), f"{words.quoted(_short(choice))} stands twice")
        seen.append(form)
    if len(knob.choices) == 1:
        message = f"the knob `{name}` has one choice"
        yield Problem(codes.NO_EFFECT, at, message, "a knob with one value is not a choice: leave it out")


def _short(value: Any) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _outside(field: Shape, value: Any) -> str | None:
    """Why the field does not take a value, in words; None if it does."""
    try:
        field.validate(value)
    except ValidationError:
        return f"expected {words.expected(field)}"
    return None


def _candidates(spec: Spec) -> list[str]:
    names: list[str] = []

    def walk(block: Block, prefix: str) -> None:
        for name in type(block).model_fields:
            value = getattr(block, name, None)
            names.append(prefix + name)
            if isinstance(value, Block):
                walk(value, f"{prefix}{name}.")

    walk(spec, "")
    return [name for name in names if knobs.closed(name) is None]
