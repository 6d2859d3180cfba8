"""What no longer holds of the pins. Offline, and writes nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

from ftbench import codes
from ftbench.data import digests, fitness, local, partition, sources
from ftbench.data.loaded import Beside, Request, describe
from ftbench.data.partitions.sites import shares
from ftbench.data.pinning import Near
from ftbench.data.sources import TRAIN, named_sources
from ftbench.data.store import Store
from ftbench.data.table import Row
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import sha256
from ftbench.spec.model import FileSource, SitesSource, Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs
from ftbench.spec.sources import AnySource, Columns

AGAIN = "run: ftbench lock SPEC"


def confirm_pins(spec: Spec, pins: Pins, store: Store, near: Near | None = None) -> list[Diagnostic]:
    """Every way in which `pins` are not the spec's.

    A source that can be made again here is made again; of another kind the rows in the store are taken, and if they
    are not there a warning (FTB325) says that nothing was compared. Of a draft, what is not resolved yet is a warning
    (FTB326); of a published spec an error. `near`: where local files lie; if they do not, the
    store's rows are taken.
    """
    named = named_sources(spec)
    found = [
        _problem(codes.PIN_SET, f"the pins hold `{key}`, which the spec does not have", AGAIN)
        for key in pins.sources
        if key not in named
    ]
    for key in named:
        if key not in pins.sources:
            found.append(_problem(codes.PIN_SET, f"the pins lack `{key}`", AGAIN))
        else:
            found += _check_source(spec, key, pins.sources[key], store, (near or {}).get(key))
    if TRAIN in pins.sources:
        found += _check_partition(spec, pins, store, near or {})
    if not pins.resolved:
        found.append(_unresolved(spec, pins))
    return found


def _unresolved(spec: Spec, pins: Pins) -> Diagnostic:
    waiting = [key for key, pin in pins.sources.items() if pin.digest is None]
    if pins.partition is None:
        waiting.append("partition")
    message = f"not resolved yet: {', '.join(waiting)}; until then the benchmark compiles as a draft and cannot be run"
    draft = spec.metadata.status == "draft"
    hint = "with a connection to the hub, run: ftbench lock SPEC"
    return Diagnostic(codes.DATA_UNRESOLVED, message, hint=hint, severity="warning" if draft else "error")


def _check_source(spec: Spec, key: str, pin: SourcePin, store: Store, beside: Beside | None) -> list[Diagnostic]:
    source, columns = named_sources(spec)[key]
    planted = sources.planted(spec, key)
    if pin.inputs != source_inputs(source, columns, planted):
        message = f"the pin of `{key}` was made from another source or other columns"
        return [_problem(codes.STALE_SOURCE, message, AGAIN)]
    wanted = getattr(source, "revision", None)
    if wanted is not None and pin.revision != wanted:
        message = f"`{key}`: pinned is commit {pin.revision}, the spec says {wanted}"
        return [_problem(codes.STALE_SOURCE, message, AGAIN)]
    if isinstance(source, FileSource) and pin.files is not None and not source.names(pin.files):
        message = f"`{key}` was pinned from {', '.join(pin.files)}, the spec names {', '.join(source.files)}"
        return [_problem(codes.STALE_SOURCE, message, AGAIN)]
    if pin.digest is None or isinstance(source, SitesSource):
        return []
    try:
        rows, found = _rows(source, columns, pin, store, Request(beside=beside, planted=planted))
    except MissingResource as error:
        if error.diagnostics[0].code not in (codes.MISSING_DATA, codes.CORRUPT):
            raise
        return [Diagnostic(codes.NOT_COMPARED, d.message, d.place, d.hint, "warning") for d in error.diagnostics]
    actual = pin.model_copy(update={"digest": digests.rows_digest(rows), "rows": len(rows), **found})
    unfit, _ = fitness.place_problems(fitness.look(spec, key, rows))
    return _drift(codes.DRIFTED_SOURCE, f"`{key}`", pin, actual) + unfit


def _rows(
    source: AnySource, columns: Columns, pin: SourcePin, store: Store, request: Request
) -> tuple[list[Row], dict[str, Any]]:
    """The rows as they are now, and what else of the pin they say; from the store where they can't be made here."""
    if source.kind in sources.OFFLINE:
        try:
            loaded = sources.load(source, columns, request)
            return loaded.rows, {"licence": loaded.licence}
        except MissingResource as error:
            if error.diagnostics[0].code != codes.NO_FILE:
                raise
    return store.rows(str(pin.digest), describe(source, pin.revision), local.ARCHIVE), {}


def _check_partition(  # noqa: PLR0911 - one return for each finding
    spec: Spec, pins: Pins, store: Store, near: Near
) -> list[Diagnostic]:
    train, pin = pins.sources[TRAIN], pins.partition
    if train.digest is None or train.rows is None:
        if pin is None:
            return []
        return [_problem(codes.STALE_PARTITION, "a partition is pinned, but the training rows are not", AGAIN)]
    if pin is None:
        return []  # said of the pins as a whole
    if pin.inputs != partition_inputs(train.digest, spec.federation, spec.seeds.partition, spec.data.validation):
        message = "the partition's pin was made from other rows, clients, partition, validation cut or seed"
        return [_problem(codes.STALE_PARTITION, message, AGAIN)]

    if isinstance(spec.data.source, SitesSource):
        return _compare(partition.Dealt(None, shares(pin.sizes)), pin)

    @cache
    def rows() -> list[dict[str, Any]]:
        request = Request(beside=near.get(TRAIN), planted=sources.planted(spec, TRAIN))
        return _rows(spec.data.source, spec.data.columns, train, store, request)[0]

    try:
        dealt = partition.deal_rows(train.rows, spec, rows)
        if found := _compare(dealt, pin):
            return found
        same = len(rows()) != train.rows or digests.share_digests(rows(), dealt.shares) == pin.digests
    except MissingResource:
        return []  # said already for the source itself
    except InvalidInput as error:
        return error.diagnostics
    return [] if same else [_problem(codes.DRIFTED_PARTITION, "some client's rows have another digest than pinned", "")]


def _compare(dealt: partition.Dealt, pin: PartitionPin) -> list[Diagnostic]:
    """Partition and validation cut as they come out now, against what is pinned."""
    shares = sha256(digests.partition_bytes(dealt.shares))
    if shares != pin.digest:
        message = f"the partition comes out as {shares}, pinned is {pin.digest}"
        return [_problem(codes.DRIFTED_PARTITION, message, "a changed partition makes another benchmark")]
    sizes = [len(share) for share in dealt.shares]
    if sizes != pin.sizes:
        return [_problem(codes.DRIFTED_PARTITION, f"clients hold {sizes} rows, pinned are {pin.sizes}", "")]
    cut = None if dealt.validation is None else sha256(digests.partition_bytes([dealt.validation]))
    if cut != pin.validation or len(dealt.validation or ()) != pin.validation_rows:
        message = f"the validation cut comes out as {cut}, pinned is {pin.validation}"
        return [_problem(codes.DRIFTED_PARTITION, message, "a changed cut makes another benchmark")]
    return []


def _drift(code: str, what: str, pin: SourcePin, actual: SourcePin) -> list[Diagnostic]:
    pinned, now = pin.model_dump(), actual.model_dump()
    return [
        _problem(
            code, f"{what}: {field} is {now[field]}, pinned is {pinned[field]}", "changed data makes another benchmark"
        )
        for field in pinned
        if pinned[field] != now[field]
    ]


def _problem(code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code, message, hint=hint)
