"""`ftbench sweep`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ftbench import codes
from ftbench.cli.options import (
    SPEC,
    entry_option,
    eval_workers_option,
    example,
    json_option,
    keep_option,
    limit_options,
    limits_of,
    local_users_option,
    out_option,
    store_option,
    unsafe_option,
)
from ftbench.cli.run import ENGINES, _benchmark, _micro_batch, _timeout, engine_of
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.board.submission import Clusters
    from ftbench.board.sweep import Scored
    from ftbench.board.sweep_model import Sweep, SweepRun
    from ftbench.data.store import Store
    from ftbench.errors import FtbenchError
    from ftbench.run.sweep import Cell, State, SweepPlan
    from ftbench.spec.vary import Setting


class VaryType(click.ParamType[str]):
    """`PATH=VALUE,VALUE`; completes the paths that the spec leaves open."""

    name = "vary"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Knobs of the spec that stands on the command line already."""
        from ftbench.errors import FtbenchError
        from ftbench.spec.load import find_spec, load_spec
        from ftbench.spec.vary import paths

        try:
            found = paths(load_spec(find_spec(str(ctx.params.get("spec") or ""))).spec)
        except FtbenchError:
            return []
        return [CompletionItem(f"{path}=") for path in found if path.startswith(incomplete)]


@click.command(
    "sweep",
    epilog=example(
        "ftbench sweep quickstart --vary adapter.rank=2,4,8 --seeds 3",
        "ftbench sweep finance --vary strategy.kind=fedavg,fedprox --set strategy.mu=0.1 --vary model=A,B",
    ),
)
@click.argument("spec", type=SPEC)
@click.option(
    "--vary",
    "varied",
    metavar="PATH=VALUE,VALUE",
    type=VaryType(),
    multiple=True,
    required=True,
    help="Values of one knob, or of `model`; may be given repeatedly: the product is run.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many of the spec's seeds, from the first.",
)
@entry_option
@click.option("--set", "sets", metavar="PATH=VALUE", multiple=True, help="Set one knob in every run; may be repeated.")
@click.option("--model", metavar="NAME[@REVISION]", help="Base model of every run, where the spec leaves it open.")
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    help="Flower's simulation (default where it can have a network of its own), or one process after another.",
)
@local_users_option
@out_option("Folder of the sweep (default: runs/sweep-NAME-DIGEST, the same for the same sweep).")
@store_option
@click.option("--smoke", is_flag=True, help="1 round, 2 steps, 8 items a run: shows that every setting works.")
@click.option("--micro-batch", metavar="N|auto", callback=_micro_batch, help="As `ftbench run` takes it.")
@click.option("--unpinned", is_flag=True, help="Let other package versions through; no result will conform.")
@keep_option
@unsafe_option
@click.option(
    "--round-timeout",
    metavar="SECONDS",
    callback=_timeout,
    type=click.FloatRange(min=0, min_open=True),
    help="Longest time without progress in a run (default: 3600).",
)
@limit_options
@eval_workers_option
@click.option(
    "--devices",
    "asked_devices",
    metavar="0-7|0,2|cpu,cpu",
    help="Several runs at once, one a device; `cpu,cpu`: two that part the cores.",
)
@click.option(
    "--emit",
    type=click.Choice(["slurm"]),
    help="Run nothing; write an array job, a task a run, that goes on after a time limit and needs no network.",
)
@click.option("--cell", metavar="N", type=click.IntRange(min=1), help="Only run number N, beside others of the sweep.")
@click.option("--dry-run", is_flag=True, help="Only list the runs and how far each is.")
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    spec: str,
    varied: tuple[str, ...],
    seeds: int,
    entry: Path | None,
    sets: tuple[str, ...],
    model: str | None,
    engine: str | None,
    allow_local_users: bool,
    out: Path | None,
    store: str | None,
    smoke: bool,
    micro_batch: int | None,
    keep: int | None,
    unpinned: bool,
    unsafe_no_sandbox: bool,
    round_timeout: float | None,
    max_seconds: float | None,
    max_memory: float | None,
    max_device_memory: float | None,
    eval_workers: int | None,
    asked_devices: str | None,
    emit: str | None,
    cell: int | None,
    dry_run: bool,
) -> int:
    """Run every combination of values, each over several seeds, and compare the settings in one table.

    Every run lies in the sweep's folder with its own bundle. The same command goes on where it was stopped: whole runs
    are skipped, others resumed, failed ones tried again. A setting that the spec does not allow is refused before
    anything begins. Of a parameter that only some strategies use, the others' runs are made without it. The table
    (table.md, table.csv, sweep.json) compares each setting with the first on the same items.
    """
    from ftbench.cli.benchmark import commit_of
    from ftbench.data.store import Store
    from ftbench.run import sweep
    from ftbench.run.conclude import read_compiled
    from ftbench.run.preflight import check_resolved
    from ftbench.spec import vary
    from ftbench.spec.entries import load_entry

    compiled, plan = _benchmark(ui, spec)
    check_resolved(plan, spec)
    found = Store.default(store)
    given = load_entry(entry) if entry else None
    typed = plan.typed_spec()
    settings = vary.settings(typed, given, varied, seeds, sets=sets, model=model, commit_of=commit_of(ui, found))
    spec_hash = read_compiled(compiled)[2]
    folder = out or Path("runs") / sweep.default_folder(plan, spec_hash, settings, smoke=smoke)
    options: dict[str, Any] = {
        "engine": engine_of(ui, engine, allowed=allow_local_users),
        "allow_local_users": allow_local_users,
        "micro_batch": micro_batch or 0,
        "eval_workers": eval_workers,
        "unpinned": unpinned,
        "unsafe_no_sandbox": unsafe_no_sandbox,
        "round_timeout": 3600.0 if round_timeout is None else round_timeout,
        "keep_every": keep or 0,  # a sweep is many runs
        "limits": limits_of(max_seconds, max_memory, max_device_memory),
    }
    sweep_plan = sweep.SweepPlan(compiled, plan, spec_hash, folder, smoke, spec, options)
    planned = sweep.cells(sweep_plan, settings)
    job = _Job(ui, sweep_plan, settings, planned)
    if cell is not None and cell > len(planned):
        raise click.UsageError(f"--cell {cell}: the sweep has {len(planned)} runs")
    if sum(map(bool, (asked_devices, emit, cell))) > 1:
        raise click.UsageError("give one of --devices, --emit and --cell")
    if dry_run:
        return job.show(sweep.look(sweep_plan, planned))
    places = devices_of(asked_devices) if asked_devices else []
    with sweep.hold_sweep(folder, shared=bool(cell or places or emit)):
        states = sweep.look(sweep_plan, planned)
        due = [one for one, state in zip(planned, states, strict=True) if state != "whole"]
        if cell is not None:
            return job.alone(cell, found, unpinned=unpinned)
        sweep.prepare(sweep_plan, due, found, ui.note, unpinned=unpinned)
        if emit:
            return job.emit(states, again(click.get_current_context(), folder))
        if places:
            return job.side_by_side(found, states, places, again(click.get_current_context(), folder))
        return job.carry_out(found, states)


def devices_of(text: str) -> list[str]:
    """What `--devices` names. Raises InvalidInput (FTB531)."""
    from ftbench.run.engines import devices
    from ftbench.run.sweep_many import devices as named

    return named(text, devices.found)


def again(context: click.Context, folder: Path) -> list[str]:
    """The command line that makes the same sweep in that folder, without `--devices`, `--emit` and `--json`."""
    from ftbench.run.sweep_many import own_command

    words = [*own_command(), "sweep"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if isinstance(parameter, click.Argument):
            words.append(_placed(str(value)))
        elif parameter.name in _NOT_AGAIN or value in (None, False, ()):
            continue
        else:
            name = max(parameter.opts, key=len)
            written = _WRITTEN.get(parameter.name or "", str)
            values = value if isinstance(value, tuple) else (value,)
            words += [name] if value is True else [word for one in values for word in (name, written(one))]
    return [*words, "--out", str(folder.absolute())]


_NOT_AGAIN = {"asked_devices", "emit", "cell", "dry_run", "out", "json_"}
_WRITTEN: dict[str, Callable[[Any], str]] = {
    "micro_batch": lambda number: "auto" if number < 0 else str(number),
    "keep": lambda number: {-1: "auto", 0: "none"}.get(number, f"every {number}"),
    "entry": lambda path: str(Path(path).absolute()),
    "store": lambda text: os.pathsep.join(str(Path(one).absolute()) for one in text.split(os.pathsep)),
}
"""Options whose value is not what was written: name → how to write it again, good from any folder."""


def _placed(spec: str) -> str:
    """A spec as it is found from any folder."""
    return str(Path(spec).absolute()) if Path(spec).exists() else spec


class _Job:
    """One sweep: its cells, what became of each, and the table at the end."""

    def __init__(self, ui: Ui, sweep_plan: SweepPlan, settings: Sequence[Setting], cells: Sequence[Cell]) -> None:
        self.ui, self.sweep_plan, self.settings, self.cells = ui, sweep_plan, settings, cells

    def show(self, states: Sequence[State]) -> int:
        """List the cells; nothing is run or written."""
        for number, (cell, state) in enumerate(zip(self.cells, states, strict=True), 1):
            self.ui.line(f"{number:>4}  {state:<5}  {self._about(cell)}  {cell.folder}")
        self.ui.answer(
            self._document([self._run(cell, state) for cell, state in zip(self.cells, states, strict=True)], {})
        )
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
        return sweep.exit_code(list(failures.values()))

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
        self._hours(len(due), len(places), sweep.seconds_a_cell(self.cells, states))

        def started(one: sweep_many.Going) -> None:
            about = self._about(self.cells[one.number - 1])
            self.ui.note(f"run {one.number} of {len(states)} on {places[one.place]}: {about}; {one.log}", "note")

        def ended(one: sweep_many.Going, failure: FtbenchError | None) -> None:
            took = duration(time.monotonic() - one.began)
            if failure is None:
                self.ui.note(f"run {one.number} of {len(states)}: whole after {took}", "dim")
            elif failure.diagnostics[0].code == codes.BUSY:
                self.ui.note(f"run {one.number} of {len(states)}: carried out by another process", "note")
            else:
                failures[self.cells[one.number - 1].folder] = failure
                self.ui.diagnostics(failure.diagnostics)

        try:
            sweep_many.work(
                due, places, command, self.sweep_plan.out.absolute() / "logs", on_start=started, on_end=ended
            )
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
                outcome = sweep.carry_out(self.sweep_plan, cell, store, listener)
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
        return Sweep(
            name=metadata.name,
            version=metadata.version,
            spec_hash=self.sweep_plan.spec_hash,
            smoke=self.sweep_plan.smoke,
            confidence=evaluation.confidence,
            varied=list(self.settings[0].values),
            seeds=seeds,
            rows=rows(self.settings, seeds, by_setting, evaluation.confidence, clusters),
            runs=runs,
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
