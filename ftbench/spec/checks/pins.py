"""Pins that belong to the spec: every source pinned from these very inputs, sizes that add up.

A draft may hold pins that are not resolved yet: that is a warning. Whatever is published is resolved.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.spec.model import BuiltinSource, FileSource, HubSource, SitesSource, Spec
from ftbench.spec.pins import PartitionPin, Pins, partition_inputs, source_inputs
from ftbench.spec.planted import planted
from ftbench.spec.sources import AnySource, CanarySource

_AGAIN = "run `ftbench lock` on the spec again"
_ONLINE = "run `ftbench lock` on the spec, online: it asks the hub once and writes what it finds"
_AT_SITES = "each site runs `ftbench site-kit join`; with what they hand out: `ftbench site-kit open`"
_HERE = "run `ftbench lock` on the spec: it reads the files and writes their digests"


def check_pins(spec: Spec, pins: Pins, place: Place | None = None) -> list[Diagnostic]:
    """Everything that keeps `pins` from being the spec's; `place` is the pins file, where it is known.

    Pins of a draft that are not resolved yet come as one warning, those of a published spec as an error.
    """
    wrong = [*_sources(spec, pins), *_partition(spec, pins)]
    found = [Diagnostic(code, message, place, _AGAIN) for code, message in wrong]
    return [*found, *unresolved(spec, pins, place)]


def unresolved(spec: Spec, pins: Pins, place: Place | None = None) -> list[Diagnostic]:
    """What still has to be resolved, as one diagnostic; none where all of it is."""
    if pins.resolved:
        return []
    open_ = [f"`{key}`" for key, pin in sorted(pins.sources.items()) if pin.digest is None]
    if pins.partition is None:
        open_.append("the partition")
    message = f"not resolved yet: {', '.join(open_)}; the benchmark compiles as a draft and cannot be run"
    named = sources(spec)
    local = not any(
        isinstance(named[key], HubSource) for key, pin in pins.sources.items() if not pin.digest and key in named
    )
    how = _HERE if local else _ONLINE
    if local and open_[0] == "`train`" and isinstance(spec.data.source, SitesSource):
        how = _AT_SITES
    if spec.metadata.status == "published":
        return [Diagnostic(codes.UNRESOLVED, f"a published spec has pins that are {message}", place, how)]
    return [Diagnostic(codes.UNRESOLVED, message, place, how, "warning")]


def sources(spec: Spec) -> dict[str, AnySource]:
    """Key of each source that a spec names → the source."""
    tasks: dict[str, AnySource] = {f"task:{task.name}": task.source for task in spec.evaluation.tasks}
    return {"train": spec.data.source, **tasks}


def inputs(spec: Spec) -> dict[str, str]:
    """Key of each source that a spec names (`train`, `task:NAME`) → digest of what its pin must be made from."""
    named = {"train": source_inputs(spec.data.source, spec.data.columns, planted(spec))}
    return named | {f"task:{task.name}": source_inputs(task.source, task.columns) for task in spec.evaluation.tasks}


def _sources(spec: Spec, pins: Pins) -> Iterator[tuple[str, str]]:
    wanted, named = inputs(spec), sources(spec)
    extra = {"train": len(planted(spec))}
    for key, digest in wanted.items():
        pin, source = pins.sources.get(key), named[key]
        if pin is None:
            yield codes.PIN_SOURCES, f"the pins lack the source `{key}`"
        elif pin.inputs != digest:
            yield codes.STALE_PINS, f"the pin of `{key}` was made from another `source` or `columns` than the spec's"
        elif (pin.digest is None) != (pin.rows is None):
            yield codes.PIN_SIZES, f"the pin of `{key}` has a digest or a number of rows, but not both"
        elif isinstance(source, HubSource) and pin.digest and pin.revision is None:
            yield codes.BAD_PINS, f"the pin of `{key}` has a digest, but no commit"
        elif isinstance(source, HubSource) and source.revision and pin.revision != source.revision:
            yield codes.STALE_PINS, f"the pin of `{key}` is of another commit than the spec's"
        elif isinstance(source, FileSource) and pin.files is not None and not source.names(pin.files):
            yield codes.STALE_PINS, f"the pin of `{key}` was made from other files than the spec names"
        elif (
            not isinstance(source, BuiltinSource | SitesSource | CanarySource)
            and source.rows
            and pin.rows not in (None, source.rows + extra.get(key, 0))
        ):
            yield codes.PIN_SIZES, f"the pin of `{key}` has {pin.rows} rows, and the spec says {source.rows}"
    for key in pins.sources:
        if key not in wanted:
            yield codes.PIN_SOURCES, f"the pins hold the source `{key}`, which the spec does not name"


def _partition(spec: Spec, pins: Pins) -> Iterator[tuple[str, str]]:
    train = pins.sources.get("train")
    if pins.partition is None:
        return
    if train and (train.digest is None or train.rows is None):
        yield codes.PIN_SIZES, "a partition is pinned of training rows that are not resolved"
        return
    yield from _cut(spec, pins.partition)
    made_from = train and partition_inputs(
        str(train.digest), spec.federation, spec.seeds.partition, spec.data.validation
    )
    if train and pins.partition.inputs != made_from:
        message = (
            "the pinned partition was made from other rows, clients, partition, seed or validation than the spec's"
        )
        yield codes.STALE_PINS, message
    yield from _sizes(pins.partition, spec.federation.clients, train.rows if train else None)


def _cut(spec: Spec, partition: PartitionPin) -> Iterator[tuple[str, str]]:
    asked = spec.data.validation is not None
    if asked != (partition.validation is not None) or asked != (partition.validation_rows > 0):
        yield codes.PIN_SIZES, "the pins and the spec do not agree whether rows are set aside for validation"


def _sizes(partition: PartitionPin, clients: int, rows: int | None) -> Iterator[tuple[str, str]]:
    if len(partition.sizes) != clients or len(partition.digests) != clients:
        message = f"{len(partition.sizes)} sizes and {len(partition.digests)} digests are pinned for {clients} clients"
        yield codes.PIN_SIZES, message
    held = sum(partition.sizes) + partition.validation_rows
    if rows is not None and held != rows:
        yield codes.PIN_SIZES, f"partition and validation cut hold {held} rows of the {rows} that are pinned"
    if any(size < 1 for size in partition.sizes):
        number = next(i for i, size in enumerate(partition.sizes) if size < 1)
        yield codes.PIN_SIZES, f"client {number} has no rows: there are more clients than rows to go round"
