"""`ftbench run`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import SPEC, entry_options, example, json_option, out_option, store_option, unsafe_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled
    from ftbench.compile.plan import Plan
    from ftbench.run.progress import Listener, Progress
    from ftbench.run.summary import RunOutcome

ENGINES = {"flower": "flower-simulation", "inline": "inline"}
"""Name on the command line → the engine's own."""
QUICKSTART = "quickstart"


def _micro_batch(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """A whole number from 1 on, or -1 for `auto`, as the app takes it."""
    if text is None or text == "auto":
        return None if text is None else -1
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a whole number from 1 on nor `auto`")
    return int(text)


def _timeout(_context: click.Context, _option: click.Parameter, seconds: float | None) -> float | None:
    """Finite: every comparison with NaN is false, so such a watchdog would never bark."""
    if seconds is not None and not math.isfinite(seconds):
        raise click.BadParameter("it must be a finite number")
    return seconds


@click.command(
    "run",
    epilog=example(
        "ftbench run quickstart --set adapter.rank=4 --seed 2",
        "ftbench run specs/mine.yaml --entry entries/mine.yaml",
        "ftbench run --resume runs/quickstart-default-s1",
    ),
)
@click.argument("spec", required=False, type=SPEC)
@entry_options
@click.option(
    "--engine", type=click.Choice(list(ENGINES)), help="Flower's simulation (default), or one process after another."
)
@out_option("Folder for runs; each makes a folder of its own there (default: runs).")
@store_option
@click.option(
    "--resume",
    metavar="RUN",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Go on with a run that was stopped or killed.",
)
@click.option("--smoke", is_flag=True, help="1 round, 2 steps, 8 items: shows that it works; cannot be submitted.")
@click.option(
    "--micro-batch",
    metavar="N|auto",
    callback=_micro_batch,
    help="Examples in one pass; the batch stays whole. auto: all, halved whenever memory runs out.",
)
@click.option("--unpinned", is_flag=True, help="Let other package versions through; the result will not conform.")
@unsafe_option
@click.option(
    "--round-timeout",
    metavar="SECONDS",
    callback=_timeout,
    type=click.FloatRange(min=0, min_open=True),
    help="Longest time without progress (default: 3600).",
)
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    spec: str | None,
    entry: Path | None,
    sets: tuple[str, ...],
    model: str | None,
    seed: int | None,
    engine: str | None,
    out: Path | None,
    store: str | None,
    resume: Path | None,
    smoke: bool,
    micro_batch: int | None,
    unpinned: bool,
    unsafe_no_sandbox: bool,
    round_timeout: float | None,
) -> None:
    """Run a benchmark: train, score the model before and after, write the result bundle.

    SPEC is a spec, the name of a built-in one, or the folder of a compiled benchmark; without it the quickstart is
    run. Ctrl-C stops a run in order; --resume goes on with it at its last round.
    """
    from ftbench.cli.benchmark import commit_of
    from ftbench.data.store import Store
    from ftbench.run import runner
    from ftbench.run.preflight import check_resolved
    from ftbench.spec.entries import load_entry, resolve_entry

    if resume is not None:
        asked = (spec, entry, sets, model, seed, engine, out, micro_batch, round_timeout)
        flags = (smoke, unpinned, unsafe_no_sandbox)
        if any(flags) or any(value is not None and value != () for value in asked):
            raise click.UsageError("--resume goes on as the run began; only --store can be given with it")
        with _following(ui) as listener:
            outcome = runner.resume(resume, listener, store=Store.default(store) if store else None)
        _show(ui, outcome)
        return
    if spec is None:
        spec = QUICKSTART
        ui.note("running the quickstart; `ftbench run SPEC` runs another, `ftbench list specs` lists them", "note")
    compiled, plan = _benchmark(ui, spec)
    check_resolved(plan, spec)
    found = Store.default(store)
    given = load_entry(entry) if entry else None
    resolved = resolve_entry(plan.typed_spec(), given, sets, model, seed, commit_of=commit_of(ui, found))
    with _following(ui) as listener:
        outcome = runner.start(
            compiled,
            resolved,
            out=out or Path("runs"),
            store=found,
            engine=ENGINES[engine or "flower"],
            micro_batch=micro_batch or 0,
            smoke=smoke,
            unpinned=unpinned,
            unsafe_no_sandbox=unsafe_no_sandbox,
            round_timeout=3600.0 if round_timeout is None else round_timeout,
            listener=listener,
            spec=spec,
        )
    _show(ui, outcome)


class _Remembering:
    """Passes on what a run tells, and remembers where it lies."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.run_dir: Path | None = None

    def show(self, progress: Progress) -> None:
        """Pass it on."""
        self.run_dir = progress.run_dir
        self._listener.show(progress)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._listener.note(text)


@contextlib.contextmanager
def _following(ui: Ui) -> Iterator[Listener]:
    """Live progress. Who stops a run with Ctrl-C is told how to go on with it."""
    from ftbench.cli.benchmark import shell
    from ftbench.run.views import view

    remembered: _Remembering | None = None
    try:
        with view() as listener:
            remembered = _Remembering(listener)
            yield remembered
    except KeyboardInterrupt:
        if remembered is not None and remembered.run_dir is not None:
            ui.note(f"stopped; go on with: {shell('ftbench', 'run', '--resume', str(remembered.run_dir))}", "note")
        raise


def _benchmark(ui: Ui, spec: str) -> tuple[Compiled | Path, Plan]:
    """What to run, with its plan: a spec compiled in memory, or a compiled folder as it is."""
    folder = Path(spec)
    if (folder / "plan.json").is_file():
        from ftbench.cli.benchmark import read_plan

        return folder, read_plan(folder / "plan.json")
    from ftbench.cli.benchmark import compiled

    _, made = compiled(ui, spec)
    return made, made.plan


def _show(ui: Ui, outcome: RunOutcome) -> None:
    from ftbench.cli.result_outputs import RunOutput
    from ftbench.run.summary import rows

    found = rows(outcome)
    width = max(len(name) for name, _ in found)
    for name, value in found:
        ui.line(f"{name:<{width}}  {value}")
    ui.answer(
        RunOutput(
            run_dir=str(outcome.run_dir),
            bundle=None if outcome.bundle is None else str(outcome.bundle),
            verify=outcome.verify_command or None,
            result=outcome.result,
        )
    )
