"""`ftbench lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftbench.cli.options import example, json_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.data.store import Store
    from ftbench.spec.load import LoadedSpec


@click.command("lock", epilog=example("ftbench lock specs/quickstart.yaml", "ftbench lock quickstart --check"))
@spec_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the pins are not the spec's.")
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, spec: str, check: bool, store: str | None) -> int:
    """Resolve a spec's data and partitions into its pins file.

    The pins stand beside the spec as NAME.pins.json; rows and partitions go into the store.
    """
    from ftbench.cli.benchmark import load
    from ftbench.data.store import Store

    loaded = load(ui, spec)
    return (_check if check else _write)(ui, loaded, Store.default(store))


def _write(ui: Ui, loaded: LoadedSpec, store: Store) -> int:
    from ftbench.cli.outputs import LockOutput
    from ftbench.data.lock import lock
    from ftbench.result.atomic import write_file
    from ftbench.spec.canonical import pretty
    from ftbench.spec.load import pins_path

    pins = lock(loaded.spec, store)
    path = pins_path(loaded.path)
    data = pretty(pins.model_dump(mode="json"))
    changed = not path.is_file() or path.read_bytes() != data
    if changed:
        write_file(path, data)
    ui.line(f"{path}: {'written' if changed else 'unchanged'}", "good")
    for key, pin in sorted(pins.sources.items()):
        ui.line(f"  {key}: {pin.rows:,} rows, {pin.digest[:12]}")
    ui.line(f"  partition: {len(pins.partition.sizes)} clients, {pins.partition.digest[:12]}")
    ui.answer(LockOutput(pins_file=str(path), changed=changed, fresh=True, pins=pins, diagnostics=[]))
    return 0


def _check(ui: Ui, loaded: LoadedSpec, store: Store) -> int:
    from ftbench.cli.outputs import LockOutput, problems
    from ftbench.data.lock import check
    from ftbench.errors import CheckFailed, MissingResource
    from ftbench.spec.load import load_pins, pins_path

    pins = None
    try:
        pins = load_pins(loaded.path)
        found = check(loaded.spec, pins, store)
    except MissingResource as error:
        found = error.diagnostics
    fresh = not any(one.severity == "error" for one in found)
    path = pins_path(loaded.path)
    ui.diagnostics(found)
    ui.line(f"{path}: {'up to date' if fresh else 'not what the spec resolves to'}", "good" if fresh else "error")
    ui.answer(LockOutput(pins_file=str(path), changed=False, fresh=fresh, pins=pins, diagnostics=problems(found)))
    return 0 if fresh else CheckFailed.exit_code
