"""`ftbench run`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import SPEC, entry_options, example, json_option, out_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled
    from ftbench.run.progress import Listener, Progress
    from ftbench.run.summary import RunOutcome
    from ftbench.spec.model import Spec

ENGINES = {"flower": "flower-simulation", "inline": "inline"}
"""Name on the command line → the engine's own."""
QUICKSTART = "quickstart"


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
    "--micro-batch", metavar="N", type=click.IntRange(min=1), help="Examples in one pass; the batch stays whole."
)
@click.option("--unpinned", is_flag=True, help="Let other package versions through; the result will not conform.")
@click.option(
    "--round-timeout",
    metavar="SECONDS",
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
    round_timeout: float | None,
) -> None:
    """Run a benchmark: train, score the model before and after, write the result bundle.

    SPEC is a spec, the name of a built-in one, or the folder of a compiled benchmark; without it the quickstart is
    run. Ctrl-C stops a run in order; --resume goes on with it at its last round.
    """
    from ftbench.data.store import Store
    from ftbench.run import runner
    from ftbench.spec.entries import load_entry, resolve_entry

    if resume is not None:
        chosen = (spec, entry, sets, model, seed, engine, out, smoke, micro_batch, unpinned, round_timeout)
        if any(value is not None and value is not False and value != () for value in chosen):
            raise click.UsageError("--resume goes on as the run began; only --store can be given with it")
        with _following(ui) as listener:
            outcome = runner.resume(resume, listener, store=Store.default(store) if store else None)
        _show(ui, outcome)
        return
    if spec is None:
        spec = QUICKSTART
        ui.note("running the quickstart; `ftbench run SPEC` runs another, `ftbench list specs` lists them", "note")
    compiled, known = _benchmark(ui, spec)
    resolved = resolve_entry(known, load_entry(entry) if entry else None, sets, model, seed)
    with _following(ui) as listener:
        outcome = runner.start(
            compiled,
            resolved,
            out=out or Path("runs"),
            store=Store.default(store),
            engine=ENGINES[engine or "flower"],
            micro_batch=micro_batch or 0,
            smoke=smoke,
            unpinned=unpinned,
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


def _benchmark(ui: Ui, spec: str) -> tuple[Compiled | Path, Spec]:
    """What to run: a spec compiled in memory, or a compiled folder as it is."""
    folder = Path(spec)
    if (folder / "plan.json").is_file():
        from ftbench.cli.benchmark import read_plan

        return folder, read_plan(folder / "plan.json").typed_spec()
    from ftbench.cli.benchmark import compiled

    loaded, made = compiled(ui, spec)
    return made, loaded.spec


def _show(ui: Ui, outcome: RunOutcome) -> None:
    from ftbench.cli.outputs import RunOutput
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
