"""`ftbench decide`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ftbench.cli.options import (
    SPEC,
    benchmarks_option,
    example,
    finite,
    json_option,
    require_option,
    signer_options,
    signers_of,
    store_option,
)
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.decisions.documents import DecisionLine
    from ftbench.result.documents import Level
    from ftbench.signing.keygen import Signers
    from ftbench.submit.check import Checked
    from ftbench.submit.judge import Judge

Said = Literal["accepted", "refused", "withdrawn", "re-scored"]


def _with_spot(ui: Ui, judge: Judge, archives: Path | None) -> Judge:
    """The verifier that does part of a run again too."""
    from ftbench.replay.spot import above

    again = above(
        store=judge.store,
        benchmarks=judge.benchmarks,
        spec=judge.spec,
        archives=archives,
        threads=1,
        say=lambda text: ui.note(text, "note"),
    )
    return replace(judge, above=again)


def _show(ui: Ui, lines: Sequence[DecisionLine], where: str, known: Signers | None) -> None:
    """What was decided, each line held to its signature."""
    from ftbench.decisions import chain

    signed = [chain.signed_by(line, where, known) for line in lines]
    for line, by in zip(lines, signed, strict=True):
        whose = f", signed by {by.identity or by.key}" if by else ", not signed"
        ui.line(f"{line.body.time} {line.body.event}: {line.body.submission or line.body.document[:12]}", "strong")
        ui.line(f"  by {line.body.verifier}{whose}; {line.body.level}")
        for reason in line.body.reasons:
            ui.line(f"  {reason}")


@click.command(
    "decide",
    epilog=example(
        "ftbench decide --pending --hours 8 --verifier you@example.org --key ~/.ssh/id_ed25519",
        'ftbench decide mine-s1 --as withdrawn --why "asked for by the submitter" --verifier you@example.org',
        "ftbench decide mine-s1",
        "ftbench decide",
    ),
)
@click.argument("name", required=False)
@click.option(
    "--results",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of submissions and decisions.",
)
@click.option("--pending", is_flag=True, help="Judge what waits, oldest first, and write down what comes of it.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    help="With --pending: begin nothing that would end later than this.",
)
@click.option("--spot", is_flag=True, help="With --pending: do part of each run again, where it reaches RESCORED.")
@click.option(
    "--archives",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --spot: archives of runs, each in a folder named by the digest of its archive.json.",
)
@click.option(
    "--as",
    "said",
    type=click.Choice(["accepted", "refused", "withdrawn", "re-scored"]),
    help="With NAME: what you decided; `re-scored` lets it wait for another look.",
)
@click.option("--why", metavar="TEXT", help="With NAME: the reason, in words for the submitter.")
@click.option("--verifier", metavar="WHO", help="Who decides.")
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="SSH key to sign verdict and line with.",
)
@click.option("--spec", type=SPEC, help="Hold every bundle to this spec, compiled here.")
@require_option
@signer_options
@benchmarks_option
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    name: str | None,
    results: Path,
    pending: bool,
    hours: float | None,
    spot: bool,
    archives: Path | None,
    said: Said | None,
    why: str | None,
    verifier: str | None,
    key: Path | None,
    spec: str | None,
    require: Level,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
    benchmarks: tuple[Path, ...],
    store: str | None,
) -> int:
    """Decide on what was handed in, and write it down in decisions.jsonl; without an option show what was decided, of
    all submissions or of NAME.

    A line is never changed: each names the digest of the one before it, and with --key it is signed. With --signers
    the lines shown are held to the list.
    """
    from ftbench.cli.outputs.trust import DecideOutput
    from ftbench.cli.submit import judge_of, words
    from ftbench.decisions import chain, standing
    from ftbench.submit.decide import history, say, work_off

    known = signers_of(signers, revoked, at)
    if name is not None and pending:
        raise click.UsageError("NAME does not go with --pending")
    if (said is not None or why is not None) and (name is None or said is None or why is None):
        raise click.UsageError("--as and --why go together, with a NAME; a NAME alone shows what was decided of it")
    if hours is not None and not pending:
        raise click.UsageError("--hours goes with --pending")
    if (spot and not pending) or (archives and not spot):
        raise click.UsageError("--spot goes with --pending, and --archives with --spot")
    if (pending or said) and verifier is None:
        raise click.UsageError("--verifier says who decides")
    written = []
    left: list[Checked] = []
    if pending and verifier is not None:
        judge = replace(judge_of(spec, known, benchmarks, store), required=require)
        judge = _with_spot(ui, judge, archives) if spot else judge
        for checked, line in work_off(results, judge, verifier, key, hours=hours, left=left.append):
            written.append(line)
            for text, style in words(checked):
                ui.line(text, style)
    elif name is not None and said is not None and why is not None and verifier is not None:
        written.append(say(results, name, said, why, verifier=verifier, key=key))
    lines = chain.read(results)
    for one in left:
        for text, style in words(one):
            ui.line(text, style)
        ui.line("  not decided: it goes on waiting", "error")
    if not (written or left):
        shown = history(results, name) if name is not None else lines
        _show(ui, shown, str(results / chain.FILE), known)
    waiting = [body.submission or body.document for body in standing.pending(lines)]
    ui.line(f"{len(lines)} lines, {len(waiting)} wait: {', '.join(waiting[:20]) or 'nothing'}")
    ui.answer(DecideOutput(written=written, lines=len(lines), pending=waiting))
    return next((one.unjudged.exit_code for one in left if one.unjudged is not None), 0)
