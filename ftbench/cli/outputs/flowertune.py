"""What `ftbench import` prints with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.primitives import Block


class Departure(Block):
    """One difference between an app and the benchmark of its domain."""

    kind: Literal["departs", "carried", "not-told"]
    """`departs`: no entry can say it; `carried`: the entry sets it; `not-told`: the app's files do not tell."""
    topic: str
    """What it is about, in a word: `data`, `supernodes`, `rounds`, …"""
    text: str
    """In a sentence."""
    place: str
    """File and line, or the file."""


class ImportOutput(Block):
    """`ftbench import`."""

    format: Literal["ftbench/output/import/v1"] = "ftbench/output/import/v1"
    """Format of this document."""
    app: str
    """Its `pyproject.toml`."""
    benchmark: str
    """Name of the spec that it was held to."""
    conforms: bool
    """Whether the entry says all that the app does."""
    entry: str | None
    """The entry that was written."""
    prompts: str | None
    """The draft spec that was written, with `--prompts`."""
    adapter: str | None
    """The adapter folder that was written, with `--checkpoint`."""
    findings: list[Departure]
    """Every difference."""
