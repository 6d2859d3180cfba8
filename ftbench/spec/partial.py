"""What can be used of an invalid document, so that the semantic checks look at it in the same pass."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from ftbench.spec import fields
from ftbench.spec.primitives import Block

B = TypeVar("B", bound=Block)


class Unusable(Exception):
    """Nothing can be made of a value."""


def partial(model: type[B], value: Any) -> B:
    """A model that holds the fields which are valid by themselves; reading another raises AttributeError.

    Raises Unusable when `value` is not even a mapping.
    """
    if not isinstance(value, dict):
        raise Unusable
    shapes = fields.Shape(model).fields
    good: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name not in value:
            if not info.is_required():
                good[name] = info.get_default(call_default_factory=True)
            continue
        try:
            good[name] = shapes[name].validate(value[name])
        except ValidationError:
            try:
                good[name] = _inside(shapes[name], value[name])
            except Unusable:
                continue
    made = cast(B, model.model_construct(**good))
    for name in model.model_fields:
        if name not in good:
            made.__dict__.pop(name, None)
    return made


def _inside(shape: fields.Shape, value: Any) -> Any:
    meant = fields.choose(shape, value)
    if meant.block:
        return partial(meant.block, value)
    if not meant.item or not any(member.block for member in meant.item.members):
        raise Unusable
    if isinstance(value, list) and value:
        # Positions must stay as in the file, so one unusable item makes the list unusable.
        return [_inside(meant.item, item) for item in value]
    if isinstance(value, dict):
        # Where plain values stand among blocks (columns), a key that is lost would be missed elsewhere.
        whole = any(not member.block for member in meant.item.members)
        usable: dict[str, Any] = {}
        for key, item in value.items():
            with nullcontext() if whole else suppress(Unusable):
                usable[key] = _item(meant.item, item)
        return usable
    raise Unusable


def _item(shape: fields.Shape, value: Any) -> Any:
    with suppress(ValidationError):
        return shape.validate(value)
    return _inside(shape, value)
