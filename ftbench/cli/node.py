"""`ftbench node`."""

from __future__ import annotations

from pathlib import Path

import click

from ftbench.cli.options import ExistingFolder, example, json_option
from ftbench.cli.ui import Ui


@click.command("node", epilog=example("ftbench node clinic-north --kit kit", "ftbench node clinic-north"))
@click.argument("folder", metavar="FOLDER", type=ExistingFolder())
@click.option(
    "--kit",
    metavar="DIR",
    type=ExistingFolder(),
    help="Take this kit of the organiser's into FOLDER first: certificate, address, apps.",
)
@click.option("--look", is_flag=True, help="Say what would be run and where, and connect to nobody.")
@json_option
@click.pass_obj
def command(ui: Ui, *, folder: Path, kit: Path | None, look: bool) -> None:
    """Take part from a site: answer a federation's messages with the rows of this FOLDER, until Ctrl-C.

    FOLDER is what `ftbench site-kit join` made, with the organiser's kit. Only compiled benchmarks that lie in its
    folder `apps` are run, in a sandbox without a network, and only numbers, arrays and digests leave.
    state/journal.jsonl lists what did.
    """
    ui.note(f"reading {folder}", "dim")
    from ftbench.cli.outputs.sites import NodeOutput, Runnable
    from ftbench.node import settings
    from ftbench.node.serve import Server, key_of

    if kit is not None:
        from ftbench.node.join import fit

        for name in fit(folder, kit):
            ui.note(f"{folder}/apps: {name}, from {kit}")
    node = settings.read(folder)
    key_of(node.path(node.settings.key))
    server = Server(node, ui.note)
    if not look:
        server.conduct()
        return
    for one in server.allowed.values():
        ui.line(f"{one.lock.name} {one.lock.version}: app {one.lock.fab_hash}")
    apps = [
        Runnable(name=one.lock.name, version=one.lock.version, fab_hash=one.lock.fab_hash, signer=one.signer or None)
        for one in server.allowed.values()
    ]
    it = node.settings
    sealed = "sealed in a sandbox without a network" if it.sealed else "NOT SEALED: it may do all that you may"
    ui.line(f"client {it.partition} of {it.clients} at {it.superlink}; {sealed}")
    ui.answer(
        NodeOutput(superlink=it.superlink, partition=it.partition, clients=it.clients, sealed=it.sealed, apps=apps)
    )
