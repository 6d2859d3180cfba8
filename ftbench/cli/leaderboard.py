"""`ftbench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import (
    SPEC,
    benchmarks_option,
    example,
    json_option,
    require_option,
    signer_options,
    signers_of,
    store_option,
)
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.board.model import Board
    from ftbench.result.documents import Level


@click.command(
    "leaderboard",
    epilog=example("ftbench leaderboard runs", "ftbench leaderboard entries --format markdown --out TABLE.md"),
)
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--spec", type=SPEC, help="Hold every bundle to this spec, compiled here.")
@require_option
@benchmarks_option
@store_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "markdown", "csv", "json"]),
    help="How to print it (default: table).",
)
@click.option(
    "--curve",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw score against bytes into an SVG, where the spec scores within budgets.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead.")
@click.option("--explain", is_flag=True, help="Say how every figure of the table was made.")
@click.option("--unfold", is_flag=True, help="A line for each run below its row.")
@click.option(
    "--results",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take over what verifiers on the list of --signers decided there: levels, and carried results.",
)
@signer_options
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    folders: tuple[Path, ...],
    spec: str | None,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
    format_: str | None,
    curve: Path | None,
    out: Path | None,
    explain: bool,
    unfold: bool,
    results: Path | None,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
) -> None:
    """Verify every bundle below DIR and rank those that reach the level required.

    One table for each spec hash; rows of different hashes are never compared. Each task's first scoring ranks; the
    others stand beside it, and so do the untuned, local-only and centralised references. A bundle that cannot be
    believed is listed apart with the reason and never stops the rest. Without a format, the name of --out tells it.
    """
    from ftbench.board.clusters import clustering
    from ftbench.board.collect import collect, known_plans, verifier
    from ftbench.board.rank import build
    from ftbench.cli.benchmark import benchmark_folders
    from ftbench.data.store import Store
    from ftbench.spec.load import find_spec

    trusted = signers_of(signers, revoked, at)
    if (results is None) != (trusted is None):
        raise click.UsageError("--results goes with --signers: whose decisions count is the reader's choice")
    known = benchmark_folders(benchmarks)
    plans = known_plans(known)
    path = find_spec(spec) if spec else None
    if path is not None:
        from ftbench.cli.benchmark import compiled

        made = compiled(ui, str(path))[1]
        plans = {made.lock.spec_hash: made.plan, **plans}
    here = Store.default(store)
    verify = verifier(store=here, benchmarks=known, spec=path, required=require)
    found = collect(folders, verify, lambda name: ui.note(f"verifying {name}", "dim"), plans=plans, store=here)
    grouped = {
        spec_hash: clustering(plan, here)
        for spec_hash, plan in plans.items()
        if plan.reporting is not None and plan.reporting.clusters is not None
    }
    submissions = found.submissions
    if results is not None and trusted is not None:
        from ftbench.submit.rows import with_decisions

        submissions, told = with_decisions(submissions, results, trusted)
        for sentence in told:
            ui.note(sentence, "warning")
    board = build(submissions, found.refused, plans=plans, required=require, clusters=grouped)
    _show(ui, board, format_ or _by_name(out), out, explain=explain, unfold=unfold)
    if curve is not None:
        from ftbench.board.curve import svg

        _write(ui, svg(board), curve)
    ui.answer(board)


def _by_name(out: Path | None) -> str:
    endings = {".md": "markdown", ".csv": "csv", ".json": "json"}
    return endings.get(out.suffix.lower(), "table") if out else "table"


def _show(ui: Ui, board: Board, format_: str, out: Path | None, *, explain: bool, unfold: bool) -> None:
    from ftbench.board import render, sheet, terminal

    if out is None and ui.json:
        return
    console = ui.console if out is None and format_ == "table" else None
    if console is not None:
        for piece in terminal.terminal(board, console.width, explain=explain, unfold=unfold):
            console.print(piece)
        return
    if format_ == "table":
        text = terminal.plain(board, explain=explain, unfold=unfold)
    else:
        text = {"markdown": render.markdown, "csv": sheet.as_csv, "json": render.as_json}[format_](board)
    if out is None:
        ui.raw(text)
        return
    _write(ui, text, out)


def _write(ui: Ui, text: str, out: Path) -> None:
    from ftbench.atomic import write_file

    out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, text.encode())
    ui.note(f"written to {out}")
