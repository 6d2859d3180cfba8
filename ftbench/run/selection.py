"""Which of a setting's candidates wins: the least loss on the validation cut, read from their ledgers.

A trial is an ordinary run that ends when it has trained (FTB914). The test set is asked for the winner alone, which
goes on from there; the others stay trained and unscored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ftbench import codes
from ftbench.data.store import Store
from ftbench.errors import RunIncomplete
from ftbench.result import ledger
from ftbench.result.documents import Finished, Round, Selection
from ftbench.run import sweep
from ftbench.run.progress import Listener
from ftbench.run.sweep import Cell, SweepPlan
from ftbench.spec.trials import Contest, Ends
from ftbench.spec.vary import Setting


@dataclass(frozen=True, slots=True)
class Chosen:
    """The end of one contest."""

    winner: Setting
    selection: Selection
    ends: Ends
    """Knob → `least` or `greatest`, where the winner's number is that of those tried: a better one may lie beyond."""


def loss(cell: Cell) -> float | None:
    """Validation loss of the round whose adapter would be scored; None where the cell has not trained to its end."""
    path = cell.folder / "ledger.jsonl"
    if not path.is_file():
        return None
    bodies = [line.body for line in ledger.read(path, drop_torn=True)]
    if not bodies or not isinstance(bodies[-1], Finished):
        return None
    at = bodies[-1].round
    return next((one.validation_loss for one in bodies if isinstance(one, Round) and one.round == at), None)


def trials(sweep_plan: SweepPlan, contest: Contest) -> list[Cell]:
    """A cell for each candidate: its first seed, where the winner's own run will lie."""
    first = [replace(one, entries=one.entries[:1]) for one in contest.candidates]
    return sweep.cells(sweep_plan, first)


def carry_out(sweep_plan: SweepPlan, cell: Cell, store: Store, listener: Listener) -> float | None:
    """Train a candidate, or go on training it; nothing is evaluated. Its loss. Raises as `sweep.carry_out`."""
    if sweep.state(sweep_plan, cell) == "to-do" or loss(cell) is None:
        try:
            sweep.carry_out(_with(sweep_plan, train_only=True), cell, store, listener)
        except RunIncomplete as error:
            if error.diagnostics[0].code != codes.TRAINED_ONLY:
                raise
    return loss(cell)


def choose(contest: Contest, losses: Sequence[float | None], tuned: Sequence[str]) -> Chosen | None:
    """The candidate with the least loss, the first of equals; None where none has trained to its end."""
    known = [(value, place) for place, value in enumerate(losses) if value is not None]
    if not known:
        return None
    winner = contest.candidates[min(known)[1]]
    told = Selection(trials=len(losses), seed=winner.entries[0].seed, tuned=list(tuned), losses=list(losses))
    return Chosen(winner, told, _ends(contest, winner, tuned))


def _ends(contest: Contest, winner: Setting, tuned: Sequence[str]) -> Ends:
    found: Ends = {}
    for path in tuned:
        values = [one.values.get(path) for one in contest.candidates]
        tried = {value for value in values if isinstance(value, int | float) and not isinstance(value, bool)}
        if len(tried) > 1 and winner.values[path] in (min(tried), max(tried)):
            found[path] = "least" if winner.values[path] == min(tried) else "greatest"
    return found


def told_of(sweep_plan: SweepPlan, selection: Selection) -> SweepPlan:
    """The plan of the winner's runs, whose bundles say how it was chosen."""
    return _with(sweep_plan, selection=selection)


def _with(sweep_plan: SweepPlan, **options: object) -> SweepPlan:
    return replace(sweep_plan, options={**sweep_plan.options, **options})
