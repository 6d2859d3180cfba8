"""Larger drawings: scores against what they cost, and curves over rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from ftbench.board.model import Estimate
from ftbench.site import svg

WIDTH, HEIGHT = 560.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 22.0, 44.0
NAMED = 14
"""Points that are labelled beside the point; where there are more, only the efficient ones are."""
CHARACTER = 6.3
"""Width of one letter of a label, about."""


@dataclass(frozen=True)
class Point:
    """A score and what it cost."""

    label: str
    target: str
    """Where its link leads, from the page the plot stands in."""
    cost: float
    score: Estimate
    efficient: bool


@dataclass(frozen=True)
class Line:
    """One curve: figures by round, or whatever counts on the axis."""

    name: str
    points: Sequence[tuple[float, float]]
    classes: str = field(default="s0")


def scatter(points: Sequence[Point], *, unit: str, axis: str, marks: Sequence[tuple[float, str]] = ()) -> Markup:
    """Scores with their intervals against a cost on a logarithmic axis, the efficient ones joined by a step.

    `marks`: scores that stand for themselves, such as the untuned model's, with their names.
    """
    bounds = [end for one in points for end in (one.score.interval.low, one.score.interval.high)]
    rows = svg.around([*bounds, *(value for value, _ in marks)])
    low, high = min(one.cost for one in points), max(one.cost for one in points)
    low, high = (low / 1.25, high * 1.25) if high < 1.6 * low else (low / 1.12, high * 1.12)
    across = svg.Scale(low, high, LEFT + 12, WIDTH - RIGHT - 12, logarithmic=True)
    up = svg.Scale(rows[0], rows[-1], HEIGHT - BOTTOM, TOP)
    parts = [*_levels(rows, up), *_costs(low, high, across), _foot(f"{axis}, {unit}, logarithmic"), _unit("score, %")]
    for value, name in marks:
        y = up(value)
        parts.append(svg.tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="reference"))
        parts.append(svg.text(WIDTH - RIGHT, y - 4, name, anchor="end", class_="soft"))
    joined = [(across(one.cost), up(one.score.value)) for one in points if one.efficient]
    if len(joined) > 1:
        parts.append(svg.tag("path", d=svg.path(joined, step=True), class_="frontier"))
    parts += _points(points, across, up)
    best = ", ".join(one.label for one in points if one.efficient)
    return svg.drawing(WIDTH, HEIGHT, parts, class_="plot", label=f"Score against {axis}. Efficient: {best}.")


def curves(lines: Sequence[Line], *, across: str, up: str, label: str) -> Markup:
    """Lines over rounds, each named where it ends."""
    every = [value for line in lines for _, value in line.points]
    rows = svg.around(every, 5, 0.0, float("inf"))
    first = min(place for line in lines for place, _ in line.points)
    last = max(place for line in lines for place, _ in line.points)
    room = 12 + CHARACTER * max(len(line.name) for line in lines) if len(lines) > 1 else 12.0
    over = svg.Scale(first, max(last, first + 1), LEFT + 6, WIDTH - RIGHT - room)
    scale = svg.Scale(rows[0], rows[-1], HEIGHT - BOTTOM, TOP)
    parts = [*_levels(rows, scale, share=False), *_rounds(first, last, over), _foot(across), _unit(up)]
    ends: list[float] = []
    for line in lines:
        drawn = [(over(place), scale(value)) for place, value in line.points]
        parts.append(svg.tag("path", d=svg.path(drawn), class_=f"curve {line.classes}"))
        dots = drawn if len(drawn) <= 40 else [drawn[0], drawn[-1]]
        parts += [svg.tag("circle", cx=x, cy=y, r=2.4, class_=f"dot {line.classes}") for x, y in dots]
        if len(lines) > 1:
            y = _apart(drawn[-1][1], ends)
            parts.append(svg.text(drawn[-1][0] + 8, y + 4, line.name, class_=f"name {line.classes}"))
    return svg.drawing(WIDTH, HEIGHT, parts, class_="plot", label=label)


def _points(points: Sequence[Point], across: svg.Scale, up: svg.Scale) -> Iterator[str]:
    taken = [(across(one.cost) - 6, across(one.cost) + 6, up(one.score.value) + 4) for one in points]
    for one in sorted(points, key=lambda one: (not one.efficient, -one.score.value, one.label)):
        x, y = across(one.cost), up(one.score.value)
        kind = "efficient" if one.efficient else "other"
        low, high = up(one.score.interval.low), up(one.score.interval.high)
        inside = svg.tag("line", x1=x, x2=x, y1=low, y2=high, class_="whisker")
        inside += svg.tag("circle", cx=x, cy=y, r=4.6, class_="at")
        if one.efficient or len(points) <= NAMED:
            inside += _label(one.label, x, y, taken)
        told = f"{one.label}: {100 * one.score.value:.1f} %"
        yield svg.tag("g", svg.link(one.target, told, inside), class_=kind)


def _label(said: str, x: float, y: float, taken: list[tuple[float, float, float]]) -> str:
    """A name beside its point, where no other name stands already; none where there is no room."""
    short = said if len(said) <= 30 else f"{said[:29]}…"
    length = CHARACTER * len(short)
    for left in (False, True):
        start = x - 9 - length if left else x + 9
        for shift in (4.0, -10.0, 18.0):
            place = (start, start + length, y + shift)
            inside = place[0] >= LEFT and place[1] <= WIDTH and TOP - 8 <= place[2] <= HEIGHT - BOTTOM + 2
            clear = all(place[1] < a or place[0] > b or abs(place[2] - other) > 12 for a, b, other in taken)
            if inside and clear:
                taken.append(place)
                return svg.text(x - 9 if left else x + 9, place[2], short, anchor="end" if left else "start")
    return ""


def _apart(y: float, ends: list[float]) -> float:
    while any(abs(y - other) < 14 for other in ends):
        y += 14 if y < HEIGHT / 2 else -14
    ends.append(y)
    return y


def _levels(rows: Sequence[float], up: svg.Scale, *, share: bool = True) -> Iterator[str]:
    for value in rows:
        y = up(value)
        yield svg.tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
        yield svg.text(LEFT - 8, y + 4, f"{100 * value:.3g}" if share else f"{value:.3g}", anchor="end", class_="soft")


def _costs(low: float, high: float, across: svg.Scale) -> Iterator[str]:
    for value in svg.powers(low, high) or [(low * high) ** 0.5]:
        yield from _tick(across(value), f"{value:,.3g}" if value < 1000 else f"{value:,.0f}")


def _rounds(first: float, last: float, over: svg.Scale) -> Iterator[str]:
    step = max(1, round((last - first) / 8))
    for value in range(int(first), int(last) + 1, step):
        yield from _tick(over(value), f"{value}")


def _tick(x: float, said: str) -> Iterator[str]:
    yield svg.tag("line", x1=x, x2=x, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM + 4, class_="tick")
    yield svg.text(x, HEIGHT - BOTTOM + 17, said, anchor="middle", class_="soft")


def _foot(said: str) -> str:
    return svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, said, anchor="middle", class_="soft")


def _unit(said: str) -> str:
    return svg.text(2.0, 11.0, said, class_="soft")
