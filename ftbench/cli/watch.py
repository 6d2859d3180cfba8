"""`ftbench watch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import ExistingFolder, example, json_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.run.progress import Progress

EVERY = 0.5
"""Seconds between two looks."""
SILENCE = 20.0
"""Seconds without a word after which it is told."""


@click.command("watch", epilog=example("ftbench watch runs/quickstart-default-s1"))
@click.argument("run", metavar="RUN", type=ExistingFolder())
@click.option("--once", is_flag=True, help="Say how far it is, and end.")
@json_option
@click.pass_obj
def command(ui: Ui, run: Path, *, once: bool) -> None:
    """Look at a run from another terminal: what is being done, its curve, the time left.

    It reads the run's files and changes nothing; Ctrl-C ends the looking, not the run. With --json it says once how
    far the run is.
    """
    from ftbench.cli.benchmark import shell
    from ftbench.cli.outputs.watch import WatchOutput
    from ftbench.run.progress_file import Watched
    from ftbench.run.views import curve, line, under_way, view

    watched = Watched(run)
    progress, age = watched.read()
    if once or ui.json:
        ui.line(progress.name, "strong")
        for text in dict.fromkeys([line(progress), under_way(progress), curve(progress)]):
            if text:
                ui.line(text)
        if told := _silence(progress, age, shell("ftbench", "run", "--resume", str(run))):
            ui.line(told, "warning")
        ui.answer(WatchOutput.of(progress, age))
        return
    silent = False
    with view() as listener:
        while True:
            listener.show(progress)
            if progress.phase == "done":
                break
            told = _silence(progress, age, shell("ftbench", "run", "--resume", str(run)))
            if told and not silent:
                listener.note(told)
            silent = bool(told)
            time.sleep(EVERY)
            progress, age = watched.read()
    ui.note(f"done; its report: {run / 'report.html'}")


def _silence(progress: Progress, age: float, resume: str) -> str:
    if progress.phase == "done" or age < SILENCE:
        return ""
    from ftbench.run.views import duration

    return f"no word from it for {duration(age)}: busy, stopped or killed; where it was stopped, go on with: {resume}"
