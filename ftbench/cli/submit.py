"""`ftbench submit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ftbench import codes
from ftbench.cli.options import SPEC, benchmarks_option, example, json_option, signer_options, signers_of, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.cli.outputs.trust import CheckedSubmission
    from ftbench.decisions.documents import DecisionLine
    from ftbench.spec.entry import Entry
    from ftbench.submit.check import Checked
    from ftbench.submit.judge import Judge

Action = Literal["register", "new", "check", "receive"]
ACTIONS = ("register", "new", "check", "receive")


@click.command(
    "submit",
    epilog=example(
        "ftbench submit register my-entry.yaml --spec medical --trials 12 --key ~/.ssh/id_ed25519",
        "ftbench submit new mine-s1 --bundle runs/quickstart-1/bundle --results results",
        "ftbench submit check --results results --base ../base/results",
        "ftbench submit receive --results results --verifier you@example.org --key ~/.ssh/id_ed25519",
    ),
)
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option(
    "--results",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of submissions and decisions.",
)
@click.option(
    "--base",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="With check: the folder as it was before, whose files nobody may touch.",
)
@click.option("--bundle", metavar="DIR", type=click.Path(path_type=Path), help="With new: the bundle to hand in.")
@click.option("--place", metavar="URL", help="With new: where its files lie; without, they are copied beside.")
@click.option(
    "--trials",
    type=click.IntRange(min=0),
    help="With register: runs made to find the entries, which are not handed in.",
)
@click.option("--verifier", metavar="WHO", help="With receive: who writes the decisions down.")
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With register and receive: SSH key to sign with.",
)
@click.option("--spec", type=SPEC, help="Hold every bundle to this spec, compiled here; with register the benchmark.")
@signer_options
@benchmarks_option
@store_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="With check: how to print it: for people, as one JSON object (as --json), or as GitHub annotations.",
)
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    action: Action,
    names: tuple[str, ...],
    results: Path,
    base: Path | None,
    bundle: Path | None,
    place: str | None,
    trials: int | None,
    verifier: str | None,
    key: Path | None,
    spec: str | None,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
    benchmarks: tuple[Path, ...],
    store: str | None,
    format_: str,
) -> int:
    """Hand a bundle in, check what was handed in as a maintainer's workflow does, or note that it was received.

    register announces the runs of entries (files; without one the spec's defaults) with all seeds of the spec, before
    they are made; it is committed to results/registrations. new writes results/submissions/NAME.json. check judges the
    submissions that no decision knows yet, and with --base refuses a change of anything that only verifiers write.
    receive does the same and adds a line for each to decisions.jsonl; `ftbench decide` works off what waits there.
    """
    if action == "register":
        if spec is None or key is None or trials is None:
            raise click.UsageError("`register` needs --spec, --trials and --key")
        return _register(ui, names, results, spec, trials=trials, key=key)
    if action == "new":
        if len(names) != 1 or bundle is None:
            raise click.UsageError("`new` needs one NAME and --bundle")
        return _new(ui, names[0], results, bundle, place)
    judge = judge_of(spec, signers_of(signers, revoked, at), benchmarks, store)
    if action == "receive":
        if verifier is None or names:
            raise click.UsageError("`receive` takes no NAME and needs --verifier")
        return _receive(ui, results, judge, verifier, key)
    return _check(ui, names, results, base, judge=judge, github=format_ == "github")


def _register(ui: Ui, entries: tuple[str, ...], results: Path, spec: str, *, trials: int, key: Path) -> int:
    from ftbench.cli.benchmark import compiled
    from ftbench.cli.outputs.trust import SubmitOutput
    from ftbench.decisions import folder
    from ftbench.decisions.documents import PlannedRun, Registration
    from ftbench.signing.kinds import REGISTRATION
    from ftbench.spec.entries import entry_digest, load_entry, resolve_entry

    loaded, made = compiled(ui, spec)
    chosen: list[Entry | None] = [load_entry(Path(path)) for path in entries] or [None]
    runs = [
        PlannedRun(entry=entry_digest(resolve_entry(loaded.spec, entry, seed=seed)), seed=seed)
        for entry in chosen
        for seed in loaded.spec.seeds.runs
    ]
    document = Registration(spec_hash=made.lock.spec_hash, runs=runs, trials=trials)
    digest = folder.keep(results, folder.REGISTRATIONS, document, key, REGISTRATION)
    written = str(results / folder.REGISTRATIONS / f"{digest}.json")
    ui.line(f"{written}: {len(runs)} runs of {loaded.spec.metadata.name}, after {trials} trials", "good")
    ui.line("commit it, and its signature, before the runs are made: what counts is the order of decisions.jsonl")
    ui.answer(SubmitOutput(action="register", accepted=True, submissions=[], meddled=[], written=written))
    return 0


def judge_of(spec: str | None, signers: object, benchmarks: tuple[Path, ...], store: str | None) -> Judge:
    """The verifier that these options make."""
    from ftbench.cli.benchmark import benchmark_folders
    from ftbench.data.store import Store
    from ftbench.signing.keygen import Signers, ready
    from ftbench.spec.load import find_spec
    from ftbench.submit.judge import Judge

    known = signers if isinstance(signers, Signers) else None
    if known is not None:
        ready(known)
    return Judge(Store.default(store), benchmark_folders(benchmarks), find_spec(spec) if spec else None, known)


def _new(ui: Ui, name: str, results: Path, bundle: Path, place: str | None) -> int:
    from ftbench.atomic import write_file, write_folder
    from ftbench.cli.outputs.trust import SubmitOutput
    from ftbench.decisions import folder
    from ftbench.decisions.documents import Submission
    from ftbench.diagnostics import Diagnostic, Place
    from ftbench.errors import InvalidInput
    from ftbench.result import names, safejson
    from ftbench.result.opening import open_bundle
    from ftbench.spec.canonical import pretty, sha256

    opened = open_bundle(bundle / "bundle" if (bundle / "bundle" / names.MANIFEST).is_file() else bundle)
    if names.MANIFEST not in opened.files or opened.problems:
        why = str(opened.problems[0]) if opened.problems else "it has no manifest"
        raise InvalidInput(Diagnostic(codes.NO_BUNDLE, f"this is no bundle to hand in: {why}", Place(str(bundle))))
    if place is not None and not place.startswith("https://"):
        raise click.UsageError("--place is an address beginning with https://")
    value = {
        "format": "ftbench/submission/v1",
        "bundle": sha256(opened.files[names.MANIFEST]),
        "place": place or f"{folder.BUNDLES}/{name}",
    }
    made = safejson.to_model(value, Submission, name)
    target = results / folder.SUBMISSIONS / f"{name}.json"
    if Path(name).name != name or target.exists():
        raise InvalidInput(
            Diagnostic(codes.NO_PATH, "there is such a submission, or it is no name", Place(str(target)))
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if place is None:
        (results / folder.BUNDLES).mkdir(exist_ok=True)
        write_folder(results / folder.BUNDLES / name, opened.files)
    write_file(target, pretty(made.model_dump(mode="json")))
    ui.line(f"{target}: bundle {made.bundle[:12]} at {made.place}", "good")
    if names.SIGNATURE not in opened.files:
        ui.note(f"it is not signed; `ftbench sign {bundle} --key FILE` before says whose it is", "note")
    ui.answer(SubmitOutput(action="new", accepted=True, submissions=[], meddled=[], written=str(target)))
    return 0


def _check(ui: Ui, names: tuple[str, ...], results: Path, base: Path | None, *, judge: Judge, github: bool) -> int:
    from ftbench.cli.outputs.trust import SubmitOutput
    from ftbench.decisions import chain, folder
    from ftbench.diagnostics import Diagnostic, Place, did_you_mean, printable
    from ftbench.errors import CheckFailed, InvalidInput
    from ftbench.submit.check import check

    trusted = base if base is not None else results
    lines = chain.read(trusted)
    meddled = folder.meddled(base, results) if base is not None else []
    ui.diagnostics(Diagnostic(codes.MEDDLED, one, Place(str(results))) for one in meddled)
    wrong = list(folder.wrong_registrations(results, base))
    ui.diagnostics(wrong)
    here = folder.submissions(results)
    for name in names:
        if name not in here:
            hint = did_you_mean(name, here)
            raise InvalidInput(Diagnostic(codes.NOT_RECEIVED, f"there is no submission `{name}`", hint=hint))
    before = set(folder.submissions(base)) if base is not None else {one.body.submission for one in lines}
    chosen = names or [name for name in here if name not in before]
    found = []
    for name in chosen:
        ui.note(f"checking {printable(name)}", "dim")
        one = check(here[name], judge, lines, folder.registrations(trusted))
        found.append(one)
        _tell(ui, one, here[name], github=github)
    accepted = not meddled and not wrong and all(one.accepted for one in found)
    if not chosen and not wrong:
        ui.note("there is no new submission to check")
    ui.answer(
        SubmitOutput(
            action="check", accepted=accepted, submissions=[_told(one) for one in found], meddled=meddled, written=None
        )
    )
    return 0 if accepted else CheckFailed.exit_code


def _receive(ui: Ui, results: Path, judge: Judge, verifier: str, key: Path | None) -> int:
    from ftbench.cli.outputs.trust import SubmitOutput
    from ftbench.decisions import chain, folder
    from ftbench.errors import CheckFailed
    from ftbench.submit.decide import receive

    found: list[tuple[Checked, DecisionLine | None]] = []
    for one, line in receive(results, judge, verifier, key):
        found.append((one, line))
        _tell(ui, one, results / folder.SUBMISSIONS / f"{one.name}.json", github=False)
        if line is None:
            ui.line("  not received", "error")
    accepted = all(line is not None for _, line in found)
    if not found:
        ui.note("there is nothing new to receive")
    ui.answer(
        SubmitOutput(
            action="receive",
            accepted=accepted,
            submissions=[_told(one) for one, _ in found],
            meddled=[],
            written=str(results / chain.FILE),
        )
    )
    return 0 if accepted else CheckFailed.exit_code


def _tell(ui: Ui, one: Checked, path: Path, *, github: bool) -> None:
    """One submission for people, or as annotations beside its file."""
    if github:
        from ftbench.verify import render

        unread = render.github_unread(str(path), one.reasons)
        told = render.github(one.verdict, str(path)) if one.verdict is not None else unread
        for line in told.rstrip("\n").split("\n"):
            ui.line(line)
        return
    for line, style in words(one):
        ui.line(line, style)


def words(one: Checked) -> list[tuple[str, str]]:
    """What was found of a submission, line by line with its style."""
    level = one.verdict.level if one.verdict is not None else "NONE"
    told = [(f"{one.name}: {level}", "good" if one.accepted else "error")]
    signature = one.verdict.signature if one.verdict is not None else None
    if signature is None:
        told.append(("  not signed", "warning"))
    else:
        told.append((f"  signed by {signature.identity or 'an unknown person'}, key {signature.key}", ""))
    if one.record is not None:
        before, announced = one.record.handed_in, one.record.registered
        told.append((f"  of this signer on this benchmark: {before} other bundles, {announced} registrations", ""))
    registered = f"registered before as {one.registration[:12]}" if one.registration else "not registered before"
    told.append((f"  {registered}", ""))
    return [*told, *((f"  {reason}", "") for reason in one.reasons)]


def _told(one: Checked) -> CheckedSubmission:
    from ftbench.cli.outputs.trust import checked_submission

    return checked_submission(one)
