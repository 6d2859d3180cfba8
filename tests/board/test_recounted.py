"""What stands in results/ is what its answers and ledgers say, by arithmetic that shares no line with ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import recount
import recount_private
from hypothesis import given
from hypothesis import strategies as st

from ftbench.app.privacy import accounting
from ftbench.board.clusters import clustering
from ftbench.board.collect import Judged, collect, known_plans
from ftbench.board.model import Board
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.data.store import Store
from ftbench.result.documents import Answer, Sample, Verdict
from ftbench.result.exposure import exposure
from ftbench.result.opening import open_bundle
from ftbench.spec.canonical import digest, sha256
from ftbench.spec.model import Reporting
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
def submitted() -> list[Submission]:
    """What all bundles are. Whether they can be believed is another test's question: here each is."""

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

    found = collect([ROOT / "results" / "bundles"], believed, plans=known_plans([ROOT / "generated"]))
    assert not found.refused
    return found.submissions


@pytest.fixture(scope="module")
def board(submitted: list[Submission]) -> Board:
    return build(submitted, plans=known_plans([ROOT / "generated"]))


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
    private = runs["micro-medical-dp-default-s1.zip"]
    spent = [body["privacy"] for body in private.ledger if body["event"] == "round"]
    spent[1]["epsilon"] *= 1 - 1e-7
    assert len(recount.bundle_problems(private)) == 1
    spent[1]["epsilon"] /= 1 - 1e-7


def deal(clients: int, asked: int, rounds: int) -> list[dict[str, Any]]:
    """Rounds of a ledger: who was asked, the last of them in vain."""
    drawn = [[(number * 3 + one) % clients for one in range(asked)] for number in range(rounds)]
    return [{"replies": [{"partition": p} for p in r[:-1]], "excluded": [{"partition": r[-1]}]} for r in drawn]


CENTRAL = [(20, 4, 6, 9.33, 1e-3), (64, 16, 5, 0.9, 1e-3), (1000, 100, 10, 2.0, 1e-4), (4, 2, 6, 4.0, 1e-2)]
CENTRAL += [(4, 4, 3, 0.1, 1e-3), (8, 8, 40, 3.0, 1e-5)]


@pytest.mark.parametrize(("clients", "asked", "rounds", "z", "delta"), CENTRAL)
def test_epsilon(clients: int, asked: int, rounds: int, z: float, delta: float) -> None:
    """Integrals of densities say what the app tells, central and local, and what is leaked at least is not more."""
    spec: dict[str, Any] = {
        "federation": {"clients": clients},
        "privacy": {"kind": "central", "noise_multiplier": z, "delta": delta},
    }
    dealt = deal(clients, asked, rounds)
    for number, (due, least) in enumerate(recount_private.epsilons(spec, dealt), 1):
        assert accounting.central(z, delta, clients, asked, number) == pytest.approx(due, rel=recount_private.RELATIVE)
        assert 0 <= least <= due
    spec["privacy"] |= {"kind": "local"}
    often = accounting.most_often([[one["partition"] for one in (*r["replies"], *r["excluded"])] for r in dealt])
    *_, (due, _) = recount_private.epsilons(spec, dealt)
    assert accounting.local(z, delta, often) == pytest.approx(due, rel=recount_private.RELATIVE)


def test_what_is_leaked_at_least_comes_near_what_is_exact() -> None:
    """Where nearly all are asked, the pair of federations is that of the exact bound."""
    assert 0.99 < recount_private.least(4.0, 0.999999, 6, 1e-3) / recount_private.whole(2.0, 1e-3, 6) <= 1


@given(st.integers(1, 6), st.integers(13, 30), st.randoms(use_true_random=False))
def test_exposure(canaries: int, candidates: int, random: Random) -> None:
    """Of log-likelihoods with many ties."""
    places = random.sample(range(candidates), canaries)

    def answer() -> Answer:
        return Answer(loglikelihoods=[-float(random.randint(1, 6)) for _ in range(candidates)])

    items = [
        Sample(
            index=number,
            item=digest(number),
            prompt=f"{number}",
            options=[f" {one}" for one in range(candidates)],
            target=place,
            untuned=answer(),
            tuned=answer(),
        )
        for number, place in enumerate(places)
    ]
    counted = recount_private.exposure([one.model_dump(mode="json") for one in items])
    told = exposure(items).model_dump(mode="json")
    assert len(list(recount.numbers(told))) == 6
    assert recount.differences(told, counted, tolerance=recount.ROUNDED) == []


UNEVEN = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 40, 30, 19]
KEYS: dict[str, Any] = {
    "blocks": {"jars": {"blocks": UNEVEN}, "shelves": {"blocks": [20] * 16}},
    "one of two tasks": {"shelves": {"blocks": UNEVEN}},
    "blocks in common": {name: {"blocks": UNEVEN, "shared": "both"} for name in ("jars", "shelves")},
    "answers": {"jars": {"column": "answer"}, "shelves": {"column": "answer"}},
    "questions": {"jars": {"column": "question"}, "shelves": {}},
}


@pytest.mark.parametrize("key", KEYS)
def test_clusters(submitted: list[Submission], runs: dict[str, recount.Run], key: str) -> None:
    """Of one table, with a row of three seeds in it, as if its spec had named clusters."""
    of = {name: run for name, run in runs.items() if name.startswith("quickstart")}
    [spec_hash] = {run.result["spec_hash"] for run in of.values()}
    plan = known_plans([ROOT / "generated"])[spec_hash]
    plan = plan.model_copy(update={"reporting": Reporting.model_validate({"clusters": KEYS[key]})})
    found = clustering(plan, Store([ROOT / "generated" / "quickstart" / "store"]))
    [table] = build(
        [one for one in submitted if one.result.spec_hash == spec_hash],
        plans={spec_hash: plan},
        clusters={spec_hash: found},
    ).tables
    assert set(found.of_task) == set(KEYS[key])
    told = table.model_dump(mode="json")
    tested = [one for one in told["comparisons"] if one["p_value"] is not None]
    assert len(tested) == 6  # three rows among themselves and with the untuned model
    assert all(one["clustered_error"] is not None for one in (*tested, *told["rows"]))
    for run in of.values():
        run.group(KEYS[key])
    try:
        assert recount.table_problems(told, runs) == []
        told["rows"][0]["clustered_error"] += 1e-6
        assert len(recount.table_problems(told, runs)) == 1
    finally:
        for run in of.values():
            run.group({})
