"""The plan's spec as JSON: which fields it has, and reading one by its dotted path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftbench.spec.canonical import UNHASHED
from ftbench.spec.model import FileSource, Spec
from ftbench.spec.primitives import Block
from ftbench.spec.sources import AnySource


def at(tree: Mapping[str, Any], path: str) -> Any:
    """The value at `training.schedule.learning_rate` and the like; None where the spec does not ask for it."""
    value: Any = tree
    for key in path.split("."):
        value = value.get(key) if value is not None else None
    return value


def without_nulls(spec: Spec) -> dict[str, Any]:
    """The spec as JSON, without what is unhashed and without the fields that are null by default and were left so.

    So a new field, whose default must be null, leaves the plan of every benchmark that does not use it as it was. A
    null that the author had to write stays: a revision that is not known yet.
    """
    return {name: value for name, value in _bare(spec).items() if name not in UNHASHED}


def _bare(block: Block) -> dict[str, Any]:
    plain = block.model_dump(mode="json")
    for name, field in type(block).model_fields.items():
        value = getattr(block, name)
        if value is None and field.default is None:
            del plain[name]
        elif isinstance(value, Block):
            plain[name] = _bare(value)
        elif isinstance(value, list):
            plain[name] = [_bare(v) if isinstance(v, Block) else p for v, p in zip(value, plain[name], strict=True)]
    return plain


def hashed(spec: Spec) -> Spec:
    """The spec as a plan has it: without the names of local files, whose rows the pins have by digest."""

    def bare(source: AnySource) -> AnySource:
        return source.hashed() if isinstance(source, FileSource) else source

    data = spec.data.model_copy(update={"source": bare(spec.data.source)})
    tasks = [task.model_copy(update={"source": bare(task.source)}) for task in spec.evaluation.tasks]
    return spec.model_copy(update={"data": data, "evaluation": spec.evaluation.model_copy(update={"tasks": tasks})})
