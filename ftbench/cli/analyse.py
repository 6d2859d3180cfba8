"""`ftbench analyse`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import (
    SPEC,
    ExistingFile,
    benchmarks_option,
    example,
    json_option,
    require_option,
    store_option,
)
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.analysis.documents import Analysis
    from ftbench.result.documents import Level


@click.command(
    "analyse",
    epilog=example(
        "ftbench analyse runs/sweep-finance-1a2b3c4d",
        "ftbench analyse results/bundles --claims specs/paper/strategies.yaml --out analysis.html",
    ),
)
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--claims",
    "files",
    metavar="FILE",
    multiple=True,
    type=ExistingFile(),
    help="Sweep files whose claims are judged; may be given repeatedly.",
)
@click.option("--spec", type=SPEC, help="Hold every bundle to this spec, compiled here.")
@require_option
@benchmarks_option
@store_option
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.9999),
    default=0.95,
    show_default=True,
    help="Of the whole analysis: shares, pairs and claims have a third of the error each.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to a file instead: .json, .md or .html.",
)
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    folders: tuple[Path, ...],
    files: tuple[Path, ...],
    spec: str | None,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
    confidence: float,
    out: Path | None,
) -> None:
    """Say what many runs say together: which factor moves the score, which levels are apart, which claims stand.

    Every bundle below DIR is verified; those below --require are left out and listed. Factors are whatever the runs
    differ in. Shares of variance are those of a plain analysis of variance, differences are paired on the same items
    and seeds, and every interval is wide enough for all of its kind to hold together.
    """
    from ftbench.analysis.analyse import analyse
    from ftbench.base_models.lookup import look_up
    from ftbench.board.collect import collect, verifier
    from ftbench.cli.gathering import known
    from ftbench.data.store import Store
    from ftbench.spec import sweep_file

    claims = [claim for file in files for claim in sweep_file.load(file).claims]
    opened = Store.default(store)
    folders_known, plans, path = known(ui, benchmarks, spec)
    verify = verifier(store=opened, benchmarks=folders_known, spec=path, required=require)
    found = collect(folders, verify, lambda name: ui.note(f"verifying {name}", "dim"), plans=plans, store=opened)
    made = analyse(
        found.submissions,
        plans,
        facts=lambda name, revision: look_up(name, revision, opened),
        stated=claims,
        required=require,
        confidence=confidence,
        refused=[f"{one.path}: {one.reason}" for one in found.refused],
    )
    _show(ui, made, out)
    ui.answer(made)


def _show(ui: Ui, made: Analysis, out: Path | None) -> None:
    from ftbench.analysis import text

    if out is None:
        for line in text.lines(made):
            ui.line(line)
        return
    from ftbench.atomic import write_file
    from ftbench.spec.canonical import pretty

    ending = out.suffix.lower()
    if ending == ".json":
        data = pretty(made.model_dump(mode="json"))
    elif ending in (".html", ".htm"):
        from ftbench.site.analysis import alone

        data = alone(made)
    else:
        data = text.markdown(made).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, data)
    ui.note(f"written to {out}")
