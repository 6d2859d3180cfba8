"""`ftbench hash`."""

from __future__ import annotations

import click

from ftbench.cli.options import example, json_option, spec_argument
from ftbench.cli.ui import Ui


@click.command("hash", epilog=example("ftbench hash quickstart"))
@spec_argument
@json_option
@click.pass_obj
def command(ui: Ui, spec: str) -> None:
    """Print the hash that results are pinned to, and that of the Flower app bundle.

    The spec hash covers conditions, pins, code and stack: whatever moves a score moves it. Titles, comments and the
    order of keys do not.
    """
    from ftbench.cli.benchmark import compiled
    from ftbench.cli.outputs.general import HashOutput

    _, made = compiled(ui, spec)
    lock = made.lock
    output = HashOutput(name=lock.name, version=lock.version, spec_hash=lock.spec_hash, fab_hash=lock.fab_hash)
    ui.line(f"{output.name} {output.version}", "strong")
    ui.line(f"spec hash {output.spec_hash}")
    ui.line(f"FAB hash  {output.fab_hash}")
    ui.answer(output)
