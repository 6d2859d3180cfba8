"""What can be had of a source without the network: its rows, and whether its files are those that were locked."""

from __future__ import annotations

from contextlib import suppress

from ftbench import codes
from ftbench.data import sources
from ftbench.data.loaded import Request, describe
from ftbench.data.local import ARCHIVE, beside, changed
from ftbench.data.store import Store
from ftbench.data.table import Row
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, MissingResource
from ftbench.spec.load import LoadedSpec, load_pins
from ftbench.spec.model import FileSource, SitesSource
from ftbench.spec.pins import Pins


def rows_at_hand(loaded: LoadedSpec, key: str, store: Store) -> list[Row]:
    """Built-in data and local files as they are now, else the rows that the pins name, from the store.

    Raises MissingResource (FTB301, FTB326 where nothing is pinned, FTB348), and what reading files raises.
    """
    source, columns = sources.named_sources(loaded.spec)[key]
    planted = sources.planted(loaded.spec, key)
    digest = None
    with suppress(FtbenchError):  # without pins there is nothing to fall back on
        digest = load_pins(loaded.path).sources[key].digest if key in load_pins(loaded.path).sources else None
    if source.kind in sources.OFFLINE:
        try:
            return sources.load(source, columns, Request(beside=beside(loaded)[key], planted=planted)).rows
        except MissingResource as error:
            if error.diagnostics[0].code != codes.NO_FILE or digest is None:
                raise
    if isinstance(source, SitesSource):
        sources.load(source, columns)  # which raises: they are at their sites
    if digest is None:
        message = f"`{key}`: the rows of {describe(source)} have not been loaded yet"
        raise MissingResource(Diagnostic(codes.DATA_UNRESOLVED, message, hint="run: ftbench lock SPEC"))
    return store.rows(digest, describe(source), ARCHIVE if source.kind == "file" else "ftbench data fetch SPEC")


def changed_files(loaded: LoadedSpec, pins: Pins) -> list[Diagnostic]:
    """A warning (FTB312) for each source of which a file is here and is not the one that was locked."""
    found, near = [], beside(loaded)
    for key, (source, _) in sources.named_sources(loaded.spec).items():
        pin = pins.sources.get(key)
        if isinstance(source, FileSource) and pin is not None and (names := changed(source, pin, near[key])):
            message = f"`{key}`: {', '.join(names)} changed since it was locked; the rows that were locked are used"
            hint = "`ftbench lock SPEC` takes the new ones, and makes another benchmark"
            found.append(Diagnostic(codes.FILE_CHANGED, message, hint=hint, severity="warning"))
    return found
