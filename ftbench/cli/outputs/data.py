"""What `ftbench data` prints with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.cli.outputs.general import Problem
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block


class DataItem(Block):
    """Rows, a partition or a base model."""

    kind: Literal["rows", "partition", "model", "outline"]
    """What it is; `outline`: what is known of a base model without its weights."""
    name: str
    """With fetch and overlap its key in the pins, or the model as NAME@COMMIT; else who names it, joined by commas."""
    digest: Sha256 | None
    """Its name in the store."""
    state: Literal["present", "fetched", "whole", "corrupt"]
    """`fetched`: it was not there before, also with add. `whole`, `corrupt`: what `verify` found."""
    path: str | None = None
    """Where it lies; null with fetch and overlap."""
    size: int | None = None
    """Bytes, where they were counted."""
    rows: int | None = None
    """Number of rows, or of rows dealt; null for a model."""
    licence: str | None = None
    """Licence, where a pin or the hub says one."""
    revision: str | None = None
    """Commit on the hub; null for built-in data and where none is known."""
    overlap: int | None = None
    """With overlap: how many of the items occur in the training rows."""


class DataOutput(Block):
    """`ftbench data`."""

    format: Literal["ftbench/output/data/v1"] = "ftbench/output/data/v1"
    """Format of this document."""
    action: Literal["fetch", "list", "verify", "overlap", "export", "add"]
    """What was asked for."""
    roots: list[str]
    """Folders of the store, in the order of search; the first is written to."""
    items: list[DataItem]
    """In the order of the pins, or by kind, root and digest."""
    diagnostics: list[Problem]
    """Corrupt files, overlap, and what should be known of a model."""
