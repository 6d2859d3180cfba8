"""Where every page of the site lies, and how one page names another."""

from __future__ import annotations

import posixpath
import re

from ftbench.board.model import BundleRef, Row, Table

OVERVIEW = "index.html"
REFUSED = "refused.html"
RESOURCES = "resources.html"
DECISIONS = "decisions.html"
PUBLISHED = "published.html"
ANALYSIS = "analysis.html"
STYLE = "assets/site.css"
SCRIPT = "assets/site.js"
MANIFEST = "site.json"
DIGITS = 8
"""Of a digest, where it tells folders apart."""


def slug(text: str) -> str:
    """A text as one safe part of a path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:60].strip(".-") or "unnamed"


def folder(table: Table) -> str:
    """A table's folder."""
    division = "-open" if table.division == "open" else ""
    return f"tables/{slug(table.name)}-{slug(table.version)}-{table.spec_hash[:DIGITS]}{division}"


def table(one: Table) -> str:
    """A table's page."""
    return f"{folder(one)}/index.html"


def sheet(one: Table, ending: str) -> str:
    """The table as `csv` or `json`."""
    return f"{folder(one)}/table.{ending}"


def pairs(one: Table) -> str:
    """Who is told apart from whom."""
    return f"{folder(one)}/pairs.html"


def entry_folder(one: Table, row: Row) -> str:
    """The folder of a row's pages."""
    return f"{folder(one)}/entries/{row.entry[:12]}"


def entry(one: Table, row: Row) -> str:
    """A row's own page."""
    return f"{entry_folder(one, row)}/index.html"


def samples(one: Table, row: Row, bundle: BundleRef, task: str, view: str = "all", page: int = 1) -> str:  # noqa: PLR0917
    """A page of one bundle's answers to one task."""
    return f"{entry_folder(one, row)}/s{bundle.seed}-{bundle.bundle[:DIGITS]}/{slug(task)}/{view}-{page}.html"


def compare(one: Table, a: Row, b: Row) -> str:
    """Two rows side by side."""
    return f"{folder(one)}/compare/{a.entry[:DIGITS]}-{b.entry[:DIGITS]}.html"


def anchor(row: Row) -> str:
    """A row's place in its table's page."""
    return f"e-{row.entry[:12]}"


def href(here: str, there: str) -> str:
    """How the page at `here` names the file at `there`."""
    path, _, mark = there.partition("#")
    made = posixpath.relpath(path, posixpath.dirname(here) or ".")
    return f"{made}#{mark}" if mark else made
