"""Figures as people read them, and text made harmless for each format."""

from __future__ import annotations

from ftbench.board.model import Estimate, Rank, Row
from ftbench.diagnostics import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A cell that begins so is a formula to a spreadsheet."""

ESCAPES = str.maketrans(
    {c: f"\\{c}" for c in "!\"#$%'()*+,-./:;=?@[\\]^_`{|}~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
"""Every mark that means something in Markdown or HTML."""


def markdown(text: str) -> str:
    """Free text in Markdown: on one line, every mark escaped, so that no link, picture or cell begins."""
    return printable(text).translate(ESCAPES)


def code(text: str) -> str:
    """A name, path or message as a code span: nothing inside is a link, a mention or the end of a cell."""
    safe = printable(text).replace("`", "'").replace("|", "¦").strip()
    return f"`{safe}`" if safe else ""


def cell(text: str) -> str:
    """Text in CSV: one that a spreadsheet would take for a formula gets an apostrophe before it."""
    safe = printable(text)
    return "'" + safe if safe.lstrip().startswith(FORMULA) else safe


def percent(value: float) -> str:
    """A share as points of 100 with one decimal."""
    return f"{100 * value:.1f}"


def estimate(figure: Estimate, *, signed: bool = False) -> str:
    """A figure with its interval, in points of 100."""
    sign = "+" if signed else ""
    low, high = figure.interval.low, figure.interval.high
    return f"{100 * figure.value:{sign}.1f} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def errors(plain: float | None, clustered: float | None) -> str:
    """Standard errors in points of 100: over items, then over clusters where there are any."""
    if plain is None:
        return ""
    return f"{100 * plain:.2f}" + ("" if clustered is None else f" ({100 * clustered:.2f} clustered)")


def rank(place: Rank) -> str:
    """A place, or the first and last of those shared."""
    return str(place.best) if place.best == place.worst else f"{place.best}–{place.worst}"


def mib(count: int) -> str:
    """Bytes as MiB (2^20)."""
    return f"{count / 2**20:,.2f}" if count < 2**30 else f"{count / 2**20:,.0f}"


def seconds(figure: float | None) -> str:
    """A span of time, or a dash where nobody reported one."""
    if figure is None:
        return "—"
    if figure < 60:
        return f"{figure:.1f} s"
    minutes, rest = divmod(round(figure), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def count(number: int) -> str:
    """A number with its thousands parted."""
    return f"{number:,}"


def seeds(row: Row) -> str:
    """How many seeds stand behind a row, of how many the spec asks for."""
    total = len(set(row.seeds) | set(row.missing_seeds))
    return f"{len(row.seeds)} of {total}" if row.missing_seeds else str(len(row.seeds))
