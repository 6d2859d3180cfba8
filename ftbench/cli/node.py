"""`ftbench node`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import ExistingFolder, example, json_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.node.serve import Server
    from ftbench.node.settings import Node


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
    from ftbench.node.asked import alone
    from ftbench.node.serve import Server, key_of

    # A node that runs keeps its folder to itself: another would answer half of its messages.
    with contextlib.ExitStack() as stack:
        if kit is not None or not look:
            stack.enter_context(alone(folder))
        if kit is not None:
            from ftbench.node.join import fit

            for name in fit(folder, kit):
                ui.note(f"{folder}/apps: {name}, from {kit}")
        node = settings.read(folder)
        key_of(node.path(node.settings.key))
        server = Server(node, ui.note)
        if not look:
            _bring(ui, node, server)
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


def _bring(ui: Ui, node: Node, server: Server) -> None:
    """Fetch the base models that the site lacks: without one its first message is refused, and the run with it. An
    entry may bring another model, so what cannot be fetched is told and no more."""
    from ftbench.data.store import Store
    from ftbench.errors import FtbenchError
    from ftbench.run.base_model import bring

    for one in server.allowed.values():
        try:
            bring(one.plan.typed_spec().model.base, Store(node.stores), ui.note)
        except FtbenchError as error:
            ui.diagnostics(error.diagnostics)
