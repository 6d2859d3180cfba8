"""`ftbench verify`."""

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
    from ftbench.result.documents import Level, Verdict


STYLE = {"  ok  ": "good", "  FAIL": "error", "  -   ": "dim"}
"""How a line of the verdict begins → its style."""


@click.command(
    "verify",
    epilog=example("ftbench verify runs/quickstart-1/bundle", "ftbench verify entry.zip --require CONFORMS --json"),
)
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--spec", type=SPEC, help="Hold the bundle to this spec, compiled here.")
@require_option
@benchmarks_option
@store_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How to print the verdict: for people, as one JSON object (as --json), or as GitHub annotations.",
)
@signer_options
@click.option(
    "--verdict",
    "written",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the verdict of one bundle to a file, for `ftbench sign`.",
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
    format_: str,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
    written: Path | None,
) -> int:
    """Say how far a result bundle can be believed, and why.

    Every check is printed with its evidence, and what nobody has checked. Nothing of the bundle is imported or
    unpickled. The exit code is 0 only if every bundle reaches the level required.
    """
    from ftbench.cli.benchmark import benchmark_folders
    from ftbench.cli.outputs.result import VerifiedBundle, VerifyOutput
    from ftbench.data.store import Store
    from ftbench.errors import CheckFailed
    from ftbench.spec.load import find_spec
    from ftbench.verify import render
    from ftbench.verify.verifier import verify

    if written is not None and len(bundles) != 1:
        raise click.UsageError("--verdict goes with one bundle")
    known = signers_of(signers, revoked, at)
    found = [
        VerifiedBundle(
            path=str(bundle),
            verdict=verify(
                bundle,
                spec=find_spec(spec) if spec else None,
                store=Store.default(store),
                benchmarks=benchmark_folders(benchmarks),
                required=require,
                signers=known,
            ),
        )
        for bundle in bundles
    ]
    printed = render.github if format_ == "github" else render.text
    for one in found:
        for line in printed(one.verdict, one.path).rstrip("\n").split("\n"):
            ui.line(line, STYLE.get(line[:6], ""))
    if written is not None:
        _write(ui, found[0].verdict, written)
    output = VerifyOutput(accepted=all(one.verdict.accepted for one in found), bundles=found)
    ui.answer(output)
    return 0 if output.accepted else CheckFailed.exit_code


def _write(ui: Ui, verdict: Verdict, path: Path) -> None:
    from ftbench.atomic import write_file
    from ftbench.spec.canonical import pretty

    write_file(path, pretty(verdict.model_dump(mode="json")))
    ui.note(f"the verdict is in {path}; `ftbench sign {path} --key FILE` signs it", "note")
