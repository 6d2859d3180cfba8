"""A sweep's cells: ordinary runs in one folder, each whole, begun, failed or still to do.

Nothing is remembered beside the runs themselves: what is whole is told by its bundle, so that the same command, given
again after any end, skips what is whole and goes on with the rest.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ftbench import codes
from ftbench.compile.compiler import Compiled
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed
from ftbench.run import conclude, knowable, preflight, runner
from ftbench.run.base_model import bring
from ftbench.run.progress import Listener
from ftbench.run.rundir import BEGINNINGS, RunDir
from ftbench.run.summary import RunOutcome
from ftbench.spec.canonical import digest
from ftbench.spec.entries import entry_digest
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.vary import Setting

State = Literal["whole", "begun", "to-do"]
RESUMED = ("limits", "allow_local_users", "train_only", "selection")
"""Options of a start that going on takes too."""
DIGITS = 8
"""Of the sweep's digest in its folder's name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep."""

    setting: int
    """Number of its setting, from 0 on."""
    entry: ResolvedEntry
    folder: Path
    """Where its run lies, or will lie."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What a sweep runs, and how. All its cells share it."""

    compiled: Compiled | Path
    plan: Plan
    spec_hash: str
    out: Path
    """The sweep's folder; the runs lie directly in it."""
    smoke: bool = False
    spec: str = ""
    """How the user named the benchmark."""
    options: dict[str, Any] = field(default_factory=dict)
    """What else `runner.start` is given."""


def default_folder(plan: Plan, spec_hash: str, settings: Sequence[Setting], *, smoke: bool) -> str:
    """Name of a sweep's folder: the same for the same benchmark, settings and seeds."""
    entries = [entry_digest(entry) for setting in settings for entry in setting.entries]
    return f"sweep-{plan.metadata.name}-{digest([spec_hash, entries, smoke])[:DIGITS]}"


def cells(sweep: SweepPlan, settings: Sequence[Setting]) -> list[Cell]:
    """Every run, seeds of a setting after one another."""
    name = sweep.plan.metadata.name
    return [
        Cell(number, entry, sweep.out.absolute() / f"{name}-{entry.metadata.name}-s{entry.seed}")
        for number, setting in enumerate(settings)
        for entry in setting.entries
    ]


def state(sweep: SweepPlan, cell: Cell) -> State:
    """How far a cell is. Raises InvalidInput (FTB513) where its folder holds another run."""
    if not (cell.folder / "run.json").is_file():
        return "to-do"
    run = RunDir.open(cell.folder)
    settings = run.settings()
    other = [
        what
        for what, differs in (
            ("benchmark", settings.spec_hash != sweep.spec_hash),
            ("entry", entry_digest(run.entry()) != entry_digest(cell.entry)),
            ("smoke setting", settings.smoke != sweep.smoke),
        )
        if differs
    ]
    if other:
        message = f"this folder holds a run with another {' and '.join(other)}"
        hint = "give the sweep another folder with `--out`"
        raise InvalidInput(Diagnostic(codes.OTHER_RUN, message, Place(str(cell.folder)), hint))
    return "begun" if conclude.finished(run) is None else "whole"


def look(sweep: SweepPlan, planned: Sequence[Cell]) -> list[State]:
    """How far each cell is. Raises InvalidInput with every folder that holds another run."""
    found: list[State] = []
    wrong: list[Diagnostic] = []
    for cell in planned:
        try:
            found.append(state(sweep, cell))
        except InvalidInput as error:
            wrong += error.diagnostics
    if wrong:
        raise InvalidInput(wrong)
    return found


def prepare(
    sweep: SweepPlan, due: Sequence[Cell], store: Store, tell: Callable[[str], None], *, unpinned: bool
) -> None:
    """Look once at packages, data and disk, and get every base model, before the first cell begins.

    Raises MissingResource with all that stands in the way of any cell, before that InvalidInput for cells whose base
    model, targets and budgets cannot pass.
    """
    knowable.check_choices(sweep.plan, [cell.entry for cell in due], store, tell)
    found: list[Diagnostic] = []
    entries = {(cell.entry.model.name, cell.entry.model.revision): cell.entry for cell in due}
    fetch = functools.partial(bring, store=store, tell=tell)
    for entry in entries.values():
        try:
            preflight.check_before_run(
                sweep.plan, entry, store, sweep.out, unpinned=unpinned, spec=sweep.spec, bring=fetch
            )
        except MissingResource as error:
            found += error.diagnostics
    if found:
        raise MissingResource(list(dict.fromkeys(found)))


def carry_out(sweep: SweepPlan, cell: Cell, store: Store, listener: Listener) -> RunOutcome:
    """Run one cell from its beginning, or go on with it. Raises as `runner.start` and `runner.resume`."""
    if state(sweep, cell) != "to-do":
        again = {name: sweep.options[name] for name in RESUMED if name in sweep.options}
        return runner.resume(cell.folder, listener, store=store, **again)
    _clear(cell.folder)
    return runner.start(
        sweep.compiled,
        cell.entry,
        out=sweep.out,
        store=store,
        smoke=sweep.smoke,
        listener=listener,
        spec=sweep.spec,
        **sweep.options,
    )


def whole(cell: Cell) -> RunOutcome | None:
    """A cell's outcome, where it has one."""
    return conclude.finished(RunDir(cell.folder)) if (cell.folder / "run.json").is_file() else None


def seconds_a_cell(planned: Sequence[Cell], states: Sequence[State]) -> float | None:
    """Mean wall time of the cells that are whole, over all their starts; None where none is."""
    taken = [
        conclude.spent_seconds(RunDir(cell.folder))
        for cell, told in zip(planned, states, strict=True)
        if told == "whole"
    ]
    return sum(taken) / len(taken) if taken else None


@contextlib.contextmanager
def hold_sweep(out: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the sweep's folder, `shared` with others who hold it so and lock each cell.

    Raises RunFailed (FTB500) where another sweep holds it, MissingResource (FTB501).
    """
    import fcntl

    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / ".lock").open("a")
    except OSError as error:
        message = f"cannot make the sweep's folder: {error.strerror}"
        raise MissingResource(Diagnostic(codes.NOT_A_RUN, message, Place(str(out)))) from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            hint = "wait until it is done, or stop it"
            raise RunFailed(
                Diagnostic(codes.BUSY, "another sweep works in this folder", Place(str(out)), hint)
            ) from None
        yield


def exit_code(failures: Sequence[FtbenchError]) -> int:
    """0 where no cell failed; the failures' own where all have the same; else that of a run that failed."""
    kinds = {failure.exit_code for failure in failures}
    return kinds.pop() if len(kinds) == 1 else RunFailed.exit_code if kinds else 0


def _clear(folder: Path) -> None:
    """Remove what a start left that was killed before it had begun. Raises InvalidInput (FTB513) for anything else."""
    if not folder.exists():
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    if {name for name in names if not name.startswith(".")} - BEGINNINGS:
        hint = "move it away, or give the sweep another folder with `--out`"
        raise InvalidInput(
            Diagnostic(codes.OTHER_RUN, "what lies here is no run of the sweep", Place(str(folder)), hint)
        )
    shutil.rmtree(folder)
