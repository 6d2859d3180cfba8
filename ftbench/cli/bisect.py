"""`ftbench bisect`."""

from __future__ import annotations

from pathlib import Path

import click

from ftbench.cli.options import example, json_option
from ftbench.cli.ui import Ui


@click.command("bisect", epilog=example("ftbench bisect runs/quickstart-default-s1 /elsewhere/quickstart-default-s1"))
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("other", metavar="B", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def command(ui: Ui, *, one: Path, other: Path) -> int:
    """Say where two runs of one entry part: the first round, the first client, and what differs there.

    A and B are folders of runs, bundles (folders or archives), or ledgers. The exit code is 1 where they part. Whose
    update comes out again `ftbench verify --spot` says.
    """
    from ftbench.errors import CheckFailed
    from ftbench.replay.bisect import bisect, environments, read

    found = bisect(read(one), read(other)).model_copy(update={"environments": environments(one, other)})
    if found.round is None:
        ui.line(f"no difference in the {min(found.rounds)} rounds that both have", "good")
        if found.rounds[0] != found.rounds[1]:
            ui.line(f"  one has {found.rounds[0]} rounds, the other {found.rounds[1]}")
    else:
        where = "before the first round" if found.round == 0 else f"in round {found.round}"
        client = "" if found.partition is None else f", client {found.partition}"
        ui.line(f"they part {where}{client}: {found.cause}", "strong")
        for line in found.differing:
            ui.line(f"  {line}")
        for line in found.environments:
            ui.line(f"  machine: {line}", "dim")
        ui.line(f"  {found.compared} of {min(found.rounds)} rounds were compared", "dim")
    ui.answer(found)
    return 0 if found.round is None else CheckFailed.exit_code
