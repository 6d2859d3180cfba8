"""A spec from its file to a compiled benchmark, and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ftbench.api.telling import Tell, silent, warn
from ftbench.base_models.estimate import Estimate, Setting
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, MissingResource
from ftbench.spec.load import LoadedSpec, find_spec, load_pins, pins_path
from ftbench.spec.load import load_spec as load_file
from ftbench.spec.model import Spec
from ftbench.spec.pins import Pins

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled
    from ftbench.data.store import Store

__all__ = [
    "AnySpec",
    "Estimate",
    "LoadedSpec",
    "Locked",
    "Spec",
    "compile",
    "estimate",
    "load_spec",
    "lock",
    "validate",
]

AnySpec = str | Path | LoadedSpec
"""A path, the name of a built-in spec, or a loaded one."""
Bits = Literal[4, 8, 16, 32]


@dataclass(frozen=True, slots=True)
class Locked:
    """What `lock` wrote."""

    pins: Pins
    path: Path
    """The pins file."""
    changed: bool
    """Whether it is another than before."""
    warnings: list[Diagnostic]


def load_spec(spec: AnySpec) -> LoadedSpec:
    """The spec, with its place in the file and its warnings. Raises InvalidInput with every problem."""
    return spec if isinstance(spec, LoadedSpec) else load_file(find_spec(spec))


def validate(
    spec: AnySpec,
    *,
    entry: str | Path | None = None,
    sets: Sequence[str] = (),
    model: str | None = None,
    seed: int | None = None,
    store: str | Path | None = None,
) -> list[Diagnostic]:
    """Everything that is wrong with a spec and, where a choice is given, with that beside it; empty where nothing is.

    `entry`: an entry's file; `sets`: `PATH=VALUE` as of `--set`; `model`: as of `--model`. Unlike the others it raises
    for nothing that is wrong with what it is given; `severity` tells errors from warnings.
    """
    found: list[Diagnostic] = []
    try:
        loaded = load_spec(spec)
        found += loaded.warnings
        if entry is not None or sets or model is not None or seed is not None:
            from ftbench.api.choice import check_choice
            from ftbench.spec.entries import load_entry

            given = load_entry(Path(entry)) if entry is not None else None
            found += check_choice(loaded.spec, given, sets, model=model, seed=seed, store=_store(store))
    except InvalidInput as error:
        found += error.diagnostics
    return found


def lock(
    spec: AnySpec,
    *,
    store: str | Path | None = None,
    offline: bool = False,
    renew: bool = False,
    tell: Tell = silent,
) -> Locked:
    """Resolve a spec's data and partitions into its pins file; rows and partitions go into the store.

    `offline` asks no hub, `renew` resolves again what is resolved. Raises InvalidInput and MissingResource; what could
    be resolved stays pinned then.
    """
    from ftbench.data import hints
    from ftbench.data.hub import Hub
    from ftbench.data.local import beside
    from ftbench.data.official import own_benchmark, published_pins
    from ftbench.data.overlap import report
    from ftbench.data.pinning import attempt, unresolved_pins, write_pins

    loaded, where = load_spec(spec), _store(store)
    known = None if renew else _known_pins(loaded)
    published, told = published_pins(loaded), hints.read(loaded.path)
    found: list[Diagnostic] = []
    if offline:
        pins = unresolved_pins(loaded.spec, known, where, place=loaded.place, near=beside(loaded))
    else:
        hub = partial(Hub, where.scratch(), tell=tell)
        tried = attempt(loaded.spec, where, known, hub, renew=renew, place=loaded.place, near=beside(loaded))
        pins, found = tried.pins, tried.warnings
        if tried.errors:
            _keep_good(loaded, pins, tell, renew=renew)
            try:
                tried.check()
            except FtbenchError as error:
                error.diagnostics[:0] = found
                raise
    path = pins_path(loaded.path)
    changed = write_pins(path, pins)
    found += [*own_benchmark(loaded, published, pins), *hints.report(told, pins, where)]
    found += report(loaded.spec, pins, where)
    return Locked(pins, path, changed, found)


def compile(spec: AnySpec, *, out: str | Path | None = None, tell: Tell = silent) -> Compiled:
    """Freeze a spec and its pins into a Flower app and harness tasks: in memory, with `out` as files below it too.

    Reads no data and asks no network. Raises InvalidInput, and MissingResource where there are no pins.
    """
    from ftbench.compile.compiler import compile_spec
    from ftbench.compile.folder import write

    loaded = load_spec(spec)
    pins, found = pins_of(loaded)
    warn(tell, found)
    made = compile_spec(loaded.spec, pins)
    if out is not None:
        write(made, Path(out))
    return made


def estimate(
    spec: AnySpec,
    *,
    model: str | None = None,
    entry: str | Path | None = None,
    sets: Sequence[str] = (),
    micro_batch: int | None = None,
    bits: Bits | None = None,
    double_quant: bool = False,
    gradient_checkpointing: bool = False,
    store: str | Path | None = None,
    tell: Tell = silent,
) -> Estimate:
    """What a benchmark asks for with a base model: parameters and bytes exactly, memory by its parts.

    A model that neither catalogue nor store has is looked up by its config.json on the hub. Raises InvalidInput and
    MissingResource.
    """
    return estimated(
        spec,
        model=model,
        entry=entry,
        sets=sets,
        micro_batch=micro_batch,
        bits=bits,
        double_quant=double_quant,
        gradient_checkpointing=gradient_checkpointing,
        store=store,
        tell=tell,
    )[0]


def estimated(
    spec: AnySpec,
    *,
    model: str | None,
    entry: str | Path | None,
    sets: Sequence[str],
    micro_batch: int | None,
    bits: Bits | None,
    double_quant: bool,
    gradient_checkpointing: bool,
    clients_at_once: int = 1,
    store: str | Path | None,
    tell: Tell,
) -> tuple[Estimate, Setting, Spec]:
    """The same with the setting that was estimated, and the spec with the choice in force."""
    from ftbench.base_models import estimate as counting
    from ftbench.base_models import from_spec
    from ftbench.base_models.lookup import look_up
    from ftbench.data.hub import Hub
    from ftbench.spec.entries import NOBODY_ASKED, apply, load_entry, resolve_entry

    loaded = load_spec(spec).spec
    given = load_entry(Path(entry)) if entry is not None else None
    # The architecture is the same at every commit, so nobody is asked for one.
    chosen = apply(loaded, resolve_entry(loaded, given, sets, commit_of=lambda name: NOBODY_ASKED))
    base = chosen.model.base
    name, _, revision = model.partition("@") if model else (base.name, "", base.revision)
    here = _store(store)

    def connect() -> Hub:
        tell(f"{name} is neither in the catalogue nor in the store: its config.json is asked for")
        return Hub(here.scratch(), tell=tell, attempts=2)

    known = look_up(name, None if revision in {"", NOBODY_ASKED} else revision, here, connect)
    setting = from_spec.setting(
        chosen,
        micro_batch=micro_batch,
        bits=bits,
        double_quant=double_quant,
        gradient_checkpointing=gradient_checkpointing,
        clients_at_once=clients_at_once,
    )
    return counting.estimate(known, setting), setting, chosen


def pins_of(loaded: LoadedSpec) -> tuple[Pins, list[Diagnostic]]:
    """The pins beside a spec, and warnings: that some are not resolved.

    Raises MissingResource where there are none, InvalidInput for another spec's pins.
    """
    from ftbench.spec.checks import check_pins

    pins = load_pins(loaded.path)
    found = check_pins(loaded.spec, pins, Place(str(pins_path(loaded.path))))
    if any(one.severity == "error" for one in found):
        raise InvalidInput(found)
    return pins, found


def _store(given: str | Path | None) -> Store:
    from ftbench.data.store import Store

    return Store.default(None if given is None else str(given))


def _keep_good(loaded: LoadedSpec, pins: Pins, tell: Tell, *, renew: bool) -> None:
    """The pins of sources without a fault, so that they need not be loaded again."""
    from ftbench.data.pinning import write_pins

    if renew or not any(pin.digest for pin in pins.sources.values()):
        return
    path = pins_path(loaded.path)
    if write_pins(path, pins):
        good = ", ".join(key for key, pin in sorted(pins.sources.items()) if pin.digest)
        tell(f"{path}: written; pinned are {good}, the rest is not")


def _known_pins(loaded: LoadedSpec) -> Pins | None:
    """The pins that stand there already. A file that cannot be read is an error: what it has resolved would be lost."""
    from dataclasses import replace

    hint = "mend it, or resolve everything anew: ftbench lock SPEC --renew"
    try:
        return load_pins(loaded.path) if pins_path(loaded.path).exists() else None
    except MissingResource:
        return None
    except InvalidInput as error:
        raise InvalidInput([replace(one, hint=hint) for one in error.diagnostics]) from error
