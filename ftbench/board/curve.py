"""Score against bytes as a picture: one curve an entry, each point with its interval. Plain SVG, written by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftbench.board import budgets
from ftbench.board.model import Board, Estimate, Row, Table
from ftbench.diagnostics import printable

WIDTH, HEIGHT = 720, 360
"""Of one table's picture, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 46, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's, which the colour-blind can tell apart; then from the first on, with another dash."""
DASHES = ("", "6 3", "2 3", "8 3 2 3")
SIZES = 4
"""Ticks of the score's axis."""


@dataclass(frozen=True, slots=True)
class Point:
    """A score and what it cost."""

    mib: float
    score: Estimate


def svg(board: Board) -> str:
    """One picture below another, a table each. Tables without budgets are left out."""
    tables = [table for table in board.tables if budgets.limits(table)]
    parts = [part for number, table in enumerate(tables) for part in _picture(table, number * HEIGHT)]
    height = max(1, len(tables)) * HEIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">'
    )
    empty = [] if tables else [_text(LEFT, TOP, "No table has scores within budgets.")]
    return (
        "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>', *empty, *parts, "</svg>"]) + "\n"
    )


def points(row: Row) -> list[Point]:
    """An entry's curve: each budget at its own size, and the whole run at what it sent, where that is more."""
    found = [Point(one.communication_mib, one.score) for one in row.within]
    sent = (row.bytes_down + row.bytes_up) / 2**20
    return [*found, Point(sent, row.score)] if not found or sent > found[-1].mib else found


def _picture(table: Table, down: int) -> Iterator[str]:
    curves = [points(row) for row in table.rows]
    every = [point for curve in curves for point in curve]
    axis = _Axis(
        [point.mib for point in every],
        min(point.score.interval.low for point in every),
        max(point.score.interval.high for point in every),
    )
    yield f'<g transform="translate(0 {down})">'
    yield _text(LEFT, 20, f"{table.name} {table.version}: score within a budget", bold=True)
    yield from _frame(axis)
    for number, (row, curve) in enumerate(zip(table.rows, curves, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        dash = DASHES[number // len(COLOURS) % len(DASHES)]
        yield from _curve(axis, curve, colour, dash)
        if TOP + 18 * number < HEIGHT - BOTTOM:
            y = TOP + 18 * number
            yield _line(WIDTH - RIGHT + 14, y, WIDTH - RIGHT + 34, y, colour, dash, 2)
            yield _text(WIDTH - RIGHT + 40, y + 4, _short(row.label or ", ".join(row.names)))
    yield "</g>"


class _Axis:
    """From figures to pixels: MiB by their logarithm, scores evenly."""

    def __init__(self, sizes: Sequence[float], low: float, high: float) -> None:
        self.sizes = sorted(set(sizes))
        self.low, self.high = math.floor(low * 20) / 20, math.ceil(high * 20) / 20
        if self.high <= self.low:
            self.low, self.high = max(0.0, self.low - 0.05), min(1.0, self.high + 0.05)

    def x(self, mib: float) -> float:
        first, last = math.log(max(self.sizes[0], 1e-9)), math.log(max(self.sizes[-1], 1e-9))
        share = 0.5 if last <= first else (math.log(max(mib, 1e-9)) - first) / (last - first)
        return LEFT + 10 + share * (WIDTH - LEFT - RIGHT - 20)

    def y(self, score: float) -> float:
        return TOP + (self.high - score) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _frame(axis: _Axis) -> Iterator[str]:
    floor = HEIGHT - BOTTOM
    yield _line(LEFT, floor, WIDTH - RIGHT, floor, "#000000")
    yield _line(LEFT, TOP, LEFT, floor, "#000000")
    for number in range(SIZES + 1):
        score = axis.low + (axis.high - axis.low) * number / SIZES
        yield _line(LEFT, axis.y(score), WIDTH - RIGHT, axis.y(score), "#dddddd")
        yield _text(LEFT - 8, axis.y(score) + 4, f"{100 * score:.1f}", anchor="end")
    shown = -math.inf
    for mib in axis.sizes:
        if axis.x(mib) - shown >= 34:  # so that no label covers another
            shown = axis.x(mib)
            yield _line(shown, floor, shown, floor + 4, "#000000")
            yield _text(shown, floor + 17, f"{mib:.3g}", anchor="middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "MiB sent, both directions (logarithmic)", anchor="middle")
    yield _text(LEFT - 44, TOP - 10, "score, %")


def _curve(axis: _Axis, curve: Sequence[Point], colour: str, dash: str) -> Iterator[str]:
    path = " ".join(f"{axis.x(one.mib):.1f},{axis.y(one.score.value):.1f}" for one in curve)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{_dashed(dash)}/>'
    for one in curve:
        x = axis.x(one.mib)
        yield _line(x, axis.y(one.score.interval.low), x, axis.y(one.score.interval.high), colour)
        yield f'<circle cx="{x:.1f}" cy="{axis.y(one.score.value):.1f}" r="3" fill="{colour}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "", width: int = 1) -> str:  # noqa: PLR0917
    at = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {at} stroke="{colour}" stroke-width="{width}"{_dashed(dash)}/>'


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def _text(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False) -> str:
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{safe}</text>'


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
