"""What stands in results/ is what its answers and ledgers say, by arithmetic that shares no line with ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import recount

from ftbench.board.collect import Judged, collect, known_plans
from ftbench.board.model import Board
from ftbench.board.rank import build
from ftbench.result.documents import Verdict
from ftbench.result.opening import open_bundle
from ftbench.spec.canonical import sha256
from ftbench.verify import documents

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = sorted((ROOT / "results" / "bundles").glob("*.zip"))


@cache
def plans() -> dict[str, Any]:
    return recount.plans(ROOT / "generated")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, recount.Run]:
    return {path.name: recount.unpacked(path, tmp_path_factory.mktemp("bundle"), plans()) for path in BUNDLES}


@pytest.fixture(scope="module")
def board() -> Board:
    """The tables of all bundles. Whether they can be believed is another test's question: here each is."""

    def believed(path: Path) -> Judged:
        bundle = open_bundle(path)
        read = documents.read(bundle)
        assert read.result is not None
        verdict = Verdict(
            name=read.result.name,
            version=read.result.version,
            spec_hash=read.result.spec_hash,
            bundle=sha256(bundle.files["manifest.json"]),
            level="RESCORED",
            required="RESCORED",
            accepted=True,
            checks=[],
            not_checked=[],
            verifier="a test",
            result=read.result,
        )
        return Judged(verdict, read, bundle.content())

    known = known_plans([ROOT / "generated"])
    found = collect([ROOT / "results" / "bundles"], believed, plans=known)
    assert not found.refused
    return build(found.submissions, plans=known)


@pytest.mark.parametrize("name", [path.name for path in BUNDLES])
def test_a_bundle(runs: dict[str, recount.Run], name: str) -> None:
    assert recount.bundle_problems(runs[name]) == []
    assert len(list(recount.numbers(runs[name].result["scores"]))) > 50


def test_the_tables(board: Board, runs: dict[str, recount.Run]) -> None:
    assert len(board.tables) == len({run.result["spec_hash"] for run in runs.values()})
    for table in board.tables:
        assert recount.table_problems(table.model_dump(mode="json"), runs) == [], table.name


def test_a_figure_that_was_changed_is_found(board: Board, runs: dict[str, recount.Run]) -> None:
    told = board.tables[-1].model_dump(mode="json")
    for place, change in (("standard_error", 1e-6), ("bytes_up", 1), ("spread", 1e-6)):
        row = next(one for one in told["rows"] if one[place] is not None)
        row[place] += change
        assert len(recount.table_problems(told, runs)) == 1, place
        row[place] -= change
    run = next(iter(runs.values()))
    task = next(iter(run.result["scores"]["tasks"].values()))
    task["difference"]["p_value"] += 1e-6
    assert len(recount.bundle_problems(run)) == 1
    task["difference"]["p_value"] -= 1e-6
