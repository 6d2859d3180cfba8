"""Figures as the site writes them: the board's own words, and a typographic minus."""

from __future__ import annotations

from ftbench.board import text
from ftbench.board.model import Estimate, Rank, Row
from ftbench.result.documents import Interval

MINUS = "−"
DASH = "–"


def percent(value: float) -> str:
    """A share in points of 100."""
    return _typographic(text.percent(value))


def signed(value: float) -> str:
    """A difference in points of 100."""
    told = f"{100 * value:+.1f}"
    return "0.0" if told in ("+0.0", "-0.0") else _typographic(told)


def interval(bounds: Interval, *, sign: bool = False) -> str:
    """Both ends in points of 100."""
    told = (f"{100 * end:+.1f}" if sign else f"{100 * end:.1f}" for end in (bounds.low, bounds.high))
    return " to ".join(map(_typographic, told))


def estimate(figure: Estimate) -> str:
    """A figure with its interval, in points of 100."""
    return f"{percent(figure.value)} ({interval(figure.interval)})"


def rank(place: Rank) -> str:
    """A place, or the first and last of those shared."""
    return text.rank(place)


def size(count: float | None) -> str:
    """Bytes in powers of 1024, three digits."""
    if count is None:
        return DASH
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def parameters(count: float | None) -> str:
    """`34.8 K`, `1.54 B`."""
    if count is None:
        return DASH
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f}"


def seconds(figure: float | None) -> str:
    """A span of time."""
    return DASH if figure is None else text.seconds(figure)


def p_value(value: float | None) -> str:
    """`p = 0.034`; `p < 0.001`."""
    if value is None:
        return DASH
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def seeds(row: Row) -> str:
    """How many seeds stand behind a row."""
    return text.seeds(row)


def _typographic(text: str) -> str:
    return text.replace("-", MINUS)
