"""Templates and the words they know. Every text from outside is escaped, and its control characters shown."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unicodedata import category

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ftbench import __version__
from ftbench.diagnostics import printable
from ftbench.result.documents import LEVELS, Level
from ftbench.site import bars, figures, links

LADDER = LEVELS[1:]
MEANS: dict[Level, str] = {
    "NONE": "it cannot be read",
    "CLAIMED": "the documents parse, and the scores are attainable",
    "INTACT": "every file is the one in the manifest, none missing, none extra",
    "CONFORMS": "model, choices, clients, bytes and budgets are what the benchmark and the seed imply",
    "RESCORED": "every score was computed again from the answers",
    "SPOT-RUN": "a part of the run was done again by somebody else",
    "REPRODUCED": "the whole run was done again by somebody else",
}
"""What a level says, in half a sentence."""


def html(template: str, here: str, **values: object) -> bytes:
    """The page at `here`. `to` in it names other pages; everything else is what is given."""
    made = environment().get_template(template)
    return made.render(here=here, to=_from(here), version=__version__, **values).encode()


def fragments(template: str, names: tuple[str, str], value: object) -> tuple[Markup, Markup]:
    """What two macros of a template make of a value: parts of pages that stand on several."""
    one, other = (getattr(_module(template), name)(value) for name in names)
    return one, other


@functools.cache
def _module(template: str) -> Any:
    return environment().get_template(template).module


@functools.cache
def environment() -> Environment:
    """Jinja, strict: a name that a template does not know is an error, and no text is taken for HTML."""
    made = Environment(
        loader=PackageLoader("ftbench.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "pct": figures.percent,
        "signed": figures.signed,
        "interval": figures.interval,
        "estimate": figures.estimate,
        "rank": figures.rank,
        "size": _whole(figures.size),
        "parameters": _whole(figures.parameters),
        "seconds": _whole(figures.seconds),
        "p": figures.p_value,
        "seeds": figures.seeds,
        "count": lambda number: f"{number:,}",
        "badge": badge,
        "lines": lines,
        "short": lambda digest: digest[:12],
        "places": bars.places,
    }
    return made


def badge(level: Level) -> Markup:
    """A level in its word, with as many marks filled as there are steps below it."""
    at = LADDER.index(level) + 1 if level in LADDER else 0
    steps = Markup("").join(Markup('<i class="{}"></i>').format("on" if n < at else "off") for n in range(len(LADDER)))
    return Markup('<span class="level" title="{}"><span class="steps" aria-hidden="true">{}</span>{}</span>').format(
        f"{level}: {MEANS[level]}", steps, level
    )


def lines(text: str) -> Markup:
    """Text that may have several lines, for a <pre>: line ends and tabs stay, other control characters are shown."""
    shown = "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))
    return Markup(escape(shown))  # noqa: S704 - escaped


def _whole(words: Callable[[float | None], str]) -> Callable[[float | None], Markup]:
    """A figure and its unit that no line end parts."""
    return lambda value: Markup("&nbsp;").join(words(value).split(" "))


def _finalize(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def visible(text: str) -> str:
    """As `printable`, but that spaces of every width stay, which texts are full of and which turn nothing around."""
    return "".join(c if category(c) == "Zs" else printable(c) for c in text) if printable(text) != text else text


def _from(here: str) -> Callable[[str], str]:
    return lambda there: links.href(here, there)
