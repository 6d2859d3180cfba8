"""Small drawings that stand in a cell: an interval, a span of places, what became of items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup

from ftbench.board.model import Estimate, Rank
from ftbench.site import svg

WIDTH, HEIGHT, EDGE = 220.0, 22.0, 5.0


def axis(ticks: Sequence[float], width: float = WIDTH) -> svg.Scale:
    """The scale of a column of intervals."""
    return svg.Scale(ticks[0], ticks[-1], EDGE, width - EDGE)


def interval(figure: Estimate, scale: svg.Scale, marks: Sequence[tuple[float, str]] = (), *, kind: str = "") -> Markup:
    """A figure as a point on its interval; `marks` are upright lines with a class, such as the untuned score."""
    middle = HEIGHT / 2
    track = svg.tag("line", x1=scale.start, x2=scale.end, y1=middle, y2=middle, class_="track")
    low, high, at = scale(figure.interval.low), scale(figure.interval.high), scale(figure.value)
    parts = [track]
    parts += [svg.tag("line", x1=scale(value), x2=scale(value), y1=2.0, y2=20.0, class_=name) for value, name in marks]
    parts.append(svg.tag("rect", x=low, y=middle - 3, width=max(high - low, 1.0), height=6.0, rx=3.0, class_="span"))
    parts.append(svg.tag("circle", cx=at, cy=middle, r=3.6, class_="at"))
    return svg.drawing(scale.end + EDGE, HEIGHT, parts, class_=f"iv {kind}".strip())


def head(ticks: Sequence[float], scale: svg.Scale, *, sign: bool = False) -> Markup:
    """The labels above a column of intervals."""
    shown = ticks if len(ticks) <= 5 else [ticks[0], ticks[len(ticks) // 2], ticks[-1]]
    parts = []
    for tick in shown:
        anchor: Literal["start", "middle", "end"] = (
            "start" if tick == ticks[0] else "end" if tick == ticks[-1] else "middle"
        )
        at = scale(tick) + {"start": -EDGE, "middle": 0.0, "end": EDGE}[anchor]
        said = f"{100 * tick:+.3g}" if sign else f"{100 * tick:.3g}"
        parts.append(svg.text(at, 9.0, said.replace("-", "−"), anchor=anchor))
        parts.append(svg.tag("line", x1=scale(tick), x2=scale(tick), y1=12.0, y2=16.0, class_="tick"))
    return svg.drawing(scale.end + EDGE, 16.0, parts, class_="iv axis")


def places(rank: Rank, total: int) -> Markup:
    """The places that a row may hold, of all."""
    width, step = 56.0, 56.0 / max(total, 1)
    start = (rank.best - 1) * step
    length = max((rank.worst - rank.best + 1) * step, 3.0)
    parts = [
        svg.tag("rect", x=0.0, y=1.0, width=width, height=4.0, rx=2.0, class_="track"),
        svg.tag("rect", x=min(start, width - length), y=1.0, width=length, height=4.0, rx=2.0, class_="span"),
    ]
    return svg.drawing(width, 6.0, parts, class_="places")


def outcomes(counts: Sequence[tuple[str, int]], width: float = 640.0) -> Markup:
    """One bar whose parts are as long as the counts: class and count of each."""
    total, at, parts = sum(count for _, count in counts) or 1, 0.0, []
    for name, count in counts:
        length = width * count / total
        if count:
            parts.append(svg.tag("rect", x=at, y=0.0, width=max(length, 1.0), height=14.0, class_=name))
        at += length
    return svg.drawing(width, 14.0, parts, class_="outcomes", stretch=True)
