"""`ftbench evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench import codes
from ftbench.cli.options import (
    SPEC,
    ExistingFolder,
    eval_workers_option,
    example,
    json_option,
    out_option,
    store_option,
    unsafe_option,
)
from ftbench.cli.progress import EvaluationProgress
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.cli.outputs.result import EvaluateOutput
    from ftbench.data.store import Store


@click.command(
    "evaluate", epilog=example("ftbench evaluate runs/quickstart-1", "ftbench evaluate my-adapter --spec quickstart")
)
@click.argument("target", metavar="RUN|ADAPTER", type=ExistingFolder())
@click.option("--spec", type=SPEC, help="Benchmark whose tasks are asked; needed for an adapter, not for a run.")
@click.option("--model", metavar="NAME[@REVISION]", help="Base model of the adapter (default: the spec's).")
@click.option("--batch-size", type=click.IntRange(min=1), help="Prompts in one pass (default: as many as are safe).")
@click.option("--limit", type=click.IntRange(min=1), help="Ask an adapter only the first items of each task.")
@eval_workers_option
@out_option("Folder for answers and logs of an adapter (default: ADAPTER-evaluation beside it).")
@unsafe_option
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    target: Path,
    spec: str | None,
    model: str | None,
    batch_size: int | None,
    limit: int | None,
    eval_workers: int | None,
    out: Path | None,
    unsafe_no_sandbox: bool,
    store: str | None,
) -> None:
    """Score the adapter of a run again, or any LoRA adapter, on a benchmark's tasks.

    Answers are kept as they come: a killed evaluation goes on where it stopped.
    """
    from ftbench.data.store import Store
    from ftbench.errors import InvalidInput
    from ftbench.result.options import told

    where = Store.default(store)
    with EvaluationProgress(ui) as progress:
        if (target / "run.json").is_file():
            if spec or model or out or limit:
                raise click.UsageError("a run brings its own spec, model and folder, and all its items are asked")
            output = _run(target, where, batch_size, progress, eval_workers, unsafe=unsafe_no_sandbox)
        elif spec is None:
            from ftbench.diagnostics import Diagnostic, Place

            message = "this is no run folder, and for an adapter the benchmark must be named"
            raise InvalidInput(Diagnostic(codes.OPTION_NEEDS_OTHER, message, Place(str(target)), "add --spec SPEC"))
        else:
            folder = (out or target.parent / f"{target.name}-evaluation").absolute()
            output = _adapter(
                ui,
                target,
                spec,
                model=model,
                folder=folder,
                store=where,
                limit=limit,
                batch_size=batch_size,
                progress=progress,
                workers=eval_workers,
                unsafe=unsafe_no_sandbox,
            )
    for task, score in output.tasks.items():
        low, high = score.interval.low, score.interval.high
        ui.line(f"{task}: {score.correct} of {score.items}, {score.value:.1%} [{low:.1%}, {high:.1%}]")
        for scoring, other in output.also[task].items():
            silent = f", {other.unparsable} unparsable" if other.unparsable else ""
            ui.line(f"  {scoring}: {other.correct} of {other.items}, {other.value:.1%}{silent}")
    ui.line(
        f"mean: {output.mean.value:.1%} [{output.mean.interval.low:.1%}, {output.mean.interval.high:.1%}]", "strong"
    )
    if output.scores is not None:
        gain = output.scores.difference
        ui.line(f"against untuned: {gain.value:+.1%} [{gain.interval.low:+.1%}, {gain.interval.high:+.1%}]")
        if marked := told(output.scores):
            ui.line(marked, "warning")
    ui.answer(output)


def _run(
    target: Path,
    store: Store,
    batch_size: int | None,
    progress: EvaluationProgress,
    workers: int | None,
    *,
    unsafe: bool,
) -> EvaluateOutput:
    from ftbench.cli.benchmark import read_plan
    from ftbench.cli.outputs.result import EvaluateOutput
    from ftbench.compile.plan import PLAN
    from ftbench.result.score import score
    from ftbench.run.evaluation.evaluate import evaluate_run
    from ftbench.run.rundir import RunDir

    # Alone: a run that still goes on would be scored with half an adapter.
    with RunDir.open(target).alone():
        samples = evaluate_run(
            target.absolute(),
            store=store,
            on_progress=progress.update,
            batch_size=batch_size,
            workers=workers,
            unsafe_no_sandbox=unsafe,
        )
    plan = read_plan(target / "compiled" / PLAN)
    scores = score(samples, plan.typed_spec().evaluation)
    return EvaluateOutput(
        target=str(target),
        tasks={task: found.tuned for task, found in scores.tasks.items()},
        also={task: {name: other.tuned for name, other in found.also.items()} for task, found in scores.tasks.items()},
        mean=scores.tuned,
        scores=scores,
        folder=str(target / "evaluation"),
    )


def _adapter(
    ui: Ui,
    adapter: Path,
    spec: str,
    *,
    model: str | None,
    folder: Path,
    store: Store,
    limit: int | None,
    batch_size: int | None,
    progress: EvaluationProgress,
    workers: int | None,
    unsafe: bool,
) -> EvaluateOutput:
    from ftbench.cli.benchmark import commit_of, compiled
    from ftbench.cli.outputs.result import EvaluateOutput
    from ftbench.compile.folder import write
    from ftbench.run.base_model import bring
    from ftbench.run.evaluation.evaluate import evaluate_adapter
    from ftbench.run.preflight import check_resolved
    from ftbench.spec.entries import resolve_entry

    loaded, made = compiled(ui, spec)
    check_resolved(made.plan, spec)
    base = resolve_entry(loaded.spec, None, (), model, commit_of=commit_of(ui, store)).model
    bring(base, store, ui.note)
    scored = evaluate_adapter(
        write(made, folder / "compiled"),
        adapter.absolute(),
        base,
        store=store,
        out=folder,
        limit=limit,
        batch_size=batch_size,
        on_progress=progress.update,
        workers=workers,
        unsafe_no_sandbox=unsafe,
    )
    return EvaluateOutput(
        target=str(adapter), tasks=scored.tasks, also=scored.also, mean=scored.mean, scores=None, folder=str(folder)
    )
