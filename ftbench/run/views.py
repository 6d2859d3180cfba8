"""Showing a run's progress on a terminal, or as plain lines where there is none. No logic of runs here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from ftbench.diagnostics import printable
from ftbench.result.budgets import MIB
from ftbench.run.progress import Listener, Phase, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

PHASES: dict[Phase, str] = {
    "prepare": "checking packages, data and disk",
    "train": "training",
    "references": "training references",
    "evaluate": "evaluating",
    "bundle": "writing the bundle",
    "done": "done",
}
PLAIN_STEPS = 4
"""Plain lines that an evaluation prints for each model."""
QUIET = 15.0
"""Seconds after which a plain view says again what is going on."""
LOADED = ", once they have loaded the model"
"""Of the first round of a start, which takes longest."""
BLOCKS = "▁▂▃▄▅▆▇█"
CURVE = 40
"""Rounds that the curve in a terminal has room for."""


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: float) -> str:
    """Bytes as people read them, in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def budget(progress: Progress) -> str:
    """`1.3 of 16.0 MiB (8 %)`: adapter bytes spent of the communication budget."""
    spent, limit = progress.bytes_spent, max(progress.bytes_budget, 1)
    return f"{spent / MIB:.1f} of {limit / MIB:.1f} MiB ({100 * spent / limit:.0f} %)"


def line(progress: Progress) -> str:
    """One line that says how far a run is."""
    parts = [PHASES[progress.phase]]
    if progress.phase == "train":
        if not progress.started:
            parts = [f"starting {progress.waiting or progress.engine}"]
        elif progress.round == 0:
            parts.append(f"round 1/{progress.rounds} under way")
            parts += [f"{progress.doing}{LOADED}"] if progress.doing else []
        else:
            loss = f"loss {progress.loss:.4f}" if progress.loss is not None else "no loss"
            parts += [f"round {progress.round}/{progress.rounds}", loss, budget(progress)]
    elif progress.phase == "references" and progress.references:
        number = min(progress.references_done + 1, progress.references)
        parts = [f"training reference {progress.reference} ({number} of {progress.references})"]
        parts.append(f"round {progress.reference_round}/{progress.rounds}")
    elif progress.phase == "evaluate" and progress.asked:
        parts = [f"evaluating {progress.scoring}", f"{progress.answered}/{progress.asked}"]
    left = progress.seconds_left
    if left is not None and round(left) > 0 and progress.phase in ("train", "references", "evaluate"):
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def under_way(progress: Progress) -> str:
    """What is being done this moment, and for how long already where that is known."""
    if progress.phase == "train" and progress.started and progress.round < progress.rounds:
        doing = f": {progress.doing}" if progress.doing else ""
        if progress.steps_done:
            doing += f", {progress.steps_done:,} of {progress.steps_asked:,} steps taken"
        elif doing and not progress.round:
            doing += LOADED
        return f"in round {progress.round + 1}/{progress.rounds} for {duration(progress.round_seconds)}{doing}"
    if progress.phase == "train" and 0 < progress.rounds <= progress.round:
        return f"ending the training, whose {progress.rounds} rounds are committed"
    return line(progress)


def curve(progress: Progress) -> str:
    """The training loss by round in blocks, the last rounds where there are many: `1.26 █▅▃▂▁ 0.277`."""
    losses = [one.loss for one in progress.history if one.loss is not None][-CURVE:]
    if len(losses) < 2:
        return ""
    low, high = min(losses), max(losses)
    top = len(BLOCKS) - 1
    drawn = "".join(BLOCKS[round((loss - low) / (high - low) * top) if high > low else 0] for loss in losses)
    return f"loss {losses[0]:.3g} {drawn} {losses[-1]:.3g}"


class PlainView:
    """A line for each thing that happened, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: tuple[object, ...] = ()
        self._told = 0.0

    def show(self, progress: Progress) -> None:
        """Print a line if phase, round or quarter of the evaluation changed, or nothing was printed for a while."""
        step = progress.answered * PLAIN_STEPS // max(progress.asked, 1)
        training = (progress.started, progress.waiting, progress.round, progress.references_done, progress.reference)
        now = (progress.phase, *training, progress.scoring, step)
        if now != self._last:
            self._last, self._told = now, progress.seconds
            self._print(f"[{duration(progress.seconds)}] {line(progress)}")
        elif progress.seconds - self._told >= QUIET:
            self._told = progress.seconds
            self._print(f"[{duration(progress.seconds)}] still {under_way(progress)}")

    def note(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def _print(self, text: str) -> None:
        print(printable(text), file=self._stream, flush=True)


class LiveView:
    """A few lines that change in place."""

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live

    def show(self, progress: Progress) -> None:
        """Draw it."""
        self._live.update(table(progress))

    def note(self, text: str) -> None:
        """Print it above."""
        self._console.print(printable(text), markup=False, highlight=False)


def table(progress: Progress) -> Table:
    """What the live view draws."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    done, total = _share(progress)
    drawn = Table.grid(padding=(0, 2))
    drawn.add_row(Text(printable(progress.name), style="bold"), Text(duration(progress.seconds), style="dim"))
    bar = ProgressBar(total=max(total, 1), completed=done, width=40, pulse=progress.phase == "train" and done == 0)
    drawn.add_row(bar, Text(printable(line(progress))))
    now, drawing = under_way(progress), curve(progress)
    if drawing or now != line(progress):
        drawn.add_row(Text(drawing, style="cyan"), Text(printable(now) if now != line(progress) else "", style="dim"))
    return drawn


def _share(progress: Progress) -> tuple[int, int]:
    """What the bar shows: how much of the phase is done, and of how much."""
    if progress.phase == "evaluate":
        return progress.answered, progress.asked
    if progress.phase == "references":
        total = progress.references * progress.rounds
        return min(progress.references_done * progress.rounds + progress.reference_round, total), total
    return progress.round, progress.rounds


@contextlib.contextmanager
def view(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Listener]:
    """A listener for the terminal: live where `stream` (standard error) is one and NO_COLOR is unset, else plain."""
    from ftbench.run.progress import Silent

    target = sys.stderr if stream is None else stream
    if quiet:
        yield Silent()
    elif not target.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        yield PlainView(target)
    else:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=target)
        with Live(console=console, refresh_per_second=5, transient=True) as live:
            yield LiveView(console, live)
