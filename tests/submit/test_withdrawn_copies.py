"""What was withdrawn comes back under no other seal unseen, and a decision takes in no document of another bundle."""

from __future__ import annotations

from pathlib import Path

import forge
import keys
import pytest
from test_decide import Files, hand_in

from ftbench.board.collect import collect, verifier
from ftbench.board.withdrawn import Withdrawal, withdraw
from ftbench.decisions import chain, folder
from ftbench.decisions.documents import Carried, Decision
from ftbench.result import names
from ftbench.result.documents import Result
from ftbench.signing import kinds
from ftbench.signing.keygen import Signers
from ftbench.spec.canonical import sha256
from ftbench.submit.decide import note_carried, receive, say, work_off
from ftbench.submit.judge import Judge
from ftbench.submit.rows import with_decisions

VAL = "val@example.org"


@pytest.fixture
def sealed_again(world: forge.World, signed: dict[int, Files]) -> Files:
    """The first bundle with other times, which nobody verifies, sealed again and not signed: another digest."""
    made = forge.Forged(world, {name: data for name, data in signed[1].items() if name != names.SIGNATURE})
    with made.result() as result:
        result["cost"]["train_seconds"] += 1.0
    forge.reseal(made)
    assert made.files[names.MANIFEST] != signed[1][names.MANIFEST]
    return made.files


def test_no_machine_accepts_it_again(
    tmp_path: Path, judge: Judge, signed: dict[int, Files], sealed_again: Files
) -> None:
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    list(receive(results, judge, VAL, None))
    list(work_off(results, judge, VAL, None))
    say(results, "one", "withdrawn", "the run never took place", verifier=VAL, key=None)
    hand_in(results, "two", sealed_again)
    ((checked, line),) = receive(results, judge, VAL, None)
    assert line is not None and checked.withdrawn == ["one"] and not checked.accepted
    ((_, line),) = work_off(results, judge, VAL, None)
    assert line.body.event == "refused" and line.body.level == "RESCORED"
    assert any("identical to `one`" in one and "was withdrawn" in one for one in line.body.reasons)
    # An honest run that came to the same is let in by a person.
    say(results, "two", "re-scored", "looked at again", verifier=VAL, key=None)
    assert say(results, "two", "accepted", "run before witnesses", verifier=VAL, key=None).body.event == "accepted"


def test_a_board_says_so(tmp_path: Path, world: forge.World, signed: dict[int, Files], sealed_again: Files) -> None:
    for name, files in (("one", signed[1]), ("other", signed[2]), ("again", sealed_again)):
        forge.write_folder(files, tmp_path / name)
    ours = verifier(store=world.store, benchmarks=[world.root / "benchmarks"], spec=None, required="RESCORED")
    taken = [Withdrawal(bundle=sha256(signed[1][names.MANIFEST]), reason="the run never took place")]
    kept, gone = withdraw(collect([tmp_path], ours).submissions, taken)
    assert [one.path for one in gone] == ["one"]
    told = {one.path: one.taken_back for one in kept}
    assert "the run never took place" in told["again"] and told["other"] == ""


@pytest.mark.parametrize("moved", ["carried", "verdict", "submission", ""])
def test_documents_of_another_bundle(tmp_path: Path, judge: Judge, signed: dict[int, Files], moved: str) -> None:
    """Each is true and signed by the verifier, one of them is of the bundle beside it."""
    val = keys.make_key(tmp_path, "val")
    listed = Signers(keys.signers(tmp_path / "signers", (VAL, "", val)))
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    hand_in(results, "two", signed[2])
    list(receive(results, judge, VAL, val))
    verdicts = {line.body.submission: line.body.verdict for _, line in work_off(results, judge, VAL, val)}

    def scored(files: Files) -> Carried:
        told = Result.model_validate_json(files[names.RESULT])
        return Carried(
            bundle=sha256(files[names.MANIFEST]),
            from_spec_hash=told.spec_hash,
            to_spec_hash="e" * 64,
            to_name="forged-world",
            to_version="0.2.0",
            how="answers",
            edits=[],
            scores=told.scores,
            verifier=VAL,
            ftbench="0.1.0",
        )

    note_carried(results, "one", scored(signed[1]), verifier=VAL, key=val)
    if moved == "submission":
        path = results / "submissions" / "one.json"
        path.write_bytes((results / "submissions" / "two.json").read_bytes())
    elif moved:
        other = {"verdict": verdicts["two"]}
        if moved == "carried":
            other = {"carried": folder.keep(results, folder.CARRIED, scored(signed[2]), val, kinds.CARRIED)}
        chain.append(results, Decision.model_validate({**chain.read(results)[-1].body.model_dump(), **other}), val)
    given, told = with_decisions([], results, listed)
    assert len(given) == (not moved)
    assert all("decision is on bundle" in one for one in told) and len(told) == bool(moved)
