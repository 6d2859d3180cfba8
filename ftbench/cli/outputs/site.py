"""What `site`, `report` and `export` print with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.primitives import Block


class SiteOutput(Block):
    """`ftbench site build`."""

    format: Literal["ftbench/output/site/v1"] = "ftbench/output/site/v1"
    """Format of this document."""
    out: str
    """The folder; its first page is index.html."""
    files: int
    """How many files it has."""
    bytes: int
    """Their size together."""
    tables: int
    """Tables shown."""
    bundles: int
    """Bundles that stand behind them."""
    refused: int
    """Bundles that hold no place."""


class ReportOutput(Block):
    """`ftbench report`."""

    format: Literal["ftbench/output/report/v1"] = "ftbench/output/report/v1"
    """Format of this document."""
    html: str
    """The page."""
    markdown: str
    """The same in Markdown."""


class ExportOutput(Block):
    """`ftbench export`."""

    format: Literal["ftbench/output/export/v1"] = "ftbench/output/export/v1"
    """Format of this document."""
    form: Literal["eee", "hf"]
    """What was written."""
    files: list[str]
    """Where it lies."""
