"""`ftbench merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ftbench.cli.options import ExistingFolder, example, json_option, store_option
from ftbench.cli.progress import EvaluationProgress
from ftbench.cli.ui import Ui


@click.command(
    "merge",
    epilog=example("ftbench merge runs/quickstart-default-s1", "ftbench merge RUN --out served --gguf ~/llama.cpp"),
)
@click.argument("run", metavar="RUN", type=ExistingFolder())
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the model goes (default: RUN-merged beside it).",
)
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    show_default=True,
    help="Element type of the merged weights.",
)
@click.option(
    "--gguf", metavar="LLAMA.CPP", type=click.Path(path_type=Path), help="Write GGUF too, by llama.cpp's own script."
)
@click.option("--no-score", is_flag=True, help="Only write the weights.")
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    run: Path,
    out: Path | None,
    dtype: Literal["bfloat16", "float32"],
    gguf: Path | None,
    no_score: bool,
    store: str | None,
) -> None:
    """Merge a run's adapter into its base weights, and say what that does to the score.

    The merged weights are safetensors with a model card and the base model's tokenizer. They answer the run's own
    items, and the difference to the adapter beside the weights that it was trained on is told with its paired interval.
    """
    from ftbench.cli.outputs.result import MergeOutput
    from ftbench.data.store import Store
    from ftbench.run import merging
    from ftbench.run.rundir import RunDir

    opened, held = Store.default(store), RunDir.open(run)
    target = (out or run.parent / f"{run.name}-merged").absolute()
    with held.alone():
        ui.note("merging")
        outcome = merging.merge(held, opened, target, dtype)
        ui.line(f"written to {target}: {dtype}, {sum(p.stat().st_size for p in target.iterdir()) / 2**20:,.1f} MiB")
        scores, furthest = None, None
        if not no_score:
            with EvaluationProgress(ui) as progress:
                scores, furthest = merging.compare(held, opened, target, dtype, progress.update)
    if scores is not None:
        difference, low, high = scores.difference, scores.difference.interval.low, scores.difference.interval.high
        ui.line(f"adapter  {scores.untuned.value:.1%}, the run's own score {outcome.scores.tuned.value:.1%}")
        ui.line(
            f"merged   {scores.tuned.value:.1%}, {difference.value:+.1%} [{low:+.1%}, {high:+.1%}] on the same items"
        )
        ui.line(f"answers  {difference.gained} right only when merged, {difference.lost} right only before")
        if furthest is not None:
            ui.line(f"furthest log-likelihoods: {furthest:.3g} nats apart")
    if gguf is not None:
        file = target / f"{target.name}.gguf"
        merging.to_gguf(target, gguf, file)
        ui.line(f"written to {file}, by llama.cpp; nothing was asked of it")
    ui.answer(MergeOutput(out=str(target), dtype=dtype, scores=scores, furthest_loglikelihood=furthest))
