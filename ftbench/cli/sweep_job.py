"""One sweep as the command carries it out: its cells, what became of each, the table at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftbench import codes
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.board.submission import Clusters
    from ftbench.board.sweep import Scored
    from ftbench.board.sweep_model import Sweep, SweepRun, SweepTrial
    from ftbench.cli.trials import Won
    from ftbench.data.store import Store
    from ftbench.errors import FtbenchError
    from ftbench.run.sweep import Cell, State, SweepPlan
    from ftbench.spec.vary import Setting


class Job:
    """One sweep: its cells, what became of each, and the table at the end."""

    def __init__(
        self,
        ui: Ui,
        sweep_plan: SweepPlan,
        settings: Sequence[Setting],
        cells: Sequence[Cell],
        won: Won | None = None,
    ) -> None:
        self.ui, self.sweep_plan, self.settings, self.cells, self.won = ui, sweep_plan, settings, cells, won

    def show(self, states: Sequence[State]) -> int:
        """List the cells; nothing is run or written."""
        for number, (cell, state) in enumerate(zip(self.cells, states, strict=True), 1):
            self.ui.line(f"{number:>4}  {state:<5}  {self._about(cell)}  {cell.folder}")
        self.ui.answer(
            self._document([self._run(cell, state) for cell, state in zip(self.cells, states, strict=True)], {})
        )
        return 0

    def trials(self, listed: Sequence[SweepTrial]) -> int:
        """Answer with the trials that would be trained, and how far each is."""
        self.ui.answer(self._document([], {}).model_copy(update={"trials": list(listed)}))
        return 0

    def carry_out(self, store: Store, states: Sequence[State]) -> int:
        """Run what is not whole, write the table, print it. Returns the exit code."""
        from ftbench.errors import FtbenchError
        from ftbench.run import sweep
        from ftbench.run.views import duration

        due = sum(state != "whole" for state in states)
        if skipped := len(states) - due:
            self.ui.note(f"{skipped} of {len(states)} runs are whole already", "note")
        failures: dict[Path, FtbenchError] = {}
        began, tried = time.monotonic(), 0
        for number, (cell, state) in enumerate(zip(self.cells, states, strict=True), 1):
            if state == "whole":
                continue
            left = f", about {duration((time.monotonic() - began) / tried * (due - tried))} left" if tried else ""
            doing = "going on with " if state == "begun" else ""
            self.ui.note(f"run {number} of {len(states)}: {doing}{self._about(cell)}{left}", "note")
            try:
                self._one(cell, store)
            except FtbenchError as error:
                failures[cell.folder] = error
                self.ui.diagnostics(error.diagnostics)
            tried += 1
        document = self._conclude(failures, store)
        self._write(document)
        self._name_reports(store)
        return sweep.exit_code([*failures.values(), *(self.won.failures if self.won else [])])

    def alone(self, number: int, store: Store, *, unpinned: bool) -> int:
        """Run one cell, while others may be run beside it. The table is left to whoever waits for all."""
        from ftbench.errors import FtbenchError
        from ftbench.run import sweep, sweep_many

        cell = self.cells[number - 1]
        failure: FtbenchError | None = None
        try:
            with sweep_many.hold_cell(self.sweep_plan.out, cell.folder):
                if sweep.state(self.sweep_plan, cell) != "whole":
                    sweep.prepare(self.sweep_plan, [cell], store, self.ui.note, unpinned=unpinned)
                    self._one(cell, store)
        except FtbenchError as error:
            failure = error
            self.ui.diagnostics(error.diagnostics)
        state = sweep.state(self.sweep_plan, cell)
        self.ui.answer(self._document([self._run(cell, state, failure=failure)], {}))
        return failure.exit_code if failure is not None else 0

    def emit(self, states: Sequence[State], command: list[str]) -> int:
        """Write the job script for the cells that are not whole."""
        from ftbench.atomic import write_file
        from ftbench.run import slurm, sweep

        folder = self.sweep_plan.out.absolute()
        due = [number for number, state in enumerate(states, 1) if state != "whole"]
        path = folder / slurm.SCRIPT
        name = self.sweep_plan.plan.metadata.name
        seconds = sweep.seconds_a_cell(self.cells, states)
        if not due:
            self.ui.line("every run is whole: there is nothing to submit")
        else:
            (folder / "logs").mkdir(exist_ok=True)
            text = slurm.script(command, due, name=name, folder=folder, cwd=Path.cwd(), seconds=seconds)
            write_file(path, text.encode())
            self._hours(len(due), 1, seconds)
            self.ui.line(f"sbatch {path}")
            self.ui.note("afterwards the sweep's own command, without --emit, writes the table", "note")
        runs = [self._run(cell, state) for cell, state in zip(self.cells, states, strict=True)]
        self.ui.answer(self._document(runs, {}))
        return 0

    def side_by_side(self, store: Store, states: Sequence[State], places: Sequence[str], command: list[str]) -> int:
        """Run what is not whole, one cell a device at a time, write the table, print it. Returns the exit code."""
        from ftbench.run import sweep, sweep_many
        from ftbench.run.views import duration

        due = [number for number, state in enumerate(states, 1) if state != "whole"]
        failures: dict[Path, FtbenchError] = {}
        busy: list[int] = []
        logs = self.sweep_plan.out.absolute() / "logs"
        self._hours(len(due), len(places), sweep.seconds_a_cell(self.cells, states))

        def started(one: sweep_many.Going) -> None:
            about = self._about(self.cells[one.number - 1])
            self.ui.note(f"run {one.number} of {len(states)} on {places[one.place]}: {about}; {one.log}", "note")

        def ended(one: sweep_many.Going, failure: FtbenchError | None) -> None:
            took = duration(time.monotonic() - one.began)
            if failure is None:
                self.ui.note(f"run {one.number} of {len(states)}: whole after {took}", "dim")
            elif failure.diagnostics[0].code == codes.BUSY:
                busy.append(one.number)
                self.ui.note(f"run {one.number} of {len(states)}: carried out by another process", "note")
            else:
                failures[self.cells[one.number - 1].folder] = failure
                self.ui.diagnostics(failure.diagnostics)

        try:
            sweep_many.work(due, places, command, logs, on_start=started, on_end=ended)
            if busy:  # by cells of a sweep that was killed a moment ago, perhaps
                free = sweep_many.freed(self.sweep_plan.out, {one: self.cells[one - 1].folder for one in busy})
                sweep_many.work(free, places, command, logs, on_start=started, on_end=ended)
        except KeyboardInterrupt:
            self.ui.note("stopped; the same command goes on", "note")
            raise
        self._write(self._conclude(failures, store))
        return sweep.exit_code(list(failures.values()))

    def _hours(self, cells: int, places: int, seconds: float | None) -> None:
        """What is left, by the cells that are whole."""
        from ftbench.run.views import duration

        if seconds is None:
            self.ui.note(f"{cells} runs to do; how long one takes is known when the first is whole", "note")
            return
        rounds = -(-cells // places)
        self.ui.note(f"{cells} runs to do of about {duration(seconds)} each: {duration(rounds * seconds)}", "note")

    def _one(self, cell: Cell, store: Store) -> None:
        from ftbench.run import sweep
        from ftbench.run.views import view

        try:
            with view() as listener:
                outcome = sweep.carry_out(self._plan_of(cell), cell, store, listener)
        except KeyboardInterrupt:
            self.ui.note("stopped; the same command goes on", "note")
            raise
        self.ui.note(f"    score {100 * outcome.scores.tuned.value:.1f} %", "dim")
        self._report(cell, store)

    def _report(self, cell: Cell, store: Store) -> None:
        """The cell's report. A run is no worse for a page that could not be written."""
        from ftbench.cli.report import write
        from ftbench.errors import FtbenchError

        try:
            write(cell.folder, cell.folder, store)
        except (FtbenchError, OSError) as error:
            self.ui.note(f"no report could be written: {error}", "warning")

    def _plan_of(self, cell: Cell) -> SweepPlan:
        from ftbench.run import selection

        return (
            self.sweep_plan
            if self.won is None
            else selection.told_of(self.sweep_plan, self.won.selections[cell.setting])
        )

    def _conclude(self, failures: dict[Path, FtbenchError], store: Store) -> Sweep:
        """The document, from the bundles on disk."""
        from ftbench.board.clusters import clustering
        from ftbench.board.sweep import read_scored
        from ftbench.errors import FtbenchError
        from ftbench.run import sweep

        scored: dict[Path, Scored] = {}
        for cell in self.cells:
            outcome = None if cell.folder in failures else sweep.whole(cell)
            if outcome is None or outcome.bundle is None:
                continue
            try:
                scored[cell.folder] = read_scored(outcome.bundle, self.sweep_plan.plan, store)
            except FtbenchError as error:
                failures[cell.folder] = error
                self.ui.diagnostics(error.diagnostics)
        runs = [self._run(cell, "to-do", scored.get(cell.folder), failures.get(cell.folder)) for cell in self.cells]
        return self._document(runs, scored, clustering(self.sweep_plan.plan, store).of_task)

    def _run(
        self, cell: Cell, state: State, scored: Scored | None = None, failure: FtbenchError | None = None
    ) -> SweepRun:
        from ftbench.board.sweep_model import SweepRun

        result = scored.result if scored is not None else None
        problem = failure.diagnostics[0] if failure is not None and failure.diagnostics else None
        return SweepRun(
            setting=cell.entry.metadata.name,
            seed=cell.entry.seed,
            folder=cell.folder.name,
            state="failed" if failure is not None else "whole" if result is not None else state,
            code=problem.code if problem else None,
            problem=problem.message if problem else None,
            adapter=result.adapter if result else None,
            ledger=result.ledger if result else None,
            score=result.scores.tuned.value if result else None,
        )

    def _document(self, runs: list[SweepRun], scored: dict[Path, Scored], clusters: Clusters | None = None) -> Sweep:
        from ftbench.board.sweep import rows
        from ftbench.board.sweep_model import Sweep

        metadata, evaluation = self.sweep_plan.plan.metadata, self.sweep_plan.plan.typed_spec().evaluation
        seeds = [entry.seed for entry in self.settings[0].entries]
        by_setting: list[dict[int, Scored]] = [{} for _ in self.settings]
        for cell in self.cells:
            if cell.folder in scored:
                by_setting[cell.setting][cell.entry.seed] = scored[cell.folder]
        made = rows(self.settings, seeds, by_setting, evaluation.confidence, clusters)
        if self.won and self.won.ends:
            made = [one.model_copy(update={"ends": ends}) for one, ends in zip(made, self.won.ends, strict=True)]
        return Sweep(
            name=metadata.name,
            version=metadata.version,
            spec_hash=self.sweep_plan.spec_hash,
            smoke=self.sweep_plan.smoke,
            confidence=evaluation.confidence,
            varied=list(self.settings[0].values),
            seeds=seeds,
            rows=made,
            runs=runs,
            tuned=self.won.selections[0].tuned if self.won and self.won.selections else [],
            trials=self.won.trials if self.won else [],
        )

    def _write(self, document: Sweep) -> None:
        from ftbench.atomic import write_file
        from ftbench.board import sweep_text
        from ftbench.spec.canonical import pretty

        folder = self.sweep_plan.out
        write_file(folder / "sweep.json", pretty(document.model_dump(mode="json")))
        write_file(folder / "table.csv", sweep_text.as_csv(document).encode())
        write_file(folder / "table.md", sweep_text.markdown(document).encode())
        console = self.ui.console
        for line in sweep_text.lines(document, console.width if console is not None else None):
            self.ui.line(line)
        self.ui.note(f"written to {folder}: table.md, table.csv, sweep.json")
        self.ui.answer(document)

    def _name_reports(self, store: Store) -> None:
        """Name the report of every whole run; one of an earlier ftbench that has none gets it now."""
        from ftbench.cli.report import HTML
        from ftbench.run import sweep

        whole = [cell for cell in self.cells if sweep.whole(cell) is not None]
        for cell in whole:
            if not (cell.folder / HTML).is_file():
                self._report(cell, store)
        made = [cell.folder.name for cell in whole if (cell.folder / HTML).is_file()]
        if made:
            self.ui.note(f"a report of each run: {self.sweep_plan.out / made[0] / HTML}")
            for name in made[1:]:
                self.ui.note(f"                      {self.sweep_plan.out / name / HTML}")

    def _about(self, cell: Cell) -> str:
        from ftbench.board.sweep_text import shown

        values = self.settings[cell.setting].values
        return ", ".join([*(f"{path}={shown(value)}" for path, value in values.items()), f"seed {cell.entry.seed}"])
