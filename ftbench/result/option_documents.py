"""What a result says of a choice task's options."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ftbench.spec.primitives import Block

NonNegative = Annotated[int, Field(ge=0, lt=2**53)]


class OptionCounts(Block):
    """What the options of a choice task got, in their order."""

    due: list[NonNegative]
    """Items of which it is the right one."""
    chosen: list[NonNegative]
    """Items to which it was the answer."""
    right: list[NonNegative]
    """Items to which it was the answer rightly."""
    balanced: Annotated[float, Field(ge=0, le=1)]
    """Balanced accuracy: mean over options of right / due, of those that are due."""
    macro_f1: Annotated[float, Field(ge=0, le=1)]
    """Mean over options of 2 right / (due + chosen), of those that are due or chosen."""


class Majority(Block):
    """The best constant answer to a choice task: a model that says the same to every item gets no more."""

    option: NonNegative
    """The option that is right most often, the first of equals."""
    text: Annotated[str, Field(max_length=100)] | None
    """What it says, cut short; null where that differs from item to item."""
    correct: NonNegative
    """Items of which it is the right one."""
    items: Annotated[int, Field(ge=1)]
    """Items asked."""
    value: Annotated[float, Field(ge=0, le=1)]
    """correct / items."""


class Written(Block):
    """The answer that a model wrote most often."""

    text: Annotated[str, Field(max_length=100)]
    """Its first line, cut short."""
    count: Annotated[int, Field(ge=1)]
    """Items to which it was written."""
    option: NonNegative | None
    """The option that it is letter for letter; null where it is none."""
