"""Drawings as SVG. Colours are classes of the style sheet, so that a drawing is right on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

from ftbench.diagnostics import printable

SERIES = 8
"""Classes `s0` to `s7` of the style sheet; after them they begin again, with another dash."""


@dataclass(frozen=True)
class Scale:
    """From a figure to a place between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place; the nearer end for what lies outside."""
        share = (self._told(value) - self._told(self.low)) / ((self._told(self.high) - self._told(self.low)) or 1.0)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def _told(self, value: float) -> float:
        return math.log(max(value, 1e-12)) if self.logarithmic else value


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round figures from below `low` to above `high`."""
    span = high - low or abs(high) or 1.0
    rough = span / max(wanted - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 12) for number in range(first, max(last, first + 1) + 1)]


def around(figures: Iterable[float], wanted: int = 5, least: float = 0.0, most: float = 1.0) -> list[float]:
    """Ticks of an axis that holds every figure, none below `least` or above `most`."""
    told = list(figures)
    low, high = (min(told), max(told)) if told else (least, most)
    return [tick for tick in ticks(low, high, wanted) if least - 1e-9 <= tick <= most + 1e-9]


def powers(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: 1, 2 and 5 times a power of ten, only powers where those are many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    fine = [f * 10.0**p for p in range(first, last + 1) for f in (1, 2, 5)]
    kept = [one for one in fine if low / 1.001 <= one <= high * 1.001]
    if len(kept) < 3:
        return [one for one in ticks(low, high, 4) if low <= one <= high]
    return kept if len(kept) <= 6 else [one for one in kept if f"{one:e}"[0] == "1"]


def tag(name: str, content: str = "", /, **attributes: object) -> str:
    """An element; a `_` in an attribute's name stands for a hyphen, one at its end is dropped."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{told}>{content}</{name}>" if content else f"<{name}{told}/>"


def text(
    x: float, y: float, said: str, *, anchor: Literal["start", "middle", "end"] = "start", class_: str = ""
) -> str:
    """Words. What comes from outside is escaped here."""
    return tag("text", str(escape(printable(said))), x=x, y=y, text_anchor=anchor, class_=class_ or None)


def drawing(
    width: float, height: float, parts: Iterable[str], *, class_: str, label: str = "", stretch: bool = False
) -> Markup:
    """A whole picture; without a label it says nothing that the page does not say beside it."""
    about: dict[str, object] = {"role": "group", "aria_label": printable(label)} if label else {"aria_hidden": "true"}
    head: dict[str, object] = {
        "viewBox": f"0 0 {_number(width)} {_number(height)}",
        "width": width,
        "height": height,
        "class_": class_,
    }
    if stretch:
        head["preserveAspectRatio"] = "none"
    return Markup(tag("svg", "".join(parts), **head, **about))  # noqa: S704 - built from escaped parts


def link(target: str, label: str, content: str) -> str:
    """A part of a picture that leads somewhere."""
    return tag("a", tag("title", str(escape(printable(label)))) + content, href=target, aria_label=printable(label))


def path(points: Sequence[tuple[float, float]], *, step: bool = False) -> str:
    """The `d` of a line through points; with `step` level up to each next one."""
    return " ".join(_moves(points, step=step))


def _moves(points: Sequence[tuple[float, float]], *, step: bool) -> Iterator[str]:
    for number, (x, y) in enumerate(points):
        if number and step:
            yield f"H{_number(x)}"
            yield f"V{_number(y)}"
        else:
            yield f"{'L' if number else 'M'}{_number(x)} {_number(y)}"


def series(number: int) -> str:
    """The classes of the line of this number."""
    return f"s{number % SERIES}" + (" dashed" if number // SERIES % 2 else "")


def _number(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value
