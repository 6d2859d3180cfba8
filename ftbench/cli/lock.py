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
    return _write(ui, loaded, store, offline=offline, renew=renew)


def _write(ui: Ui, loaded: LoadedSpec, store: str | None, *, offline: bool, renew: bool) -> int:
    from ftbench.api.specs import lock
    from ftbench.cli.outputs.general import LockOutput, problems

    made = lock(loaded, store=store, offline=offline, renew=renew, tell=lambda text: ui.note(text, "note"))
    ui.line(f"{made.path}: {'written' if made.changed else 'unchanged'}", "good")
    _show(ui, made.pins)
    ui.diagnostics(made.warnings)
    ui.answer(
        LockOutput(
            pins_file=str(made.path),
            changed=made.changed,
            fresh=True,
            pins=made.pins,
            diagnostics=problems(made.warnings),
        )
    )
    return 0


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
