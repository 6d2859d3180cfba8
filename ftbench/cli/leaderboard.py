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
    policy_of,
    policy_option,
    require_option,
    signer_options,
    signers_of,
    store_option,
)
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench.board.model import Board
    from ftbench.board.submission import Submission
    from ftbench.result.documents import Level, Verdict


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
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Bundles that were taken back, with the reason (JSON).",
)
@click.option("--explain", is_flag=True, help="Say how every figure of the table was made.")
@click.option("--unfold", is_flag=True, help="A line for each run below its row.")
@click.option(
    "--results",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take over what verifiers on the list of --signers decided there: levels, and carried results.",
)
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
    from ftbench.cli.gathering import known
    from ftbench.data.store import Store

    trusted = signers_of(signers, revoked, at)
    if (results is None and policy is None) != (trusted is None):
        raise click.UsageError("--results and --policy go with --signers: whose word counts is the reader's choice")
    here = Store.default(store)
    folders_known, plans, path = known(ui, benchmarks, spec)

    def decided(found: Sequence[Submission]) -> list[Submission]:
        """With what verifiers of the reader's choice decided, and what others ran whole."""
        made = list(found)
        if trusted is not None and policy is not None:
            from ftbench.board.collect import find_submissions
            from ftbench.board.reproduced import with_reproductions
            from ftbench.verify.policy import By
            from ftbench.verify.verifier import verify

            whose = policy_of(policy)
            paths = {name: path for path, name in find_submissions(folders)}

            def hold(one: Path, other: Path) -> Verdict:
                by = By(other, whose)
                return verify(one, by=by, store=here, benchmarks=folders_known, spec=path, signers=trusted)

            made = with_reproductions(made, paths, hold)
        if results is not None and trusted is not None:
            from ftbench.submit.rows import with_decisions

            made, told = with_decisions(made, results, trusted)
            for sentence in told:
                ui.note(sentence, "warning")
        return made

    gone = load_withdrawn(withdrawn) if withdrawn else []
    board = gather(
        folders,
        store=here,
        benchmarks=folders_known,
        plans=plans,
        required=require,
        spec=path,
        withdrawn=gone,
        decided=decided,
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
