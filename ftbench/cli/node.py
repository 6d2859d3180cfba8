"""`ftbench node`."""

from __future__ import annotations

from pathlib import Path

import click

from ftbench.cli.options import ExistingFolder, example
from ftbench.cli.ui import Ui


@click.command("node", epilog=example("ftbench node clinic-north"))
@click.argument("folder", metavar="FOLDER", type=ExistingFolder())
@click.pass_obj
def command(ui: Ui, *, folder: Path) -> None:
    """Take part from a site: answer a federation's messages with the rows of this FOLDER, until Ctrl-C.

    FOLDER is what `ftbench site-kit join` made and `ftbench site-kit fit` completed; node.toml in it says where the
    SuperLink is. Only compiled benchmarks that lie in its folder `apps` are run, in a sandbox without a network, and
    only numbers, arrays and digests leave. state/journal.jsonl lists what did.
    """
    ui.note(f"reading {folder}", "dim")
    from ftbench.node import settings
    from ftbench.node.serve import Server, key_of

    node = settings.read(folder)
    key_of(node.path(node.settings.key))
    Server(node, ui.note).conduct()
