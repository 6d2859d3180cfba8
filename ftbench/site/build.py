"""The whole site: every page with its path, one after the other, and the folder that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import resources as package
from pathlib import Path

from ftbench import codes
from ftbench.atomic import fresh_folder
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.site import analysis, compare, entry, links, overview, published, refused, resources, table
from ftbench.site.context import Context

FORMAT = "ftbench/site/v1"


def pages(context: Context) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every file but the list of them; one bundle's answers are in memory at a time."""
    for name in (links.STYLE, links.SCRIPT):
        yield name, (package.files("ftbench.site") / name).read_bytes()
    yield links.OVERVIEW, overview.page(context)
    yield links.REFUSED, refused.page(context)
    yield links.RESOURCES, resources.page(context)
    if context.analysis is not None:
        yield links.ANALYSIS, analysis.page(context, context.analysis)
    if context.published:
        yield links.PUBLISHED, published.page(context)
    for one in context.board.tables:
        yield from table.pages(context, one)
        for row in one.rows:
            yield from entry.pages(context, one, row)
        yield from compare.pages(context, one)


def write(context: Context, out: Path, tell: Callable[[str], None] = lambda path: None) -> tuple[int, int]:
    """Put the site in the place of an older one at `out`; how many files it has, and how many bytes.

    `site.json` lists every file with its digest. Raises InvalidInput (FTB712) where something else stands at `out`.
    """
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    digests, size = {}, 0
    with fresh_folder(out) as folder:
        for path, data in pages(context):
            if path.endswith("/index.html"):
                tell(path)
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            digests[path] = sha256(data).hexdigest()
            size += len(data)
        listed = {"format": FORMAT, "files": dict(sorted(digests.items()))}
        whole = (json.dumps(listed, indent=1) + "\n").encode()
        (folder / links.MANIFEST).write_bytes(whole)
    return len(digests) + 1, size + len(whole)


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
