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
    from ftbench.run.sweep import SweepPlan
    from ftbench.spec.trials import Contest
    from ftbench.spec.vary import Setting


@dataclass
class Won:
    """What the trials came to."""

    settings: list[Setting] = field(default_factory=list)
    """The winners, in the order of the contests; a contest without one has none."""
    selections: list[Selection] = field(default_factory=list)
    """How each was chosen."""
    trials: list[SweepTrial] = field(default_factory=list)
    """Every trial."""
    failures: list[FtbenchError] = field(default_factory=list)
    """Of contests in which no trial trained to its end: the sweep lacks these settings."""


def listed(ui: Ui, sweep_plan: SweepPlan, contests: Sequence[Contest]) -> None:
    """Every trial and how far it is; nothing is run."""
    from ftbench.run import selection, sweep

    number = 0
    for contest in contests:
        for one, cell in zip(contest.candidates, selection.trials(sweep_plan, contest), strict=True):
            number += 1
            loss = selection.loss(cell)
            how = sweep.state(sweep_plan, cell) if loss is None else f"loss {loss:.4f}"
            ui.line(f"{number:>4}  {how:<11}  {shown(one.values)}, seed {cell.entry.seed}  {cell.folder}")


def carry_out(ui: Ui, sweep_plan: SweepPlan, contests: Sequence[Contest], tuned: Sequence[str], store: Store) -> Won:
    """Train what is not trained yet. A trial that fails counts as one and cannot win."""
    from ftbench.board.sweep_model import SweepTrial
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
        chosen = selection.choose(contest, losses, tuned)
        won.trials += [
            SweepTrial(
                setting=cell.entry.metadata.name,
                seed=cell.entry.seed,
                folder=cell.folder.name,
                loss=value,
                chosen=chosen is not None and one is chosen.winner,
                code=problem.diagnostics[0].code if problem else None,
                problem=problem.diagnostics[0].message if problem else None,
            )
            for one, cell, value, problem in zip(contest.candidates, cells, losses, problems, strict=True)
        ]
        if chosen is None:
            won.failures += [problem for problem in problems if problem is not None][:1]
            continue
        won.settings.append(chosen.winner)
        won.selections.append(chosen.selection)
        ui.note(f"{shown(contest.values)}: {shown(chosen.winner.values)} of {len(losses)} trials", "note")
    return won


def shown(values: dict[str, Any]) -> str:
    """`path=value` of what is in force."""
    from ftbench.board.sweep_text import shown as value_of

    return ", ".join(f"{path}={value_of(value)}" for path, value in values.items() if value is not None)
