"""Pins that belong to the spec: every source pinned from these very inputs, sizes that add up."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.diagnostics import Diagnostic, Place
from ftbench.spec import codes
from ftbench.spec.model import Spec
from ftbench.spec.pins import Pins, SourcePin, partition_inputs, source_inputs

_AGAIN = "run `ftbench lock` on the spec again"


def check_pins(spec: Spec, pins: Pins, place: Place | None = None) -> list[Diagnostic]:
    """Everything that keeps `pins` from being the spec's; `place` is the pins file, where it is known."""
    return [
        Diagnostic(code, message, place, _AGAIN) for code, message in (*_sources(spec, pins), *_partition(spec, pins))
    ]


def inputs(spec: Spec) -> dict[str, str]:
    """Key of each source that a spec names (`train`, `task:NAME`) → digest of what its pin must be made from."""
    named = {"train": source_inputs(spec.data.source, spec.data.columns)}
    return named | {f"task:{task.name}": source_inputs(task.source, task.columns) for task in spec.evaluation.tasks}


def _sources(spec: Spec, pins: Pins) -> Iterator[tuple[str, str]]:
    wanted = inputs(spec)
    for key, digest in wanted.items():
        pin = pins.sources.get(key)
        if pin is None:
            yield codes.PIN_SOURCES, f"the pins lack the source `{key}`"
        elif pin.inputs != digest:
            yield codes.STALE_PINS, f"the pin of `{key}` was made from another `source` or `columns` than the spec's"
    for key in pins.sources:
        if key not in wanted:
            yield codes.PIN_SOURCES, f"the pins hold the source `{key}`, which the spec does not name"


def _partition(spec: Spec, pins: Pins) -> Iterator[tuple[str, str]]:
    partition, clients = pins.partition, spec.federation.clients
    train: SourcePin | None = pins.sources.get("train")
    if train and partition.inputs != partition_inputs(train.digest, spec.federation, spec.seeds.partition):
        yield (
            codes.STALE_PINS,
            "the pinned partition was made from other rows, clients, partition or seed than the spec's",
        )
    if len(partition.sizes) != clients or len(partition.digests) != clients:
        message = f"{len(partition.sizes)} sizes and {len(partition.digests)} digests are pinned for {clients} clients"
        yield codes.PIN_SIZES, message
    if train and sum(partition.sizes) != train.rows:
        yield codes.PIN_SIZES, f"the partition holds {sum(partition.sizes)} rows of the {train.rows} that are pinned"
    if any(size < 1 for size in partition.sizes):
        number = next(i for i, size in enumerate(partition.sizes) if size < 1)
        yield codes.PIN_SIZES, f"client {number} has no rows: there are more clients than rows to go round"
