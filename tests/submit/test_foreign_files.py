"""A bundle is named by its manifest: who hands in a copy of that beside other files decides nothing of the bundle."""

from __future__ import annotations

from pathlib import Path

import keys
import pytest
from test_decide import Files, hand_in

from ftbench.decisions import chain, standing
from ftbench.decisions.documents import Event
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.signing import keygen, kinds
from ftbench.submit.decide import receive, say, work_off
from ftbench.submit.judge import Judge

VAL = "val@example.org"


def received(results: Path, judge: Judge) -> dict[str, bool]:
    return {one.name: line is not None for one, line in receive(results, judge, VAL, None)}


def decided(results: Path, judge: Judge) -> dict[str, str]:
    return {one.name: line.body.event for one, line in work_off(results, judge, VAL, None)}


@pytest.mark.parametrize("what", ["edited", "left out", "beside", "signature"])
def test_a_thief_keeps_nobody_out(tmp_path: Path, judge: Judge, signed: dict[int, Files], what: str) -> None:
    results, stolen = tmp_path / "results", dict(signed[1])
    if what == "edited":
        stolen[names.RESULT] += b" "
    elif what == "left out":
        del stolen[names.ENVIRONMENT]
    elif what == "beside":
        stolen["logs.txt"] = b"mine"
    else:
        stolen[names.SIGNATURE] = keygen.sign(b"another manifest", keys.make_key(tmp_path, "eve"), kinds.BUNDLE)
    hand_in(results, "a-thief", stolen)
    assert received(results, judge) == {"a-thief": False}
    hand_in(results, "owner", signed[1])
    assert received(results, judge) == {"a-thief": False, "owner": True}
    assert decided(results, judge) == {"owner": "accepted"}
    assert received(results, judge) == {}


def test_a_place_that_lost_it_keeps_nobody_out(tmp_path: Path, judge: Judge, signed: dict[int, Files]) -> None:
    """Received whole, and no longer so when it was judged: refused there, and open to whoever has it."""
    results = tmp_path / "results"
    hand_in(results, "lost", signed[1])
    assert received(results, judge) == {"lost": True}
    (results / "bundles" / "lost" / names.RESULT).write_bytes(b"{}")
    assert decided(results, judge) == {"lost": "refused"}
    assert received(results, judge) == {}, "the same place is not asked for ever"
    hand_in(results, "owner", signed[1])
    assert received(results, judge) == {"owner": True}
    assert decided(results, judge) == {"owner": "accepted"}
    assert [body.submission for body in standing.accepted(chain.read(results))] == ["owner"]
    assert [line.body.event for line in chain.read(results)] == ["received", "refused", "re-scored", "accepted"]


@pytest.mark.parametrize(("said", "told"), [("refused", "is accepted already"), ("accepted", "is accepted already")])
def test_what_does_not_follow_is_told_with_what_would(
    tmp_path: Path, judge: Judge, signed: dict[int, Files], said: Event, told: str
) -> None:
    results = tmp_path / "results"
    hand_in(results, "one", signed[1])
    assert received(results, judge) and decided(results, judge) == {"one": "accepted"}
    with pytest.raises(InvalidInput) as error:
        say(results, "one", said, "why", verifier=VAL, key=None)
    (found,) = error.value.diagnostics
    assert found.code == "FTB780" and told in found.message and "--as withdrawn" in str(found.hint)
    say(results, "one", "withdrawn", "why", verifier=VAL, key=None)
    with pytest.raises(InvalidInput, match="the last word"):
        say(results, "one", said, "why", verifier=VAL, key=None)
