"""A board that takes over decisions: of verifiers whom the reader names, and of nobody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import forge
import keys
import pytest
from test_decide import hand_in

from ftbench.board.collect import collect, verifier
from ftbench.board.rank import build
from ftbench.compile.compiler import compile_spec
from ftbench.decisions import chain
from ftbench.decisions.documents import Decision
from ftbench.result import names
from ftbench.result.documents import Verdict
from ftbench.signing.keygen import Signers
from ftbench.spec.model import Spec
from ftbench.submit.carry import carry
from ftbench.submit.decide import note_carried, receive, work_off
from ftbench.submit.judge import Judge
from ftbench.submit.place import bring
from ftbench.submit.rows import decided, history, taken_back, with_decisions

VAL = "val@example.org"


@pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1", reason="programs are run again")
def test_levels_and_carried_rows(tmp_path: Path, world: forge.World, judge: Judge, signed: dict[int, Any]) -> None:
    val, eve = keys.make_key(tmp_path, "val"), keys.make_key(tmp_path, "eve")
    listed = Signers(keys.signers(tmp_path / "signers", (VAL, "", val)))
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    hand_in(results, "two", signed[2])

    def above(bundle: object, verdict: Verdict) -> Verdict:
        return verdict.model_copy(update={"level": "SPOT-RUN"})

    list(receive(results, judge, VAL, val))
    found = [line for _, line in work_off(results, Judge(judge.store, judge.benchmarks, above=above), VAL, val)]
    assert [line.body.level for line in found] == ["SPOT-RUN", "SPOT-RUN"]
    value = world.spec.model_dump(mode="json")
    for task in value["evaluation"]["tasks"][:2]:
        task["scoring"] = ["generated", "likelihood"]
    new = compile_spec(Spec.model_validate(value), world.compiled.plan.pins)
    made = carry(bring(results / "submissions" / "one.json"), new, judge, VAL, None)
    note_carried(results, "one", made, verifier=VAL, key=val)

    ours = verifier(store=world.store, benchmarks=[world.root / "benchmarks"], spec=None, required="RESCORED")
    plain = collect([results / "bundles"], ours).submissions
    assert {one.verdict.level for one in plain} == {"RESCORED"}
    given, told = with_decisions(plain, results, listed)
    assert told == [] and len(given) == 3
    board = build(given, required="SPOT-RUN")
    tables = {table.spec_hash: table for table in board.tables}
    assert set(tables) == {world.compiled.lock.spec_hash, new.lock.spec_hash}
    (old_row,) = tables[world.compiled.lock.spec_hash].rows
    (new_row,) = tables[new.lock.spec_hash].rows
    assert f"SPOT-RUN by {VAL}" in old_row.notes and old_row.seeds == [1, 2]
    assert new_row.score.value == made.scores.tuned.value
    assert any(note.startswith("carried from") and VAL in note and "by intervals" in note for note in new_row.notes)

    # Nobody signs the submission's file nor the folder that it leads to: neither may lend the row another's entry.
    handed, entry = results / "submissions" / "one.json", results / "bundles" / "one" / names.ENTRY
    whole, other = handed.read_bytes(), (results / "submissions" / "two.json").read_bytes()
    handed.write_bytes(other)
    given, told = with_decisions(plain, results, listed)
    assert len(given) == 2 and len(told) == 1 and "the submission is of bundle" in told[0]
    handed.write_bytes(whole)
    mine = entry.read_bytes()
    entry.write_bytes(mine + b"# mine\n")
    given, told = with_decisions(plain, results, listed)
    assert len(given) == 2 and len(told) == 1 and names.ENTRY in told[0]
    entry.write_bytes(mine)
    assert len(with_decisions(plain, results, listed)[0]) == 3

    # Nobody whom the reader does not name gives a level, and what was kept and changed is left out.
    strangers = Signers(keys.signers(tmp_path / "others", ("eve", "", eve)))
    assert with_decisions(plain, results, strangers) == (plain, [])
    path = results / "carried" / f"{chain.read(results)[-1].body.carried}.json"
    path.write_bytes(path.read_bytes().replace(b"val@", b"eva@"))
    given, told = with_decisions(plain, results, listed)
    assert len(given) == 2 and len(told) == 1 and "one" in told[0]


def test_a_level_raises_nothing_that_is_not_whole(
    tmp_path: Path, world: forge.World, judge: Judge, signed: dict[int, Any]
) -> None:
    """A decision is about a manifest; a folder whose files are not those of the manifest is not that bundle."""
    val = keys.make_key(tmp_path, "val")
    listed = Signers(keys.signers(tmp_path / "signers", (VAL, "", val)))
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    list(receive(results, judge, VAL, val))
    list(work_off(results, judge, VAL, val))
    forge.write_folder({**signed[1], names.ENVIRONMENT: b"{}"}, tmp_path / "other")
    ours = verifier(store=world.store, benchmarks=[world.root / "benchmarks"], spec=None, required="RESCORED")
    given, _ = with_decisions(collect([tmp_path / "other"], ours).submissions, results, listed)
    assert [one.verdict.level for one in given] == ["NONE"]


def test_a_line_of_nobodys_takes_no_decision_back(tmp_path: Path) -> None:
    """Whoever can write the file, and has no key of a verifier's, appends: what verifiers decided stands."""
    val, eve = keys.make_key(tmp_path, "val"), keys.make_key(tmp_path, "eve")
    listed = Signers(keys.signers(tmp_path / "signers", (VAL, "", val)))
    body = {"time": "2026-01-01T00:00:00Z", "submission": "one", "level": "SPOT-RUN", "spec_hash": None}
    body |= {"verifier": VAL, "reasons": ["why"]}
    for number, (said, later) in enumerate((("refused", "re-scored"), ("accepted", "withdrawn"))):
        for stranger in (None, eve):
            results, document = tmp_path / f"{number}{stranger is None}", f"{number}" * 64
            for event, key in (("received", val), (said, val), (later, stranger)):
                line = Decision.model_validate({**body, "event": event, "document": document})
                chain.append(results, line, key)
            told = history(results, listed)
            assert [one.counts for one in told] == [False, True, False]
            assert len(taken_back(told)) == (said == "refused")
            assert [who for _, who in decided(results, listed)] == ([VAL] if said == "accepted" else [])
