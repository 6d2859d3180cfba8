"""`ftbench lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftbench.cli.options import example, json_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
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
    same source stays. The pins stand beside the spec as NAME.pins.json; rows and partitions go into the store. If
    anything fails, the pins file is left as it was.
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
    from ftbench.atomic import write_file
    from ftbench.cli.outputs.general import LockOutput, problems
    from ftbench.data.hub import Hub
    from ftbench.data.overlap import report
    from ftbench.data.pinning import lock, unresolved_pins
    from ftbench.spec.canonical import pretty
    from ftbench.spec.load import pins_path

    known = None if renew else _known(loaded)
    if offline:
        pins = unresolved_pins(loaded.spec, known, store)
    else:
        pins = lock(loaded.spec, store, known, lambda: Hub(store.scratch(), tell=ui.note), renew=renew)
    path = pins_path(loaded.path)
    data = pretty(pins.model_dump(mode="json"))
    changed = not path.is_file() or path.read_bytes() != data
    if changed:
        write_file(path, data)
    ui.line(f"{path}: {'written' if changed else 'unchanged'}", "good")
    _show(ui, pins)
    found = report(loaded.spec, pins, store)
    ui.diagnostics(found)
    ui.answer(LockOutput(pins_file=str(path), changed=changed, fresh=True, pins=pins, diagnostics=problems(found)))
    return 0


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
    from ftbench.data.pins_check import confirm_pins
    from ftbench.errors import CheckFailed, MissingResource
    from ftbench.spec.load import load_pins, pins_path

    pins = None
    found: list[Diagnostic]
    try:
        pins = load_pins(loaded.path)
        found = confirm_pins(loaded.spec, pins, store)
    except MissingResource as error:
        found = error.diagnostics
    fresh = not any(one.severity == "error" for one in found)
    path = pins_path(loaded.path)
    ui.diagnostics(found)
    ui.line(f"{path}: {'up to date' if fresh else 'not what the spec resolves to'}", "good" if fresh else "error")
    ui.answer(LockOutput(pins_file=str(path), changed=False, fresh=fresh, pins=pins, diagnostics=problems(found)))
    return 0 if fresh else CheckFailed.exit_code
