"""`ftbench list`."""

from __future__ import annotations

import click

from ftbench.cli.options import SPEC, example, json_option
from ftbench.cli.ui import Ui

KINDS = (
    "specs",
    "entries",
    "knobs",
    "strategies",
    "partitions",
    "adapters",
    "tasks",
    "normalisers",
    "checks",
    "diagnostics",
)


@click.command("list", epilog=example("ftbench list specs", "ftbench list knobs specs/quickstart.yaml"))
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("spec", type=SPEC, default="quickstart")
@click.option("--markdown", is_flag=True, help="Print a page of documentation.")
@json_option
@click.pass_obj
def command(ui: Ui, kind: str, spec: str, markdown: bool) -> None:
    """List what there is: specs, entries, strategies, partitions, adapters, tasks and so on, and one spec's knobs.

    SPEC tells whose knobs are meant; it is the quickstart unless given.
    """
    from ftbench.cli import inventory
    from ftbench.cli.outputs.general import ListOutput

    items = list(inventory.KINDS[kind](spec))
    if markdown:
        for line in (f"# {kind.capitalize()}", "", f"`ftbench list {kind}` makes this page.", ""):
            ui.line(line)
        for line in ("| name | meaning |", "|---|---|"):
            ui.line(line)
        for item in items:
            ui.line(f"| `{item.name}` | {' '.join(item.description.split()).replace('|', chr(92) + '|')} |")
        return
    width = max((len(item.name) for item in items), default=0)
    for item in items:
        ui.line(f"{item.name:<{width}}  {item.description}")
    if not items:
        ui.note(f"there are no {kind}")
    ui.answer(ListOutput(kind=kind, items=items))
