"""`ftbench verify`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click
from click.core import ParameterSource

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
    from ftbench.data.store import Store
    from ftbench.result.documents import Level, Verdict
    from ftbench.signing.keygen import Signers
    from ftbench.verify.evidence import Evidence
    from ftbench.verify.policy import By


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
        "ftbench verify A --reproduced-by B --signers allowed_signers --policy policy.yaml",
        "ftbench verify entry.zip --require CONFORMS --json",
    ),
)
@click.argument("bundles", metavar="BUNDLE|ROW|URL...", nargs=-1)
@click.option("--spec", type=SPEC, help="Hold the bundle to this spec, compiled here.")
@click.option(
    "--claims",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="In place of a bundle a table of bare scores (CSV or JSON): what arithmetic can tell of it, with --spec.",
)
@click.option(
    "--column", "columns", metavar="COLUMN=TASK", multiple=True, help="With --claims: which test set a column is of."
)
@click.option(
    "--constant",
    "constants",
    metavar="TASK=COUNT",
    multiple=True,
    help="With --claims: items that the best constant answer is right of, where the items are not here.",
)
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
    help="With --spot: write what was done again there; without: believe what somebody wrote there.",
)
@click.option(
    "--reproduced-by",
    "other",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="Hold the bundle to somebody else's run of the same entry; with --signers and --policy.",
)
@policy_option
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
@signer_options
@click.option(
    "--adapter", is_flag=True, help="Of a ROW or URL bring the adapter too; without it nothing is known of it."
)
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
    bundles: tuple[str, ...],
    spec: str | None,
    claims: Path | None,
    columns: tuple[str, ...],
    constants: tuple[str, ...],
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
    spot: bool,
    nonce: str | None,
    archive: Path | None,
    evidence: Path | None,
    other: Path | None,
    policy: Path | None,
    threads: int,
    format_: str,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
    written: Path | None,
    adapter: bool,
) -> int:
    """Say how far a result bundle can be believed, and why.

    Every check is printed with its evidence, and what nobody has checked. Nothing of the bundle is imported or
    unpickled. The exit code is 0 only if every bundle reaches the level required. With --spot items are asked and
    rounds trained again where the bundle reaches RESCORED; that needs PyTorch, the base model, and for rounds the
    archive that the run kept. With --reproduced-by another signer's whole run must come to the same. ROW is a file of
    results/submissions and names a bundle by digest and place; URL is the place of a bundle's files.
    """
    from ftbench.cli.benchmark import benchmark_folders
    from ftbench.cli.outputs.result import VerifiedBundle, VerifyOutput
    from ftbench.data.store import Store
    from ftbench.errors import CheckFailed
    from ftbench.spec.load import find_spec
    from ftbench.verify import render

    if claims is not None:
        if bundles or spec is None:
            raise click.UsageError("--claims takes no bundle, and goes with --spec")
        return _claims(ui, claims, spec, Store.default(store), columns=columns, constants=constants)
    if not bundles or columns or constants:
        raise click.UsageError("name a bundle, or --claims TABLE; --column and --constant go with --claims")
    alone = [
        option
        for option, given in (("--verdict", written), ("--evidence", evidence), ("--reproduced-by", other))
        if given
    ]
    if alone and len(bundles) != 1:
        raise click.UsageError(f"{alone[0]} goes with one bundle")
    if (nonce or archive) and not spot:
        raise click.UsageError("--nonce and --archive go with --spot")
    if policy is not None and (other is None or signers is None):
        raise click.UsageError("--policy goes with --reproduced-by and --signers: it names signers")
    told = click.get_current_context().get_parameter_source("require") is not ParameterSource.DEFAULT
    asked: Level = "REPRODUCED" if other else "SPOT-RUN" if spot or evidence else require
    known: _Known = {
        "spec": find_spec(spec) if spec else None,
        "store": Store.default(store),
        "benchmarks": benchmark_folders(benchmarks),
        "required": require if told else asked,
        "signers": signers_of(signers, revoked, at),
        "by": _by(other, policy),
    }
    found = []
    for bundle in bundles:
        if spot:
            verdict = _again(ui, bundle, known, archive, nonce, evidence, threads)
        else:
            verdict = _verdict(bundle, known, _read(evidence), adapter=adapter)
        found.append(VerifiedBundle(path=bundle, verdict=verdict))
    printed = render.github if format_ == "github" else render.text
    for one in found:
        for line in printed(one.verdict, one.path).rstrip("\n").split("\n"):
            ui.line(line, STYLE.get(line[:6], ""))
    if written is not None:
        _write(ui, found[0].verdict, written)
    output = VerifyOutput(accepted=all(one.verdict.accepted for one in found), bundles=found)
    ui.answer(output)
    return 0 if output.accepted else CheckFailed.exit_code


class _Known(TypedDict):
    spec: Path | None
    store: Store
    benchmarks: list[Path]
    required: Level
    signers: Signers | None
    by: By | None


def _by(other: Path | None, policy: Path | None) -> By | None:
    """The other run; without a policy nobody's counts."""
    if other is None:
        return None
    from ftbench.verify.policy import By

    return By(other, policy_of(policy))


def _read(path: Path | None) -> Evidence | None:
    from ftbench.verify.evidence import read

    return None if path is None else read(path)


def _again(  # noqa: PLR0917
    ui: Ui, bundle: str, known: _Known, archive: Path | None, nonce: str | None, evidence: Path | None, threads: int
) -> Verdict:
    """A spot-run; its evidence is written where that is asked for."""
    from ftbench.atomic import write_file
    from ftbench.replay.spot import judge, new_nonce
    from ftbench.spec.canonical import pretty

    if _elsewhere(bundle):
        raise click.UsageError("--spot takes a bundle that lies here: a folder or an archive")
    beside = Path(bundle).parent / "archive"
    verdict, made = judge(
        Path(bundle),
        **known,
        archive=archive or (beside if beside.is_dir() else None),
        nonce=nonce or new_nonce(),
        threads=threads,
        say=lambda text: ui.note(text, "note"),
    )
    if made is not None and evidence is not None:
        write_file(evidence, pretty(made.model_dump(mode="json")))
    return verdict


def _elsewhere(bundle: str) -> bool:
    return bundle.startswith(("https://", "http://")) or bundle.endswith(".json")


def _verdict(bundle: str, held: _Known, evidence: Evidence | None, *, adapter: bool) -> Verdict:
    """A bundle here is opened; what a row or an address names is brought, each file by its digest."""
    from ftbench.verify.verifier import judge, verify

    if not _elsewhere(bundle):
        return verify(Path(bundle), **held, evidence=evidence)
    from ftbench.signing import keygen
    from ftbench.submit.place import bring, from_address, is_address

    if held["signers"] is not None:
        keygen.ready(held["signers"])
    address, _, digest = bundle.partition("#sha256=")
    brought = (
        from_address(address, digest or None, adapter=adapter)
        if is_address(bundle)
        else bring(Path(bundle), adapter=adapter)
    )
    return judge(brought, **held, evidence=evidence)


def _write(ui: Ui, verdict: Verdict, path: Path) -> None:
    from ftbench.atomic import write_file
    from ftbench.spec.canonical import pretty

    write_file(path, pretty(verdict.model_dump(mode="json")))
    ui.note(f"the verdict is in {path}; `ftbench sign {path} --key FILE` signs it", "note")


def _claims(
    ui: Ui, path: Path, spec: str, store: Store, *, columns: tuple[str, ...], constants: tuple[str, ...]
) -> int:
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.result import VerifyOutput
    from ftbench.errors import CheckFailed, MissingResource
    from ftbench.spec.load import load_pins
    from ftbench.verify.claims import render
    from ftbench.verify.claims.report import report

    loaded = load(ui, spec)
    try:
        pins = load_pins(loaded.path)
    except MissingResource:
        pins = None
    told = _pairs("--constant", constants)
    wrong = [text for text in told.values() if not text.isdecimal() or len(text) > 9]
    if wrong:
        raise click.UsageError(f"--constant: {wrong[0]!r} is no count")
    counts = {task: int(text) for task, text in told.items()}
    found = report(path, loaded.spec, pins, store, named=_pairs("--column", columns), constants=counts)
    for line, style in render.text(found):
        ui.line(line, style)
    ui.answer(VerifyOutput(accepted=not found.impossible, bundles=[], claims=found))
    return CheckFailed.exit_code if found.impossible else 0


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    """`A=B` → {A: B}."""
    pairs = [text.rpartition("=") for text in given]
    if any(not (left and right) for left, _, right in pairs):
        raise click.UsageError(f"{option} takes NAME=VALUE")
    return {left: right for left, _, right in pairs}
