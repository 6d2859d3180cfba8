"""`ftbench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.gathering import results_option
from ftbench.cli.options import (
    SPEC,
    ExistingFile,
    benchmarks_option,
    example,
    json_option,
    policy_of,
    policy_option,
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
@click.option(
    "--withdrawn",
    metavar="FILE",
    type=ExistingFile(),
    help="Bundles that were taken back, with the reason (JSON).",
)
@click.option("--explain", is_flag=True, help="Say how every figure of the table was made.")
@click.option("--unfold", is_flag=True, help="A line for each run below its row.")
@results_option
@policy_option
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
    withdrawn: Path | None,
    explain: bool,
    unfold: bool,
    results: Path | None,
    policy: Path | None,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
) -> None:
    """Verify every bundle below DIR and rank those that reach the level required.

    One table for each spec hash; rows of different hashes are never compared. Each task's first scoring ranks; the
    others stand beside it, and so do the untuned, local-only and centralised references. A bundle that cannot be
    believed is listed apart with the reason and never stops the rest. Without a format, the name of --out tells it.
    """
    from ftbench.board.gather import gather
    from ftbench.board.withdrawn import load_withdrawn
    from ftbench.cli.gathering import Decisions, Others, known
    from ftbench.data.store import Store

    trusted = signers_of(signers, revoked, at)
    if policy is not None and trusted is None:
        raise click.UsageError("--policy goes with --signers: it names signers")
    decisions = Decisions(ui, results, None if policy is not None and results is None else trusted)
    gone = [*decisions.taken_back, *(load_withdrawn(withdrawn) if withdrawn else [])]
    here = Store.default(store)
    folders_known, plans, path = known(ui, benchmarks, spec)
    others = None if policy is None else Others(folders, here, folders_known, path, trusted, policy_of(policy))
    board = gather(
        folders,
        store=here,
        benchmarks=folders_known,
        plans=plans,
        required=require,
        spec=path,
        withdrawn=gone,
        decided=lambda found: decisions.add(others.add(found) if others is not None else found),
        progress=lambda name: ui.note(f"verifying {name}", "dim"),
    ).board
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
