"""Handing in, receiving, deciding: with copies, registrations, withdrawals, and a clock that runs out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import forge
import keys
import pytest

from ftbench import codes
from ftbench.decisions import chain, folder, standing
from ftbench.decisions.documents import PlannedRun, Registration
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import names
from ftbench.result.documents import CheckResult, Result, Verdict
from ftbench.result.files import Bundle
from ftbench.signing import keygen, kinds
from ftbench.signing.keygen import Signers
from ftbench.spec.canonical import pretty, sha256
from ftbench.submit.check import Checked
from ftbench.submit.decide import receive, say, work_off
from ftbench.submit.judge import Judge
from ftbench.verify import verifier
from ftbench.verify.draw import NONCE_BYTES
from ftbench.verify.evidence import Evidence, Machine

VAL = "val@example.org"
Outcome = Literal["passed", "failed", "not-run"]
Files = dict[str, bytes]


def hand_in(results: Path, name: str, files: Files) -> None:
    forge.write_folder(files, results / "bundles" / name)
    value = {"format": "ftbench/submission/v1", "bundle": sha256(files[names.MANIFEST]), "place": f"bundles/{name}"}
    path = results / "submissions" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pretty(value))


def events(results: Path) -> list[tuple[str, str | None]]:
    return [(line.body.event, line.body.submission) for line in chain.read(results)]


def lied(world: forge.World) -> Files:
    """Scores that its answers do not give; sealed again."""
    made = forge.make(world, seed=3)
    with made.samples("jars") as lines:
        lines[0]["prompt"] = "an easier question"
    forge.reseal(made)
    return made.files


def test_from_handing_in_to_a_decision(
    tmp_path: Path, world: forge.World, judge: Judge, signed: dict[int, Files], key: Path
) -> None:
    results, val = tmp_path / "results", keys.make_key(tmp_path, "val")
    hand_in(results, "zeta", signed[1])
    assert [line is not None for _, line in receive(results, judge, VAL, val)] == [True]
    hand_in(results, "alpha", lied(world))
    copy = {name: data for name, data in signed[1].items() if name != names.SIGNATURE}
    hand_in(results, "copy", copy)  # the same bundle under another name is received once
    again = dict(signed[1]) | {names.ENVIRONMENT: signed[1][names.ENVIRONMENT] + b"\n"}
    hand_in(results, "again", reseal_signed(again, keys.make_key(tmp_path, "eve")))
    found = {one.name: (one, line) for one, line in receive(results, judge, VAL, val)}
    assert set(found) == {"alpha", "again"} and found["again"][0].identical == ["zeta"]
    assert [one.submission for one in standing.pending(chain.read(results))] == ["zeta", "again", "alpha"]
    done = list(work_off(results, judge, VAL, val))
    assert [(one.name, line.body.event) for one, line in done] == [
        ("zeta", "accepted"),
        ("again", "accepted"),
        ("alpha", "refused"),
    ]
    told = done[2][1].body
    assert told.level == "CONFORMS" and any("prompts-compiled" in reason for reason in told.reasons)
    assert any("identical to `zeta`" in reason for reason in done[1][1].body.reasons)
    assert done[0][1].body.submitter is not None
    # The verdict that the line names is there, and whoever trusts the verifier can hold it to their key.
    path = results / "verdicts" / f"{done[0][1].body.verdict}.json"
    data = path.read_bytes()
    assert sha256(data) == done[0][1].body.verdict and Verdict.model_validate_json(data).level == "RESCORED"
    listed = Signers(keys.signers(tmp_path / "signers", (VAL, "", val)))
    sig = path.with_name(path.name + ".sig").read_bytes()
    assert keygen.signed(data, sig, kinds.VERDICT, "x", listed).identity == VAL
    assert all(chain.signed_by(line, "x", listed) for line in chain.read(results))
    assert list(receive(results, judge, VAL, val)) == [] and list(work_off(results, judge, VAL, val)) == []


def reseal_signed(files: Files, key: Path) -> Files:
    from ftbench.result import manifest

    files = dict(files)
    files[names.MANIFEST] = manifest.to_bytes(manifest.make(files))
    files[names.SIGNATURE] = keygen.sign(files[names.MANIFEST], key, kinds.BUNDLE)
    return files


def test_hours(tmp_path: Path, judge: Judge, signed: dict[int, Files]) -> None:
    """Each takes an hour by this clock: of two, an hour and a half leaves time for one, the older."""
    results = tmp_path / "results"
    hand_in(results, "b", signed[1])
    list(receive(results, judge, VAL, None))
    hand_in(results, "a", signed[2])
    list(receive(results, judge, VAL, None))
    ticks = iter(range(0, 100_000, 3600))
    done = list(work_off(results, judge, VAL, None, hours=1.5, clock=lambda: float(next(ticks))))
    assert [one.name for one, _ in done] == ["b"]
    assert [one.submission for one in standing.pending(chain.read(results))] == ["a"]


def test_registered(tmp_path: Path, judge: Judge, signed: dict[int, Files], key: Path) -> None:
    """Announced by the same key before it came; afterwards, or by another key, it does not count."""
    results = tmp_path / "results"
    told = Result.model_validate_json(signed[1][names.RESULT])
    made = Registration(spec_hash=told.spec_hash, runs=[PlannedRun(entry=told.entry, seed=1)], trials=3)
    folder.keep(results, folder.REGISTRATIONS, made)
    ((told_of, line),) = receive(results, judge, VAL, None)  # nobody's registration counts for nobody
    assert line is None and "FTB756" in told_of.reasons[0]
    folder.keep(results, folder.REGISTRATIONS, made, key, kinds.REGISTRATION)
    hand_in(results, "one", signed[1])
    hand_in(results, "two", signed[2])
    found: dict[str, Checked] = {one.name: one for one, _ in receive(results, judge, VAL, None)}
    assert found["one"].registration is not None and found["two"].registration is None  # seed 2 was not announced
    assert [found[name].record and found[name].record.handed_in for name in ("one", "two")] == [0, 1]
    assert events(results)[0] == ("registered", None)


def test_said(tmp_path: Path, judge: Judge, signed: dict[int, Files]) -> None:
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    list(receive(results, judge, VAL, None))
    say(results, "one", "refused", "the licence of the base model", verifier=VAL, key=None)
    say(results, "one", "re-scored", "the licence was found", verifier=VAL, key=None)
    list(work_off(results, judge, VAL, None))
    say(results, "one", "withdrawn", "asked for by ada\nwith a line break", verifier=VAL, key=None)
    assert [event for event, _ in events(results)] == ["received", "refused", "re-scored", "accepted", "withdrawn"]
    assert "\n" not in chain.read(results)[-1].body.reasons[0]
    with pytest.raises(InvalidInput) as error:
        say(results, "on", "refused", "x", verifier=VAL, key=None)
    assert error.value.diagnostics[0].code == "FTB783" and "did you mean" in error.value.diagnostics[0].hint


def test_a_bundle_that_went_away_is_refused_in_words(tmp_path: Path, judge: Judge, signed: dict[int, Files]) -> None:
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    list(receive(results, judge, VAL, None))
    shutil.rmtree(results / "bundles")
    ((_, line),) = list(work_off(results, judge, VAL, None))
    assert line.body.event == "refused" and "could not be read" in line.body.reasons[0]


def test_what_is_above_the_ladder_is_asked_once_it_is_climbed(
    tmp_path: Path, world: forge.World, judge: Judge, signed: dict[int, Files]
) -> None:
    asked: list[str | None] = []

    def above(bundle: object, verdict: Verdict) -> Verdict:
        asked.append(verdict.bundle)
        return verdict

    results = tmp_path / "results"
    hand_in(results, "good", signed[1])
    hand_in(results, "bad", lied(world))
    list(receive(results, judge, VAL, None))
    list(work_off(results, Judge(judge.store, judge.benchmarks, above=above), VAL, None))
    assert asked == [sha256(signed[1][names.MANIFEST])]


def again(judge: Judge, outcome: Outcome) -> Callable[[Bundle, Verdict], Verdict]:
    """A spot-run whose answers came out so, and everything else again."""

    def above(bundle: Bundle, verdict: Verdict) -> Verdict:
        context = verifier.known(bundle, spec=None, store=judge.store, benchmarks=judge.benchmarks)
        machine = Machine(device="cpu", threads=1, packages={})
        nonce = "0" * (2 * NONCE_BYTES)
        nothing: dict[str, Any] = {"keep_every": 0, "items": [], "clients": [], "aggregations": []}
        context.spot = Evidence(bundle=verdict.bundle or "", nonce=nonce, machine=machine, **nothing)
        chosen = verifier.checks(context)
        made = {one.check: one for one in verdict.checks if one.check not in ("lock-known", "signature-holds")}
        for check in chosen:
            if check.level == "SPOT-RUN":
                ended, found = (outcome, "0.5 nats apart") if check.id == "spot-items" else ("passed", "")
                made[check.id] = CheckResult(
                    check=check.id, level=check.level, title=check.title, outcome=ended, evidence=found, code=None
                )
        return verifier.climb(context, verdict.required, chosen, made)

    return above


@pytest.mark.parametrize(("outcome", "event"), [("failed", "refused"), ("not-run", "accepted")])
def test_what_did_not_come_out_again_is_not_accepted(
    tmp_path: Path, judge: Judge, signed: dict[int, Files], outcome: Outcome, event: str
) -> None:
    """A caught forgery is RESCORED, which is the level that is asked for by default: it was accepted."""
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    list(receive(results, judge, VAL, None))
    ((checked, line),) = work_off(results, Judge(judge.store, judge.benchmarks, above=again(judge, outcome)), VAL, None)
    assert line.body.event == event and line.body.level == "RESCORED" and checked.accepted is (event == "accepted")
    assert "spot-items" in line.body.reasons[1] and "0.5 nats apart" in line.body.reasons[1]


def test_what_this_machine_cannot_judge_goes_on_waiting(tmp_path: Path, judge: Judge, signed: dict[int, Files]) -> None:
    """A base model that is not here, or a run that ends for want of memory, is nothing that the submitter did."""
    results = tmp_path / "results"
    left: list[Checked] = []
    hand_in(results, "one", signed[1])
    hand_in(results, "two", signed[2])
    list(receive(results, judge, VAL, None))

    def above(bundle: object, verdict: Verdict) -> Verdict:
        if verdict.bundle == sha256(signed[1][names.MANIFEST]):
            raise MissingResource(Diagnostic(codes.MISSING_DATA, "the base model is not here"))
        return verdict

    unable = Judge(judge.store, judge.benchmarks, above=above)
    ((checked, line),) = work_off(results, unable, VAL, None, left=left.append)
    assert (checked.name, line.body.event) == ("two", "accepted")
    assert [one.name for one in left] == ["one"] and "could not be judged here" in left[0].reasons[0]
    assert [one.submission for one in standing.pending(chain.read(results))] == ["one"]
    assert [one.name for one, _ in work_off(results, judge, VAL, None)] == ["one"]


def test_meddling(tmp_path: Path, judge: Judge, signed: dict[int, Files]) -> None:
    base = tmp_path / "base"
    hand_in(base, "one", signed[1])
    list(receive(base, judge, VAL, None))
    head = tmp_path / "head"
    shutil.copytree(base, head)
    hand_in(head, "two", signed[2])
    assert folder.meddled(base, head) == []
    (head / "decisions.jsonl").write_bytes((head / "decisions.jsonl").read_bytes() + b"{}\n")
    (head / "submissions" / "one.json").write_text("{}")
    shutil.rmtree(head / "verdicts")
    (head / "verdicts").mkdir()
    (head / "verdicts" / "mine.json").write_text("{}")
    (head / "notes.txt").write_text("bypass")
    (head / "submissions" / "link.json").symlink_to("/etc/passwd")
    told = " ".join(folder.meddled(base, head))
    for word in (
        "`decisions.jsonl` is changed",
        "`submissions/one.json` is changed",
        "is gone",
        "`verdicts/mine.json`",
    ):
        assert word in told
    assert "`notes.txt` is added" in told and "`submissions/link.json` is no plain file" in told


def test_the_whole_folder_as_a_link_is_meddling(tmp_path: Path) -> None:
    """`results` → `../base/results` has every file as it was, and takes all of them away once it is merged."""
    forge.write_folder({"bundles/one/manifest.json": b"{}"}, tmp_path / "base" / "results")
    for number, target in enumerate(("../base/results", str(tmp_path / "base" / "results"), "nowhere")):
        head = tmp_path / f"head{number}"
        head.mkdir()
        (head / "results").symlink_to(target)
        assert folder.meddled(tmp_path / "base" / "results", head / "results") == ["`results` is no plain folder"]


def test_nobodys_file_keeps_others_from_being_received(
    tmp_path: Path, judge: Judge, signed: dict[int, Files], capsys: pytest.CaptureFixture[str]
) -> None:
    """Registrations that cannot be read, and names that no decision can hold: told, and the next is received."""
    from ftbench.cli.main import run

    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    (results / "registrations").mkdir()
    (results / "registrations" / "x.json").write_bytes(b"{")
    (results / "registrations" / "y.json").mkdir()
    for name in ("Mine", "a b", "::notice::one was accepted", "a\n::error::x", "a" * 100):
        shutil.copy(results / "submissions" / "one.json", results / "submissions" / f"{name}.json")
    found = {one.name: line for one, line in receive(results, judge, VAL, None)}
    assert len(found) == 8 and [name for name, line in found.items() if line is not None] == ["one"]
    assert run(["submit", "check", "--results", str(results), "--format", "github", "a\n::error::x", "Mine"]) == 1
    told = capsys.readouterr()
    lines = [line for line in told.out.split("\n") if line]
    assert len(lines) == 2 and all(line.startswith("::error file=") for line in lines)
    assert not any(line.lstrip().startswith("::") for line in told.err.split("\n"))
    assert "FTB601" in told.err  # of the registration


def test_nothing_is_added_to_what_others_handed_in(tmp_path: Path) -> None:
    """Neither a file that spoils a bundle, nor a signature that makes it one's own."""
    base, head = tmp_path / "base", tmp_path / "head"
    files = {"bundles/one/manifest.json": b"{}", "bundles/two.zip": b"x", "registrations/r.json": b"{}"}
    for root in (base, head):
        forge.write_folder(files, root)
    added = ("bundles/one/extra", "bundles/One/x", "bundles/one/manifest.json.sig", "registrations/r.json.sig")
    forge.write_folder(dict.fromkeys((*added, "bundles/new/manifest.json", "submissions/new.json"), b"x"), head)
    told = folder.meddled(base, head)
    assert len(told) == len(added) and all(any(f"`{name}`" in one for one in told) for name in added)
