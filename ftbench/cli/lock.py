"""`ftbench lock`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import example, json_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench.data.store import Store
    from ftbench.diagnostics import Diagnostic
    from ftbench.spec.load import LoadedSpec
    from ftbench.spec.pins import Pins


@click.command(
    "lock",
    epilog=example(
        "ftbench lock specs/quickstart.yaml", "ftbench lock quickstart --check", "ftbench lock medical --offline"
    ),
)
@spec_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the pins are not the spec's.")
@click.option("--offline", is_flag=True, help="Ask no hub: what is not resolved yet stays so, as a draft allows.")
@click.option("--renew", is_flag=True, help="Resolve again what is resolved already.")
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, *, spec: str, check: bool, offline: bool, renew: bool, store: str | None) -> int:
    """Resolve a spec's data and partitions into its pins file.

    Data of the hub is loaded once, and its commit, content digest, rows and licence are pinned; what is pinned from the
    same source stays. The pins stand beside the spec as NAME.pins.json; rows and partitions go into the store. Every
    template is filled for every row and every answer held against its options. If a source fails, the others are
    looked at all the same and stay pinned; with --renew the pins file is then left as it was.
    """
    from ftbench.cli.benchmark import load
    from ftbench.data.store import Store

    if check + offline + renew > 1:
        raise click.UsageError("give one of --check, --offline and --renew")
    loaded = load(ui, spec)
    if check:
        return _check(ui, loaded, Store.default(store))
    return _write(ui, loaded, Store.default(store), offline=offline, renew=renew)


def _write(ui: Ui, loaded: LoadedSpec, store: Store, *, offline: bool, renew: bool) -> int:
    from ftbench.cli.outputs.general import LockOutput, problems
    from ftbench.data import hints
    from ftbench.data.hub import Hub
    from ftbench.data.local import beside
    from ftbench.data.official import own_benchmark, published_pins
    from ftbench.data.overlap import report
    from ftbench.data.pinning import attempt, unresolved_pins

    known = None if renew else _known(loaded)
    published, told = published_pins(loaded), hints.read(loaded.path)
    found: list[Diagnostic] = []
    if offline:
        pins = unresolved_pins(loaded.spec, known, store, place=loaded.place, near=beside(loaded))
    else:
        hub = partial(Hub, store.scratch(), tell=ui.note)
        tried = attempt(loaded.spec, store, known, hub, renew=renew, place=loaded.place, near=beside(loaded))
        pins, found = tried.pins, tried.warnings
        if tried.errors:
            _keep_good(ui, loaded, pins, renew=renew)
            ui.diagnostics(found)
            tried.check()
    path, changed = _write_pins(loaded, pins)
    ui.line(f"{path}: {'written' if changed else 'unchanged'}", "good")
    _show(ui, pins)
    found += [*own_benchmark(loaded, published, pins), *hints.report(told, pins, store)]
    found += report(loaded.spec, pins, store)
    ui.diagnostics(found)
    ui.answer(LockOutput(pins_file=str(path), changed=changed, fresh=True, pins=pins, diagnostics=problems(found)))
    return 0


def _keep_good(ui: Ui, loaded: LoadedSpec, pins: Pins, *, renew: bool) -> None:
    """The pins of sources without a fault, so that they need not be loaded again."""
    if renew or not any(pin.digest for pin in pins.sources.values()):
        return
    path, changed = _write_pins(loaded, pins)
    if changed:
        good = ", ".join(key for key, pin in sorted(pins.sources.items()) if pin.digest)
        ui.note(f"{path}: written; pinned are {good}, the rest is not", "note")


def _write_pins(loaded: LoadedSpec, pins: Pins) -> tuple[Path, bool]:
    """Where they stand, and whether that changed anything."""
    from ftbench.atomic import write_file
    from ftbench.spec.canonical import pretty
    from ftbench.spec.load import pins_path

    path, data = pins_path(loaded.path), pretty(pins.model_dump(mode="json"))
    changed = not path.is_file() or path.read_bytes() != data
    if changed:
        write_file(path, data)
    return path, changed


def _known(loaded: LoadedSpec) -> Pins | None:
    """The pins that stand there already. A file that cannot be read is an error: what it has resolved would be lost."""
    from dataclasses import replace

    from ftbench.errors import InvalidInput
    from ftbench.spec.load import load_pins, pins_path

    hint = "mend it, or resolve everything anew: ftbench lock SPEC --renew"
    try:
        return load_pins(loaded.path) if pins_path(loaded.path).exists() else None
    except InvalidInput as error:
        raise InvalidInput([replace(one, hint=hint) for one in error.diagnostics]) from error


def _show(ui: Ui, pins: Pins) -> None:
    for key, pin in sorted(pins.sources.items()):
        commit = f" at {pin.revision[:12]}" if pin.revision else ""
        if pin.digest is None:
            ui.line(f"  {key}: not resolved yet{commit}", "warning")
        else:
            ui.line(f"  {key}: {pin.rows:,} rows, {pin.digest[:12]}{commit}, licence {pin.licence}")
    if pins.partition is None:
        ui.line("  partition: not resolved yet", "warning")
    else:
        cut = f", {pins.partition.validation_rows:,} rows set aside" if pins.partition.validation else ""
        ui.line(f"  partition: {len(pins.partition.sizes)} clients, {pins.partition.digest[:12]}{cut}")
    if not pins.resolved:
        ui.line("the spec stays a draft until `ftbench lock` has resolved it with a connection to the hub", "warning")


def _check(ui: Ui, loaded: LoadedSpec, store: Store) -> int:
    from ftbench.cli.outputs.general import LockOutput, problems
    from ftbench.data.local import beside
    from ftbench.data.pins_check import confirm_pins
    from ftbench.errors import CheckFailed, MissingResource
    from ftbench.spec.load import load_pins, pins_path

    pins = None
    found: list[Diagnostic]
    try:
        pins = load_pins(loaded.path)
        found = confirm_pins(loaded.spec, pins, store, beside(loaded))
    except MissingResource as error:
        found = error.diagnostics
    fresh = not any(one.severity == "error" for one in found)
    path = pins_path(loaded.path)
    ui.diagnostics(found)
    ui.line(f"{path}: {'up to date' if fresh else 'not what the spec resolves to'}", "good" if fresh else "error")
    ui.answer(LockOutput(pins_file=str(path), changed=False, fresh=fresh, pins=pins, diagnostics=problems(found)))
    return 0 if fresh else CheckFailed.exit_code
