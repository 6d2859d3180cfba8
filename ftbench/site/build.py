"""The whole site: every page with its path, and the folder that holds them, written by several processes."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import resources as package
from pathlib import Path

from ftbench import codes, parallel
from ftbench.atomic import fresh_folder
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.site import analysis, compare, decisions, entry, links, overview, published, refused, resources, table
from ftbench.site.context import Context

FORMAT = "ftbench/site/v1"
COMPARED = 50
"""Comparisons that are made at a time."""


Pages = Iterator[tuple[str, bytes]]
"""Paths and bytes."""


def pages(context: Context) -> Pages:
    """Path and bytes of every file but the list of them; one bundle's answers are in memory at a time."""
    for _, part in parts(context):
        yield from part()


def parts(context: Context) -> Iterator[tuple[str, Callable[[], Pages]]]:
    """The same in parts that need nothing of one another, each with the path that it is known by."""
    yield links.OVERVIEW, lambda: _top(context)
    for one in context.board.tables:
        yield links.table(one), functools.partial(table.pages, context, one)
        for row in one.rows:
            yield links.entry(one, row), functools.partial(entry.pages, context, one, row)
        pairs = compare.shown(one)
        for start in range(0, len(pairs), COMPARED):
            part = pairs[start : start + COMPARED]
            yield links.compare(one, *part[0]), functools.partial(compare.pages, context, one, part)


def _top(context: Context) -> Pages:
    for name in (links.STYLE, links.SCRIPT):
        yield name, (package.files("ftbench.site") / name).read_bytes()
    yield links.OVERVIEW, overview.page(context)
    yield links.REFUSED, refused.page(context)
    yield links.RESOURCES, resources.page(context)
    if context.analysis is not None:
        yield links.ANALYSIS, analysis.page(context, context.analysis)
    if context.decisions:
        yield links.DECISIONS, decisions.page(context)
    if context.published:
        yield links.PUBLISHED, published.page(context)


def write(context: Context, out: Path, tell: Callable[[str], None] = lambda path: None) -> tuple[int, int]:
    """Put the site in the place of an older one at `out`; how many files it has, and how many bytes.

    `site.json` lists every file with its digest. Raises InvalidInput (FTB712) where something else stands at `out`.
    """
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    digests: dict[str, str] = {}
    size = 0
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(fresh_folder(out))
        written = parallel.each(
            lambda part: _written(folder, part[1]()), list(parts(context)), lambda part: tell(part[0])
        )
        stack.callback(written.close)  # before the folder goes: nobody writes into it then
        for made in written:
            digests |= {path: digest for path, digest, _ in made}
            size += sum(count for _, _, count in made)
        listed = {"format": FORMAT, "files": dict(sorted(digests.items()))}
        whole = (json.dumps(listed, indent=1) + "\n").encode()
        (folder / links.MANIFEST).write_bytes(whole)
    return len(digests) + 1, size + len(whole)


def _written(folder: Path, pages: Pages) -> list[tuple[str, str, int]]:
    """Write pages as they come; path, digest and bytes of each."""
    found = []
    for path, data in pages:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        found.append((path, sha256(data).hexdigest(), len(data)))
    return found


def check_target(out: Path) -> None:
    """Raises InvalidInput (FTB712) unless `out` is a site, an empty folder or nothing yet: it will be replaced."""
    if not out.exists() and not out.is_symlink():
        return
    try:
        ours = json.loads((out / links.MANIFEST).read_bytes())["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        ours = out.is_dir() and not out.is_symlink() and not any(out.iterdir())
    if not ours or out.is_symlink():
        hint = "name a folder that is not there yet, or one that `ftbench site build` made"
        raise InvalidInput(Diagnostic(codes.NOT_A_SITE, "what stands there is not a site", Place(str(out)), hint))
