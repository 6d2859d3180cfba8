"""Knobs: which fields may be one, what a range allows, and the values in force."""

from __future__ import annotations

from typing import Any

from ftbench.spec import words
from ftbench.spec.canonical import canonical
from ftbench.spec.fields import Shape
from ftbench.spec.model import Choices, Knob, NumberRange, Spec
from ftbench.spec.primitives import Block

BASE_MODEL = "model.base"
"""The one knob whose value is a block: a model by name and revision."""

OPEN: tuple[str, ...] = (
    "federation.rounds",
    "federation.sampling.fraction",
    "training",
    "objective.beta",
    BASE_MODEL,
    "model.attention",
    "model.quantization.compute_dtype",
    "model.quantization.double",
    "model.quantization.kind",
    "adapter",
    "strategy",
    "transport",
    "privacy.clip",
)
"""Fields and blocks that a spec may leave to participants."""

FROZEN: dict[str, str] = {
    "ftbench": "it is the format of the file",
    "metadata": "it only describes the benchmark",
    "reporting": "it only says how results are told",
    "data": "entries trained on other data or prompts cannot be compared",
    "federation": "entries with other clients or partitions face another problem",
    "faults": "entries that face other faults cannot be compared",
    "privacy": "entries that promise less cannot be compared; only `privacy.clip` may be a knob",
    "model": "limits and precision are the same for everyone; only `model.base`, `model.attention` and what "
    "`model.quantization` has beside `bits` may be knobs",
    "objective": "entries that minimise something else answer another question; only `objective.beta` may be a knob",
    "budget": "a budget that each entry chooses limits nobody",
    "evaluation": "entries scored on other questions cannot be compared",
    "seeds": "an entry picks its seed with `seed`, out of `seeds.runs`",
    "knobs": "knobs cannot hold knobs",
}
"""Block → why nothing else in it may be a knob."""


def path(text: str) -> tuple[str, ...]:
    """A knob's path as a tuple. Knobs never lie inside lists."""
    return tuple(text.split("."))


def locate(spec: Spec, text: str) -> tuple[Shape, Any]:
    """The field at a path and its value in force. Raises KeyError where the spec has no such field."""
    here: Any = spec
    field = Shape(Spec)
    for part in path(text):
        if not isinstance(here, Block) or part not in type(here).model_fields:
            raise KeyError(text)
        field = Shape(type(here)).fields[part]
        here = getattr(here, part)
    return field, here


def shape(spec: Spec, text: str) -> Shape | None:
    """The field at a path, in the blocks that the spec has; None if there is none."""
    try:
        return locate(spec, text)[0]
    except KeyError:
        return None


def closed(text: str) -> str | None:
    """Why the field `text` may never be a knob; None if it may."""
    if any(text == item or text.startswith(item + ".") for item in OPEN):
        return None
    return FROZEN.get(path(text)[0], "it is not one of the blocks that a spec may leave open")


def value(spec: Spec, text: str) -> Any:
    """The value in force at a knob's path, as JSON. Raises KeyError where there is none."""
    here = locate(spec, text)[1]
    return here.model_dump(mode="json") if isinstance(here, Block) else here


def values(spec: Spec) -> dict[str, Any]:
    """Knob → the spec's own value, which is the default."""
    return {name: value(spec, name) for name in spec.knobs}


def ranges(spec: Spec) -> dict[str, str]:
    """Knob → what it may be, in words."""
    return {name: describe(knob, shape(spec, name)) for name, knob in spec.knobs.items()}


def describe(knob: Knob, field: Shape | None = None) -> str:
    """What a knob may be, in words."""
    if isinstance(knob, NumberRange):
        return f"{words.number(knob.min)} to {words.number(knob.max)}"
    if isinstance(knob, Choices):
        return "one of " + words.listed(_shown(choice) for choice in knob.choices)
    return words.expected(field) if field and not field.block else "anything that the field allows"


def _shown(choice: Any) -> str:
    if isinstance(choice, dict) and set(choice) == {"name", "revision"}:
        return f"{choice['name']}@{str(choice['revision'])[:12]}"
    return canonical(choice).decode() if isinstance(choice, dict | list | bool) or choice is None else str(choice)


def extremes(knob: Knob | None) -> list[float]:
    """The numbers that bound a knob's range: its ends, or each number among its choices."""
    if isinstance(knob, NumberRange):
        return [knob.min, knob.max]
    choices = knob.choices if isinstance(knob, Choices) else []
    return [choice for choice in choices if isinstance(choice, int | float) and not isinstance(choice, bool)]


def allows(knob: Knob, chosen: Any) -> bool:
    """Whether a value lies in a knob's range. Its type is for the spec's own model to check."""
    if isinstance(knob, NumberRange):
        return isinstance(chosen, int | float) and not isinstance(chosen, bool) and knob.min <= chosen <= knob.max
    if isinstance(knob, Choices):
        try:
            return canonical(chosen) in [canonical(choice) for choice in knob.choices]
        except ValueError:  # a number that JSON does not have
            return False
    return True
