"""`ftbench doctor`."""

from __future__ import annotations

import click

from ftbench.cli.options import example, json_option, store_option
from ftbench.cli.ui import Ui

STYLE = {"ok": "good", "warn": "warning", "fail": "error"}


@click.command("doctor", epilog=example("ftbench doctor"))
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, store: str | None) -> int:
    """Check whether this machine can run benchmarks, and say how to mend what stands in the way.

    `fail` means that a run cannot work (exit code 4), `warn` that something may go wrong or cannot be done.
    """
    from ftbench.cli.checkup import CHECKUPS, look
    from ftbench.cli.outputs.general import DoctorOutput
    from ftbench.errors import MissingResource

    found = [line for checkup in CHECKUPS for line in look(checkup, store)]
    ready = all(line.outcome != "fail" for line in found)
    width = max(len(line.name) for line in found)
    for line in found:
        ui.line(f"{line.outcome:<4}  {line.name:<{width}}  {line.detail}", STYLE[line.outcome])
        if line.hint:
            ui.line(f"      {'':<{width}}  hint: {line.hint}", "dim")
    ui.line("ready to run" if ready else "a run cannot work here yet", "good" if ready else "error")
    ui.answer(DoctorOutput(ready=ready, checks=found))
    return 0 if ready else MissingResource.exit_code
