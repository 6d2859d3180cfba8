"""Walking the models: which type, limits and docstring belong to a path of a document."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo

from ftbench.spec.paths import Path
from ftbench.spec.primitives import Block


@dataclass(frozen=True, slots=True)
class Shape:
    """A type, the limits that `Annotated` put on it, and the docstring of the field that has it."""

    type: Any
    limits: tuple[Any, ...] = ()
    doc: str = ""
    required: bool = True

    @property
    def members(self) -> list[Shape]:
        """The alternatives of a union, null left out; the shape itself where it is none."""
        if get_origin(self.type) not in (Union, types.UnionType):
            return [self]
        return [of(arg) for arg in get_args(self.type) if arg is not types.NoneType]

    @property
    def nullable(self) -> bool:
        """Whether null is allowed."""
        return self.type is types.NoneType or types.NoneType in get_args(self.type)

    @property
    def block(self) -> type[Block] | None:
        """The model, where the shape is one."""
        return self.type if isinstance(self.type, type) and issubclass(self.type, Block) else None

    def validate(self, value: Any) -> Any:
        """The value as the field holds it. Raises pydantic.ValidationError; strict as in a model."""
        return _adapter(self.type, self.limits).validate_python(value)

    @property
    def words(self) -> tuple[Any, ...] | None:
        """The values of a Literal."""
        return get_args(self.type) if get_origin(self.type) is Literal else None

    @property
    def item(self) -> Shape | None:
        """What a list or a free mapping holds."""
        if get_origin(self.type) not in (list, dict):
            return None
        return of(get_args(self.type)[-1])

    @property
    def fields(self) -> dict[str, Shape]:
        """Field name → shape, of a model."""
        return _fields(self.block) if self.block else {}


def of(annotation: Any) -> Shape:
    """The shape of an annotation."""
    limits: tuple[Any, ...] = ()
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        limits += tuple(limit for item in more for limit in (item.metadata if isinstance(item, FieldInfo) else [item]))
    return Shape(annotation, limits)


@cache
def _adapter(annotation: Any, limits: tuple[Any, ...]) -> TypeAdapter[Any]:
    # Outside a model pydantic would convert and allow NaN; a model brings its own, equal configuration.
    config = None if Shape(annotation).block else ConfigDict(strict=True, allow_inf_nan=False)
    for limit in limits:
        annotation = Annotated[annotation, limit]
    return TypeAdapter(annotation, config=config)


@cache
def _fields(block: type[Block]) -> dict[str, Shape]:
    shapes = {}
    for name, info in block.model_fields.items():
        shape = of(info.annotation)
        limits = (*info.metadata, *shape.limits)
        if info.discriminator is not None:
            limits = (*limits, Field(discriminator=info.discriminator))
        shapes[name] = replace(shape, limits=limits, doc=info.description or "", required=info.is_required())
    return shapes


def choose(shape: Shape, value: Any) -> Shape:
    """The member of a union that `value` most likely means: by its `kind`, else by the keys or the type it has."""
    members = shape.members
    if len(members) == 1:
        return members[0]
    if not isinstance(value, Mapping):
        wanted = list if isinstance(value, list) else type(value)
        fits = [m for m in members if (get_origin(m.type) or m.type) is wanted]
        fits += [m for m in members if m.words and value in m.words]
        return fits[0] if fits else members[0]

    def fit(member: Shape) -> tuple[bool, int]:
        kind = member.fields.get("kind")
        return bool(kind and kind.words and value.get("kind") in kind.words), len(member.fields.keys() & value.keys())

    return max(members, key=fit)


def at(model: type[Block], value: Any, path: Path) -> Shape | None:
    """The shape of the field at `path`, following in `value` which member of each union is meant; None if none is."""
    shape: Shape | None = Shape(model)
    for part in path:
        if shape is None:
            return None
        inner = choose(shape, value)
        shape = inner.fields.get(str(part)) if inner.block else inner.item
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
    return shape
