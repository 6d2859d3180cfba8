"""`ftbench lock`: from the data that a spec names to pins, and the check that they still hold."""

from __future__ import annotations

from pathlib import Path

from ftbench.data import codes, digests, partition, sources
from ftbench.data.files import write_atomic
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.spec.canonical import pretty, sha256
from ftbench.spec.model import Source, Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs

TRAIN = "train"
"""Key of the training rows in the pins; a task's is `task:NAME`."""


def named_sources(spec: Spec) -> dict[str, tuple[Source, dict[str, str]]]:
    """Every source of a spec with its columns, by its key in the pins."""
    tasks = {f"task:{task.name}": (task.source, task.columns) for task in spec.evaluation.tasks}
    return {TRAIN: (spec.data.source, spec.data.columns), **tasks}


def lock(spec: Spec, store: Store) -> Pins:
    """Load all data, keep rows and partition in the store, return their pins: the same ones wherever it is done.

    Raises InvalidInput (FTB304 to FTB308) for a source that can't be loaded, MissingResource (FTB310) for a store that
    can't be written to.
    """
    pins = {}
    for key, (source, columns) in named_sources(spec).items():
        loaded = sources.load(source, columns)
        pins[key] = SourcePin(
            inputs=source_inputs(source, columns),
            digest=store.put_rows(loaded.rows),
            rows=len(loaded.rows),
            licence=loaded.licence,
        )
    return Pins(sources=pins, partition=_partition(spec, pins[TRAIN], store))


def _partition(spec: Spec, train: SourcePin, store: Store) -> PartitionPin:
    federation, seed = spec.federation, spec.seeds.partition
    shares = partition.deal(train.rows, federation.clients, federation.partition, seed)
    return PartitionPin(
        inputs=partition_inputs(train.digest, federation, seed),
        digest=store.put_partition(shares),
        sizes=[len(share) for share in shares],
        digests=digests.share_digests(store.rows(train.digest), shares),
    )


def check(spec: Spec, pins: Pins, store: Store) -> list[Diagnostic]:
    """What no longer holds of `pins`. Needs no network and writes nothing.

    A source that can be made again here is made again; of another kind the rows in the store are taken, and if they
    are not there a warning (FTB325) says that nothing was compared.
    """
    named = named_sources(spec)
    found = [
        _problem(codes.PIN_SET, f"the pins hold `{key}`, which the spec does not have", "run: ftbench lock SPEC")
        for key in pins.sources
        if key not in named
    ]
    for key, (source, columns) in named.items():
        if key not in pins.sources:
            found.append(_problem(codes.PIN_SET, f"the pins lack `{key}`", "run: ftbench lock SPEC"))
        else:
            found += _check_source(key, source, columns, pins.sources[key], store)
    if TRAIN in pins.sources:
        found += _check_partition(spec, pins, store)
    return found


def _check_source(key: str, source: Source, columns: dict[str, str], pin: SourcePin, store: Store) -> list[Diagnostic]:
    if pin.inputs != source_inputs(source, columns):
        message = f"the pin of `{key}` was made from another source or other columns"
        return [_problem(codes.STALE_SOURCE, message, "run: ftbench lock SPEC")]
    if source.kind not in sources.OFFLINE:
        try:
            rows, licence = store.rows(pin.digest, sources.describe(source)), pin.licence
        except MissingResource as error:
            return [Diagnostic(codes.NOT_COMPARED, d.message, d.place, d.hint, "warning") for d in error.diagnostics]
    else:
        loaded = sources.load(source, columns)
        rows, licence = loaded.rows, loaded.licence
    actual = SourcePin(
        inputs=pin.inputs,
        digest=sha256(digests.rows_bytes(rows)),
        rows=len(rows),
        licence=licence,
    )
    return _drift(codes.DRIFTED_SOURCE, f"`{key}`", pin, actual)


def _check_partition(spec: Spec, pins: Pins, store: Store) -> list[Diagnostic]:
    train, pin = pins.sources[TRAIN], pins.partition
    federation, seed = spec.federation, spec.seeds.partition
    if pin.inputs != partition_inputs(train.digest, federation, seed):
        message = "the partition's pin was made from other rows, clients, partition or seed"
        return [_problem(codes.STALE_PARTITION, message, "run: ftbench lock SPEC")]
    shares = partition.deal(train.rows, federation.clients, federation.partition, seed)
    data = digests.partition_bytes(shares)
    if sha256(data) != pin.digest:
        message = f"the partition comes out as {sha256(data)}, pinned is {pin.digest}"
        return [_problem(codes.DRIFTED_PARTITION, message, "a changed partition makes another benchmark")]
    sizes = [len(share) for share in shares]
    if sizes != pin.sizes:
        return [_problem(codes.DRIFTED_PARTITION, f"clients hold {sizes} rows, pinned are {pin.sizes}", "")]
    if spec.data.source.kind in sources.OFFLINE:
        rows = sources.load(spec.data.source, spec.data.columns).rows
    else:
        try:
            rows = store.rows(train.digest, sources.describe(spec.data.source))
        except MissingResource:
            return []  # said already for the source itself
    if len(rows) == train.rows and digests.share_digests(rows, shares) != pin.digests:
        return [_problem(codes.DRIFTED_PARTITION, "some client's rows have another digest than pinned", "")]
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


def write_pins(path: Path, pins: Pins) -> None:
    """Write `specs/<name>.pins.json` anew, atomically."""
    write_atomic(path, pretty(pins.model_dump(mode="json")))
