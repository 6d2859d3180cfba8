"""The trials of `ftbench sweep --select validation`: train every candidate, keep each setting's best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.board.sweep_model import SweepTrial
    from ftbench.data.store import Store
    from ftbench.errors import FtbenchError
    from ftbench.result.documents import Selection
    from ftbench.run.sweep import Cell, SweepPlan
    from ftbench.spec.trials import Contest, Ends
    from ftbench.spec.vary import Setting


@dataclass
class Won:
    """What the trials came to."""

    settings: list[Setting] = field(default_factory=list)
    """The winners, in the order of the contests; a contest without one has none."""
    selections: list[Selection] = field(default_factory=list)
    """How each was chosen."""
    ends: list[Ends] = field(default_factory=list)
    """Of each, knob → `least` or `greatest` of what was tried, where its number is that."""
    trials: list[SweepTrial] = field(default_factory=list)
    """Every trial."""
    failures: list[FtbenchError] = field(default_factory=list)
    """Of contests in which no trial trained to its end: the sweep lacks these settings."""


def listed(ui: Ui, sweep_plan: SweepPlan, contests: Sequence[Contest]) -> list[SweepTrial]:
    """Every trial and how far it is; nothing is run."""
    from ftbench.run import selection, sweep

    found = []
    for contest in contests:
        for one, cell in zip(contest.candidates, selection.trials(sweep_plan, contest), strict=True):
            loss = selection.loss(cell)
            found.append(_trial(cell, loss))
            how = sweep.state(sweep_plan, cell) if loss is None else f"loss {loss:.4f}"
            ui.line(f"{len(found):>4}  {how:<11}  {shown(one.values)}, seed {cell.entry.seed}  {cell.folder}")
    return found


def known(ui: Ui, sweep_plan: SweepPlan, contests: Sequence[Contest], tuned: Sequence[str]) -> Won:
    """The winners of trials that all have been made; nothing is trained, so that whoever asks sees the same.

    Raises InvalidInput (FTB918) where a trial has not begun, or none of a setting's has trained to its end.
    """
    from ftbench import codes
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import InvalidInput
    from ftbench.run import selection, sweep

    won = Won()
    for contest in contests:
        cells = selection.trials(sweep_plan, contest)
        losses = [selection.loss(cell) for cell in cells]
        waiting = sum(sweep.state(sweep_plan, cell) == "to-do" for cell in cells)
        if waiting or all(loss is None for loss in losses):
            why = f"{waiting} of its trials have not begun" if waiting else "none of its trials has trained to its end"
            hint = "the trials come first: the same command without --cell and --emit makes them"
            raise InvalidInput(Diagnostic(codes.SELECTION, f"{shown(contest.values)}: {why}", hint=hint))
        _concluded(ui, won, contest, cells, losses, [None] * len(cells), tuned)
    return won


def carry_out(ui: Ui, sweep_plan: SweepPlan, contests: Sequence[Contest], tuned: Sequence[str], store: Store) -> Won:
    """Train what is not trained yet. A trial that fails counts as one and cannot win.

    Raises what the first trial raised where no setting has a winner.
    """
    from ftbench.errors import FtbenchError
    from ftbench.run import selection
    from ftbench.run.views import duration, view

    won, total = Won(), sum(len(contest.candidates) for contest in contests)
    began, number, tried = time.monotonic(), 0, 0
    for contest in contests:
        losses: list[float | None] = []
        problems: list[FtbenchError | None] = []
        cells = selection.trials(sweep_plan, contest)
        for one, cell in zip(contest.candidates, cells, strict=True):
            number += 1
            losses.append(selection.loss(cell))
            problems.append(None)
            if losses[-1] is not None:
                continue
            left = (time.monotonic() - began) / tried * (total - number + 1) if tried else None
            tail = "" if left is None else f", about {duration(left)} left for trials"
            ui.note(f"trial {number} of {total}: {shown(one.values)}{tail}", "note")
            tried += 1
            try:
                with view() as listener:
                    losses[-1] = selection.carry_out(sweep_plan, cell, store, listener)
                ui.note(f"    validation loss {losses[-1]:.4f}", "dim")
            except FtbenchError as error:
                problems[-1] = error
                ui.diagnostics(error.diagnostics)
            except KeyboardInterrupt:
                ui.note("stopped; the same command goes on", "note")
                raise
        _concluded(ui, won, contest, cells, losses, problems, tuned)
    if not won.settings:
        raise won.failures[0]
    return won


def _concluded(  # noqa: PLR0917
    ui: Ui,
    won: Won,
    contest: Contest,
    cells: Sequence[Cell],
    losses: Sequence[float | None],
    problems: Sequence[FtbenchError | None],
    tuned: Sequence[str],
) -> None:
    """Add the end of one contest."""
    from ftbench.run import selection

    chosen = selection.choose(contest, losses, tuned)
    won.trials += [
        _trial(cell, value, problem, chosen=chosen is not None and one is chosen.winner)
        for one, cell, value, problem in zip(contest.candidates, cells, losses, problems, strict=True)
    ]
    if chosen is None:
        won.failures += [problem for problem in problems if problem is not None][:1]
        return
    won.settings.append(chosen.winner)
    won.selections.append(chosen.selection)
    won.ends.append(chosen.ends)
    ui.note(f"{shown(contest.values)}: {shown(chosen.winner.values)} of {len(losses)} trials", "note")
    for path, which in chosen.ends.items():
        ui.note(f"    that is the {which} {path} that was tried; a better one may lie beyond", "dim")


def _trial(cell: Cell, loss: float | None, problem: FtbenchError | None = None, *, chosen: bool = False) -> SweepTrial:
    from ftbench.board.sweep_model import SweepTrial

    return SweepTrial(
        setting=cell.entry.metadata.name,
        seed=cell.entry.seed,
        folder=cell.folder.name,
        loss=loss,
        chosen=chosen,
        code=problem.diagnostics[0].code if problem else None,
        problem=problem.diagnostics[0].message if problem else None,
    )


def shown(values: dict[str, Any]) -> str:
    """`path=value` of what is in force."""
    from ftbench.board.sweep_text import shown as value_of

    return ", ".join(f"{path}={value_of(value)}" for path, value in values.items() if value is not None)
