"""What is said of a table of bare scores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.result.documents import NonNegative
from ftbench.spec.model import Name
from ftbench.spec.primitives import Block

Rule = Literal["out-of-range", "scale", "no-count", "other-count", "swapped", "repeated", "mean", "constant"]


class Finding(Block):
    """One thing that is wrong with a row."""

    rule: Rule
    """Which rule found it."""
    code: str
    """Its diagnostic code."""
    impossible: bool
    """Whether no evaluation can have given it; false: odd, or worth nothing, and yet possible."""
    column: str
    """The column, as the table names it; several are joined by commas."""
    evidence: str
    """What stands there and what could, with figures."""


class ClaimedRow(Block):
    """One row of the table."""

    name: str
    """As the table has it."""
    line: NonNegative
    """Line of a CSV file, or position in a JSON list; from 1."""
    findings: list[Finding]
    """In the order of the rules; empty where nothing is wrong."""


class Tested(Block):
    """What a column's arithmetic is worth."""

    column: str
    task: Name
    """The test set that it is of."""
    items: NonNegative
    """Its items."""
    digits: NonNegative
    """Decimals of the percentage, in most cells."""
    by_chance: Annotated[float, Field(ge=0, le=1)]
    """Share of all values printed so that some count gives: an invented value passes `no-count` with that chance."""


class Claims(Block):
    """What arithmetic says of a table of bare scores."""

    format: Literal["ftbench/claims/v1"] = "ftbench/claims/v1"
    """Format of this document."""
    table: str
    """The table's file, as given."""
    name: Name
    """The benchmark whose test sets they are."""
    version: str
    scale: Literal["percent", "fraction"]
    """How most cells are to be read."""
    columns: list[Tested]
    """The test sets, in the order of the spec."""
    rows: list[ClaimedRow]
    """In the order of the table."""
    impossible: NonNegative
    """Rows with something that no evaluation can have given."""
    not_checked: list[str]
    """What was not looked at, in sentences."""
