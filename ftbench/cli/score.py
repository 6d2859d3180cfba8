"""`ftbench score`."""

from __future__ import annotations

from pathlib import Path

import click

from ftbench.cli.options import SPEC, example, json_option, store_option
from ftbench.cli.ui import Ui


@click.command(
    "score",
    epilog=example(
        "ftbench score samples_medqa_2026-01-01.jsonl --spec medical --task medqa",
        "ftbench score generation_pubmedqa_fl.jsonl --spec medical --scoring flowertune",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--spec", type=SPEC, required=True, help="The benchmark whose items were answered.")
@click.option("--task", metavar="TASK", help="The test set; needed where the file's name does not tell it.")
@click.option(
    "--scoring",
    "scorings",
    metavar="NAME",
    multiple=True,
    help="Only this scoring of the task; may be given repeatedly.",
)
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, *, file: Path, spec: str, task: str | None, scorings: tuple[str, ...], store: str | None) -> None:
    """Score recorded answers to one test set by every scoring of a spec that they allow.

    FILE has a bundle's samples, lm-eval's samples (--log_samples), FlowerTune's generations, or JSON lines with `text`
    or `loglikelihoods`. The items come from the store; nothing is asked of a model. Programs run in the sandbox.
    """
    from ftbench.cli.benchmark import load, pins_of
    from ftbench.cli.outputs.trust import ScoreOutput
    from ftbench.data.store import Store
    from ftbench.recorded import formats, scoring

    loaded = load(ui, spec)
    recorded = formats.read(file)
    chosen = scoring.task_named(loaded.spec, task, file)
    items = scoring.items_of(chosen, pins_of(ui, loaded), Store.default(store))
    chosen = scoring.only(chosen, scorings)
    found = scoring.scored(recorded, chosen, items, loaded.spec.evaluation, file)
    ui.line(f"{chosen.name}: {len(items)} items, answers as {recorded.kind} keeps them")
    for model, scores in found.items():
        for name, one in scores.items():
            low, high = one.interval.low, one.interval.high
            silent = f", {one.unparsable} unparsable" if one.unparsable else ""
            ui.line(f"{model}, {name}: {one.correct} of {one.items}, {one.value:.2%} [{low:.1%}, {high:.1%}]{silent}")
    for note in recorded.notes:
        ui.line(f"not told: {note}", "dim")
    ui.answer(
        ScoreOutput(file=str(file), kind=recorded.kind, task=chosen.name, models=found, not_told=list(recorded.notes))
    )
