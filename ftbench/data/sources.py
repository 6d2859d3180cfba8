"""From a spec's `source` and `columns` to rows in our columns: one loader for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftbench import codes
from ftbench.data import builtin, local
from ftbench.data import columns as values
from ftbench.data.loaded import Loaded, Request, describe
from ftbench.data.table import Table
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec import canaries
from ftbench.spec.model import BuiltinSource, FileSource, HubSource, Spec
from ftbench.spec.planted import planted as canaries_of
from ftbench.spec.sources import AnySource, CanarySource, Columns, SitesSource, TypedColumn, source_column

TRAIN = "train"
"""Key of the training rows in the pins; a task's is `task:NAME`."""


def _builtin(source: BuiltinSource, request: Request) -> Loaded:
    return Loaded(Table.unplaced(builtin.rows(source.name, source.split)), builtin.data_set(source.name).licence)


def _hub(source: HubSource, request: Request) -> Loaded:
    from ftbench.data.hub_source import load as load_from_hub

    if request.hub is None:
        raise ValueError("a source of the hub was to be loaded offline")
    return load_from_hub(source, request.hub(), request.revision)


def _file(source: FileSource, request: Request) -> Loaded:
    if request.beside is None:
        raise ValueError("local files were to be loaded without knowing where their paths begin")
    return local.load(source, request.beside)


def _canaries(source: CanarySource, request: Request) -> Loaded:
    return Loaded(Table.unplaced(canaries.items(source)), "CC0-1.0")


def _sites(source: SitesSource, request: Request) -> Loaded:
    message = f"the training rows are at their {len(source.sites)} sites, and this needs them in one place"
    hint = "what is known of them here are counts and digests: `ftbench lock SPEC` shows them"
    raise MissingResource(Diagnostic(codes.SITE_ROWS, message, hint=hint))


LOADERS: dict[str, Callable[[Any, Request], Loaded]] = {
    "builtin": _builtin,
    "hub": _hub,
    "file": _file,
    "canaries": _canaries,
    "sites": _sites,
}
"""`source.kind` → what loads it, with the source's own columns."""

OFFLINE = frozenset({"builtin", "file", "canaries"})
"""Kinds whose rows can be had again without the network."""


def load(source: AnySource, columns: Columns, request: Request | None = None) -> Loaded:
    """Rows of `source`, in its order, with our columns only, each column of one type; after them what is planted.

    Raises InvalidInput: FTB304 to FTB306; FTB307, FTB338, FTB339 for a value that its column cannot hold; and what
    `ftbench.data.hub_source.load` and `ftbench.data.local.load` raise.
    """
    request = request or Request()
    loaded = LOADERS[source.kind](source, request)
    table = _mapped(loaded.table, columns, describe(source))
    types = {ours: one.type for ours, one in columns.items() if isinstance(one, TypedColumn)}
    names = {ours: source_column(one) for ours, one in columns.items()}
    table = values.typed(table, types, names)
    values.check(table, names)
    return replace(loaded, table=_with_planted(table, request.planted))


def planted(spec: Spec, key: str) -> list[dict[str, str]]:
    """What is planted among the rows of the source with that key: canaries among the training rows."""
    return canaries_of(spec) if key == TRAIN else []


def _with_planted(table: Table, planted: Sequence[Mapping[str, str]]) -> Table:
    """A planted row is the first row but for the columns that templates name; a whole number stays one."""
    if not planted or not table.rows:
        return table
    like = table.rows[0]
    rows = [
        {**like, **{name: int(value) if isinstance(like[name], int) else value for name, value in one.items()}}
        for one in planted
    ]
    return Table([*table.rows, *rows], [])


def named_sources(spec: Spec) -> dict[str, tuple[AnySource, Columns]]:
    """Every source of a spec with its columns, by its key in the pins."""
    tasks: dict[str, tuple[AnySource, Columns]] = {
        f"task:{task.name}": (task.source, task.columns) for task in spec.evaluation.tasks
    }
    return {TRAIN: (spec.data.source, spec.data.columns), **tasks}


def _mapped(table: Table, columns: Columns, what: str) -> Table:
    """Our columns of every row. Raises InvalidInput (FTB306), with the file where one row has not what others have."""
    wanted = {ours: source_column(theirs) for ours, theirs in columns.items()}
    rows = []
    for number, row in enumerate(table.rows):
        try:
            rows.append({ours: row[theirs] for ours, theirs in wanted.items()})
        except KeyError as error:
            unknown, spot = error.args[0], table.spot(number)
            hint = did_you_mean(unknown, row) or f"it has: {', '.join(row)}"
            place = spot.place if spot else None
            message = f"{what} has no column `{unknown}`"
            raise InvalidInput(Diagnostic(codes.UNKNOWN_COLUMN, message, place, hint)) from error
    return Table(rows, table.spots)
