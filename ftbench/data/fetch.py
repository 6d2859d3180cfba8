"""`ftbench data fetch`: what a spec's pins name, into the store. What comes otherwise than pinned is thrown away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ftbench import codes
from ftbench.data import digests, partition
from ftbench.data.hub import Hub
from ftbench.data.loaded import Request, describe
from ftbench.data.partitions.sites import shares as shares_of
from ftbench.data.pinning import Near, ensure
from ftbench.data.sources import TRAIN, named_sources, planted
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import sha256
from ftbench.spec.model import SitesSource, Spec
from ftbench.spec.pins import Pins


@dataclass(frozen=True, slots=True)
class FetchedRows:
    """One pinned thing that is now in the store."""

    key: str
    """`train`, `task:NAME`, `partition` or `validation`."""
    digest: str
    rows: int | None
    licence: str | None
    revision: str | None
    new: bool
    """Whether it was not there before."""


def fetch(
    spec: Spec, pins: Pins, store: Store, hub: Callable[[], Hub] | None = None, *, near: Near | None = None
) -> list[FetchedRows]:
    """Have every row and partition that `pins` name in the store.

    Pins must belong to the spec (`ftbench.spec.checks.check_pins`). Raises MissingResource: FTB326 for pins that are
    not resolved, FTB327 for a source that gives other rows than pinned; and what the hub brings (FTB34x). `near`: where
    local files lie; FTB330 where they do not.
    """
    waiting = [key for key, pin in pins.sources.items() if pin.digest is None]
    if waiting or pins.partition is None:
        message = f"the pins do not say what to fetch yet: {', '.join(waiting) or 'the partition'} is not resolved"
        raise MissingResource(Diagnostic(codes.DATA_UNRESOLVED, message, hint="run: ftbench lock SPEC"))
    connect = hub or (lambda: Hub(store.scratch()))
    found = []
    for key, (source, columns) in named_sources(spec).items():
        pin = pins.sources[key]
        assert pin.digest is not None
        if isinstance(source, SitesSource):
            continue  # they stay where they are
        request = Request(connect, beside=(near or {}).get(key), planted=planted(spec, key))
        new = ensure(key, source=source, columns=columns, pin=pin, store=store, request=request)
        found.append(FetchedRows(key, pin.digest, pin.rows, pin.licence, pin.revision, new))
    return [*found, *_partitions(spec, pins, store)]


def _partitions(spec: Spec, pins: Pins, store: Store) -> list[FetchedRows]:
    """The partition and the validation cut: dealt again here, never downloaded."""
    train, pin = pins.sources[TRAIN], pins.partition
    assert train.rows is not None and pin is not None
    if isinstance(spec.data.source, SitesSource):
        dealt = partition.Dealt(None, shares_of(pin.sizes))
    else:
        dealt = partition.deal_rows(train.rows, spec, lambda: store.rows(str(train.digest)))
    wanted = [("partition", pin.digest, dealt.shares)]
    if dealt.validation is not None:
        wanted.append(("validation", pin.validation or "", [dealt.validation]))
    found = []
    for key, digest, shares in wanted:
        if sha256(digests.partition_bytes(shares)) != digest:
            message = f"the {key} comes out otherwise than was pinned ({describe(spec.data.source, train.revision)})"
            raise InvalidInput(Diagnostic(codes.DRIFTED_PARTITION, message, hint="run: ftbench lock SPEC --check"))
        new = not store.has_partition(digest)
        store.put_partition(shares)
        found.append(FetchedRows(key, digest, sum(map(len, shares)), None, None, new))
    return found
