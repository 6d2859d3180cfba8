"""`ftbench lock`: from the data that a spec names to pins. The check that they still hold is in `pins_check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ftbench import codes
from ftbench.data import digests, fitness, local, partition, sites, sources
from ftbench.data.files import write_atomic
from ftbench.data.hub import Hub
from ftbench.data.loaded import Beside, Request, describe
from ftbench.data.sources import TRAIN, named_sources, planted
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import pretty
from ftbench.spec.checks.pins import inputs
from ftbench.spec.model import FileSource, HubSource, SitesSource, Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs
from ftbench.spec.sites import SiteLock
from ftbench.spec.sources import AnySource, Columns

__all__ = ["TRAIN", "lock", "named_sources", "unresolved_pins", "write_pins"]

UNKNOWN_LICENCE = "unknown"
"""What a pin says where no licence is stated, or none is known yet."""


Near = Mapping[str, Beside]
"""Key of each source → where the paths of local files begin (`ftbench.data.local.beside`)."""
PlaceOf = Callable[[str], Place | None]
"""Gives the place of a path in the spec's file."""


@dataclass(slots=True)
class Attempt:
    """What came of resolving a spec's data, with everything that stood in the way."""

    place: PlaceOf | None = None
    near: Near | None = None
    sources: dict[str, SourcePin] = field(default_factory=dict)
    """Of a source with a fault: what was resolved before, else that it is not resolved."""
    partition: PartitionPin | None = None
    errors: list[Diagnostic] = field(default_factory=list)
    """Faults of all sources."""
    warnings: list[Diagnostic] = field(default_factory=list)
    """What is worth knowing of rows that can be used."""
    missing: bool = True
    """Whether nothing is wrong with what the user gave: something is not to be had."""

    @property
    def pins(self) -> Pins:
        """As far as they are resolved."""
        return Pins(sources=self.sources, partition=self.partition)

    def check(self) -> Pins:
        """The pins. Raises InvalidInput or MissingResource with every error."""
        if self.errors:
            raise (MissingResource if self.missing else InvalidInput)(self.errors)
        return self.pins

    def refuse(self, error: InvalidInput | MissingResource, at: str) -> None:
        """Note what a source, or the partition, at that path was refused for."""
        where = self.place(at) if self.place else None
        self.errors += [one if one.place else replace(one, place=where) for one in error.diagnostics]
        self.missing &= isinstance(error, MissingResource)

    def look(self, spec: Spec, key: str, pin: SourcePin, store: Store) -> bool:
        """Whether the rows fit the spec's templates, as far as they are here; what is found is noted."""
        if pin.digest is None or not store.has_rows(pin.digest):
            return True
        errors, warnings = fitness.place_problems(fitness.look(spec, key, store.rows(pin.digest)), self.place)
        self.errors += errors
        self.warnings += warnings
        if isinstance(named_sources(spec)[key][0], FileSource):
            self.warnings += local.left_behind(key, store.rows(pin.digest))
        self.missing &= not errors
        return not errors

    def keep(self, key: str, old: SourcePin, error: MissingResource, store: Store) -> SourcePin:
        """The pin of a source whose files are not here; `error` says so. It stays, and a warning is noted."""
        assert old.digest is not None
        rows = "its rows are in the store" if store.has_rows(old.digest) else "its rows are not in the store either"
        message = f"`{key}` stays as it is pinned, and was not compared: {error.diagnostics[0].message}; {rows}"
        self.warnings.append(Diagnostic(codes.NOT_COMPARED, message, hint=local.ARCHIVE, severity="warning"))
        return old

    def note_change(self, key: str, old: SourcePin | None, found: SourcePin) -> None:
        """A warning where the rows of local files are not those that were pinned before."""
        if old is None or old.digest in (None, found.digest):
            return
        counts = (
            f"{old.rows:,} rows then, {found.rows:,} now" if old.rows != found.rows else f"{found.rows:,} other rows"
        )
        message = f"`{key}`: its files changed since they were locked: {counts}"
        hint = "this is another benchmark from here on; results under the old pins stay with those"
        at = self.place(_at(key)) if self.place else None
        self.warnings.append(Diagnostic(codes.FILE_CHANGED, message, at, hint, "warning"))


def lock(
    spec: Spec,
    store: Store,
    known: Pins | None = None,
    hub: Callable[[], Hub] | None = None,
    *,
    renew: bool = False,
) -> Pins:
    """Load all data, keep rows and partition in the store, return their pins: the same ones wherever it is done.

    What `known` has resolved from the same inputs stays as it is, and is loaded only where the store lacks it and the
    partition needs it; with `renew` everything is resolved anew. `hub` gives the connection (default: to the hub that
    HF_ENDPOINT names); it is asked for only where a source needs it.
    Raises InvalidInput (FTB304 to FTB309, FTB33x) for a source that can't be loaded and for rows that do not fit the
    spec (FTB36x), MissingResource (FTB310) for a store that can't be written to, (FTB34x) for a hub that does not give
    what is asked for; with the faults of all sources.
    """
    return attempt(spec, store, known, hub, renew=renew).check()


def attempt(
    spec: Spec,
    store: Store,
    known: Pins | None = None,
    hub: Callable[[], Hub] | None = None,
    *,
    renew: bool = False,
    place: PlaceOf | None = None,
    near: Near | None = None,
    locked: Sequence[SiteLock] = (),
) -> Attempt:
    """`lock` that goes on after a fault, so that those of all sources are told together and good sources stay pinned.

    `place` gives the place of a path in the spec's file, `near` where local files lie. Local files are read each time;
    where they are not here, what is pinned stays. `locked`: what sites
    handed out, of rows that stay there. Raises MissingResource (FTB310) only.
    """
    connect = hub or (lambda: Hub(store.scratch()))
    made = Attempt(place, near)
    unreachable = False
    due = inputs(spec)
    for key, (source, columns) in named_sources(spec).items():
        old = _resolved(known, key, due[key])
        if isinstance(source, SitesSource):
            made.sources[TRAIN] = old or _unresolved(due[key], None)
            made.partition = _known_partition(spec, made.sources[TRAIN], known, None)
            if locked:
                _at_sites(made, spec, store, locked)
            continue
        fresh = None if renew else old
        revision = _revision(known, key, source, due[key], renew)
        pin = old or _unresolved(due[key], revision)
        if fresh is None and unreachable and source.kind not in sources.OFFLINE:
            made.sources[key] = pin  # asked once more, the hub would take as long and say the same
            continue
        try:
            request = Request(connect, revision, (near or {}).get(key), planted(spec, key))
            found = _pin(made, key, source, columns, fresh=fresh, store=store, request=request)
            if isinstance(source, FileSource):
                made.note_change(key, known.sources.get(key) if known else None, found)
            if made.look(spec, key, found, store):
                pin = found
        except (InvalidInput, MissingResource) as error:
            if any(one.code == codes.NOT_WRITABLE for one in error.diagnostics):
                raise
            unreachable |= any(one.code == codes.UNREACHABLE for one in error.diagnostics)
            made.refuse(error, _at(key))
        made.sources[key] = pin
    train = made.sources[TRAIN]
    if isinstance(spec.data.source, SitesSource):
        return made
    try:
        made.partition = _known_partition(spec, train, known, None)
        if train.digest and store.has_rows(train.digest):
            made.partition = _partition(spec, train, store)
    except InvalidInput as error:
        made.refuse(error, "federation.partition")
    return made


def _at_sites(made: Attempt, spec: Spec, store: Store, locked: Sequence[SiteLock]) -> None:
    """Pins of rows that stay at their sites, by what these handed out."""
    try:
        made.sources[TRAIN], made.partition = sites.pin(spec, locked, store)
    except InvalidInput as error:
        made.refuse(error, _at(TRAIN))


def _pin(
    made: Attempt,
    key: str,
    source: AnySource,
    columns: Columns,
    *,
    fresh: SourcePin | None,
    store: Store,
    request: Request,
) -> SourcePin:
    """The pin of one source; `fresh`: the one that stays."""
    if fresh is None or source.kind in sources.OFFLINE:
        try:
            return load_pin(source, columns, store, request)
        except MissingResource as error:
            if fresh is None or error.diagnostics[0].code != codes.NO_FILE:
                raise
            return made.keep(key, fresh, error, store)
    if key == TRAIN:
        ensure(key, source=source, columns=columns, pin=fresh, store=store, request=request)
    return fresh


def _at(key: str) -> str:
    """Path of a source in its spec."""
    return "data.source" if key == TRAIN else f"evaluation.tasks.{key.partition(':')[2]}.source"


def _unresolved(inputs: str, revision: str | None) -> SourcePin:
    return SourcePin(inputs=inputs, revision=revision, digest=None, rows=None, licence=UNKNOWN_LICENCE)


def load_pin(source: AnySource, columns: Columns, store: Store, request: Request) -> SourcePin:
    """Load one source, keep its rows, return their pin. Raises as `lock` does."""
    loaded = sources.load(source, columns, request)
    if not loaded.rows:
        message = f"{describe(source, loaded.revision)} gives no rows"
        raise MissingResource(Diagnostic(codes.NO_ROWS, message, hint="look at `files`, `normalise` and `subset`"))
    return SourcePin(
        inputs=source_inputs(source, columns, request.planted),
        revision=loaded.revision,
        digest=store.put_rows(loaded.rows),
        rows=len(loaded.rows),
        licence=loaded.licence,
        files=loaded.files,
    )


def ensure(
    key: str,
    *,
    source: AnySource,
    columns: Columns,
    pin: SourcePin,
    store: Store,
    request: Request,
) -> bool:
    """Have the rows of a resolved pin in the store; returns whether they had to be loaded.

    Raises MissingResource (FTB327) when what is loaded has another digest: nothing of it is kept.
    """
    assert pin.digest is not None
    if store.has_rows(pin.digest):
        return False
    loaded = sources.load(source, columns, replace(request, revision=pin.revision))
    found = digests.rows_digest(loaded.rows)
    if found != pin.digest:
        message = (
            f"`{key}`: {describe(source, loaded.revision)} gives rows with digest {found}, "
            f"pinned is {pin.digest}; they were thrown away"
        )
        hint = "the source changed under its name, or the pins were edited: do not use either before you know which"
        raise MissingResource(Diagnostic(codes.OTHER_ROWS, message, hint=hint))
    store.put_rows(loaded.rows)
    return True


def unresolved_pins(
    spec: Spec,
    known: Pins | None = None,
    store: Store | None = None,
    *,
    place: PlaceOf | None = None,
    near: Near | None = None,
) -> Pins:
    """The pins as far as they are known without the network: for a draft that someone online resolves later.

    Built-in data and local files are resolved; what `known` has resolved from the same inputs stays; everything else is
    null. With a `store` their rows go there, as `lock` does. `place` gives the place of a path in the spec's file.
    Raises InvalidInput as `lock` does, with the faults of all rows together.
    """
    pins, errors, due = {}, [], inputs(spec)
    for key, (source, columns) in named_sources(spec).items():
        old = _resolved(known, key, due[key])
        if isinstance(source, HubSource | SitesSource):
            pins[key] = old or _unresolved(due[key], _revision(known, key, source, due[key], renew=False))
            continue
        request = Request(beside=(near or {}).get(key), planted=planted(spec, key))
        loaded = sources.load(source, columns, request)
        errors += fitness.place_problems(fitness.look(spec, key, loaded.rows), place)[0]
        digest = store.put_rows(loaded.rows) if store else digests.rows_digest(loaded.rows)
        pins[key] = SourcePin(
            inputs=due[key],
            digest=digest,
            rows=len(loaded.rows),
            licence=loaded.licence,
            files=loaded.files,
        )
    if errors:
        raise InvalidInput(errors)
    return Pins(sources=pins, partition=_known_partition(spec, pins[TRAIN], known, store))


def _known_partition(spec: Spec, train: SourcePin, known: Pins | None, store: Store | None) -> PartitionPin | None:
    """The pinned partition where it is still the spec's, else a new one where the training rows are at hand."""
    if train.digest is None:
        return None
    old = known.partition if known else None
    if old is not None and old.inputs == _partition_inputs(spec, train.digest):
        return old
    if store is not None and store.has_rows(train.digest):
        return _partition(spec, train, store)
    return None


def _partition(spec: Spec, train: SourcePin, store: Store) -> PartitionPin:
    assert train.digest is not None and train.rows is not None
    rows = store.rows(train.digest)
    dealt = partition.deal_rows(train.rows, spec, lambda: rows)
    return PartitionPin(
        inputs=_partition_inputs(spec, train.digest),
        digest=store.put_partition(dealt.shares),
        sizes=[len(share) for share in dealt.shares],
        digests=digests.share_digests(rows, dealt.shares),
        validation=None if dealt.validation is None else store.put_partition([dealt.validation]),
        validation_rows=len(dealt.validation or ()),
    )


def _partition_inputs(spec: Spec, train_digest: str) -> str:
    return partition_inputs(train_digest, spec.federation, spec.seeds.partition, spec.data.validation)


def _resolved(known: Pins | None, key: str, inputs: str) -> SourcePin | None:
    """The known pin of `key`, if it is resolved and was made from these inputs."""
    old = known.sources.get(key) if known else None
    return old if old is not None and old.digest and old.inputs == inputs else None


def _revision(known: Pins | None, key: str, source: AnySource, inputs: str, renew: bool) -> str | None:
    """The commit to load: the spec's own, else the one pinned for these inputs."""
    if not isinstance(source, HubSource):
        return None
    old = known.sources.get(key) if known else None
    if source.revision or renew or old is None or old.inputs != inputs:
        return source.revision
    return old.revision


def write_pins(path: Path, pins: Pins) -> bool:
    """Write `specs/<name>.pins.json` anew, atomically, unless it says so already; whether it changed."""
    data = pretty(pins.model_dump(mode="json"))
    changed = not path.is_file() or path.read_bytes() != data
    if changed:
        write_atomic(path, data)
    return changed
