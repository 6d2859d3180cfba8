"""`ftbench verify`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click
from click.core import ParameterSource

from ftbench.cli.options import SPEC, benchmarks_option, example, json_option, require_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.data.store import Store
    from ftbench.result.documents import Level, Verdict
    from ftbench.verify.evidence import Evidence


STYLE = {"  ok  ": "good", "  FAIL": "error", "  -   ": "dim"}
"""How a line of the verdict begins → its style."""


def _nonce(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """8 to 64 bytes in hexadecimal."""
    if text is not None and not re.fullmatch("(?:[0-9a-f]{2}){8,64}", text.lower()):
        raise click.BadParameter("give 16 to 128 hexadecimal digits")
    return None if text is None else text.lower()


@click.command(
    "verify",
    epilog=example(
        "ftbench verify runs/quickstart-1/bundle",
        "ftbench verify runs/quickstart-1/bundle --spot",
        "ftbench verify entry.zip --require CONFORMS --json",
    ),
)
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--spec", type=SPEC, help="Hold the bundle to this spec, compiled here.")
@require_option
@benchmarks_option
@store_option
@click.option("--spot", is_flag=True, help="Do part of the run again: items and rounds that a fresh nonce draws.")
@click.option(
    "--nonce",
    metavar="HEX",
    callback=_nonce,
    help="With --spot: this nonce, to repeat a spot-run (default: one that nobody has seen).",
)
@click.option(
    "--archive",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="With --spot: what the run kept of its rounds (default: `archive` beside the bundle).",
)
@click.option(
    "--evidence",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --spot: write what was done again there; without: judge by what somebody wrote there.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    help="With --spot: threads of PyTorch (default: 1).",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How to print the verdict: for people, as one JSON object (as --json), or as GitHub annotations.",
)
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    bundles: tuple[Path, ...],
    spec: str | None,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
    spot: bool,
    nonce: str | None,
    archive: Path | None,
    evidence: Path | None,
    threads: int,
    format_: str,
) -> int:
    """Say how far a result bundle can be believed, and why.

    Every check is printed with its evidence, and what nobody has checked. Nothing of the bundle is imported or
    unpickled. The exit code is 0 only if every bundle reaches the level required. With --spot items are asked and
    rounds trained again where the bundle reaches RESCORED; that needs PyTorch, the base model, and for rounds the
    archive that the run kept.
    """
    from ftbench.cli.benchmark import benchmark_folders
    from ftbench.cli.outputs.result import VerifiedBundle, VerifyOutput
    from ftbench.data.store import Store
    from ftbench.errors import CheckFailed
    from ftbench.spec.load import find_spec
    from ftbench.verify import render
    from ftbench.verify.verifier import verify

    if (nonce or archive) and not spot:
        raise click.UsageError("--nonce and --archive go with --spot")
    if evidence is not None and len(bundles) > 1:
        raise click.UsageError("--evidence is of one bundle")
    told = click.get_current_context().get_parameter_source("require") is not ParameterSource.DEFAULT
    known: _Known = {
        "spec": find_spec(spec) if spec else None,
        "store": Store.default(store),
        "benchmarks": benchmark_folders(benchmarks),
        "required": "SPOT-RUN" if (spot or evidence) and not told else require,
    }
    found = []
    for bundle in bundles:
        if spot:
            verdict = _again(ui, bundle, known, archive, nonce, evidence, threads)
        else:
            verdict = verify(bundle, **known, evidence=_read(evidence))
        found.append(VerifiedBundle(path=str(bundle), verdict=verdict))
    printed = render.github if format_ == "github" else render.text
    for one in found:
        for line in printed(one.verdict, one.path).rstrip("\n").split("\n"):
            ui.line(line, STYLE.get(line[:6], ""))
    output = VerifyOutput(accepted=all(one.verdict.accepted for one in found), bundles=found)
    ui.answer(output)
    return 0 if output.accepted else CheckFailed.exit_code


class _Known(TypedDict):
    spec: Path | None
    store: Store
    benchmarks: list[Path]
    required: Level


def _read(path: Path | None) -> Evidence | None:
    from ftbench.verify.evidence import read

    return None if path is None else read(path)


def _again(  # noqa: PLR0917
    ui: Ui, bundle: Path, known: _Known, archive: Path | None, nonce: str | None, evidence: Path | None, threads: int
) -> Verdict:
    """A spot-run; its evidence is written where that is asked for."""
    from ftbench.atomic import write_file
    from ftbench.replay.spot import judge, new_nonce
    from ftbench.spec.canonical import pretty

    beside = bundle.parent / "archive"
    verdict, made = judge(
        bundle,
        **known,
        archive=archive or (beside if beside.is_dir() else None),
        nonce=nonce or new_nonce(),
        threads=threads,
        say=lambda text: ui.note(text, "note"),
    )
    if made is not None and evidence is not None:
        write_file(evidence, pretty(made.model_dump(mode="json")))
    return verdict
