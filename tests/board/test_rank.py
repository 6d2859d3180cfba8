"""Tables of one spec hash each; rows of several seeds; what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftbench.board import text
from ftbench.board.compare import Contender, compare, differ, ranks
from ftbench.board.model import Refused
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.result.documents import CheckResult, Interval

Make = Callable[..., Submission]
GOOD, FAIR, POOR = ({"t": [1] * k + [0] * (40 - k)} for k in (39, 30, 12))


def test_two_hashes_are_two_tables(submission: Make) -> None:
    board = build(
        [
            submission("a", name="one", right=GOOD),
            submission("b", name="two", right=POOR, knobs={"adapter.rank": 4}),
            submission("c", name="three", right=FAIR, spec_hash="ef" * 32),
        ]
    )
    assert [(t.spec_hash[:2], [r.names for r in t.rows]) for t in board.tables] == [
        ("ab", [["one"], ["two"]]),
        ("ef", [["three"]]),
    ]
    first, second = board.tables[0].rows
    assert (first.rank.best, first.rank.worst, second.rank.best, second.rank.worst) == (1, 1, 2, 2)
    assert board.tables[1].rows[0].rank.worst == 1


def test_one_bad_among_good_is_listed_apart(submission: Make) -> None:
    failed = CheckResult(
        check="scores-recomputed", level="RESCORED", title="t", outcome="failed", evidence="0.9 is told, 0.5 comes out"
    )
    bad = submission("bad", name="cheat", level="CONFORMS", checks=[failed])
    broken = Refused(path="cut.zip", bundle=None, spec_hash=None, level="NONE", code="FTB702", reason="no zip")
    board = build([submission("good", name="honest"), bad], [broken])
    assert [row.names for table in board.tables for row in table.rows] == [["honest"]]
    assert [(one.path, one.code) for one in board.refused] == [("bad", "FTB703"), ("cut.zip", "FTB702")]
    assert "scores-recomputed: 0.9 is told, 0.5 comes out" in board.refused[0].reason


def test_required_level_can_be_lower(submission: Make) -> None:
    board = build([submission(level="CONFORMS")], required="CONFORMS")
    assert board.tables[0].rows[0].level == "CONFORMS"


def test_trial_runs_are_never_ranked(submission: Make) -> None:
    board = build([submission(smoke=True)])
    assert not board.tables
    assert board.refused[0].code == "FTB705"


def test_seeds_of_one_entry_are_one_row(submission: Make) -> None:
    shares = {1: 30, 2: 32, 3: 34}
    board = build([submission(f"s{s}", seed=s, right={"t": [1] * k + [0] * (40 - k)}) for s, k in shares.items()])
    (row,) = board.tables[0].rows
    assert row.seeds == [1, 2, 3]
    assert row.score.value == pytest.approx(32 / 40)
    assert row.spread == pytest.approx(0.05)
    assert row.score.interval.low < 30 / 40 < row.score.interval.high
    assert [one.path for one in row.bundles] == ["s1", "s2", "s3"]


def test_missing_seeds_are_marked(submission: Make, plan_of_quickstart: object) -> None:
    from ftbench.compile.plan import Plan

    assert isinstance(plan_of_quickstart, Plan)
    spec_hash = plan_of_quickstart.spec_hash
    board = build([submission(seed=2, spec_hash=spec_hash)], plans={spec_hash: plan_of_quickstart})
    (row,) = board.tables[0].rows
    assert row.missing_seeds == [1, 3]
    assert text.seeds(row) == "1 of 3"
    assert board.tables[0].title == plan_of_quickstart.metadata.title


def test_copies_count_once_and_the_whole_one_stands(submission: Make) -> None:
    whole = submission("folder", bundle="11" * 32)
    cut = submission("archive.zip", bundle="11" * 32, level="CLAIMED")
    board = build([cut, whole, whole])
    assert [b.path for b in board.tables[0].rows[0].bundles] == ["folder"]
    (copy,) = board.refused
    assert (copy.path, copy.code) == ("archive.zip", "FTB707") and "manifest of folder" in copy.reason


def test_an_honest_copy_is_told_of(submission: Make) -> None:
    board = build([submission("b.zip", bundle="11" * 32), submission("a", bundle="11" * 32)])
    assert [b.path for b in board.tables[0].rows[0].bundles] == ["a"]
    assert [(one.path, one.code) for one in board.refused] == [("b.zip", "FTB706")]


def test_runs_of_one_seed_count_once(submission: Make) -> None:
    first = submission("x", right={"t": [1] * 40}, adapter="1" * 64)
    second = submission("y", right={"t": [1] * 20 + [0] * 20}, adapter="2" * 64)
    other = submission("z", seed=2, right={"t": [1] * 30 + [0] * 10})
    (row,) = build([first, second, other]).tables[0].rows
    assert row.score.value == pytest.approx(0.75)
    assert any("seed 1" in note for note in row.notes)


def test_untuned_is_a_row_beside_the_ranking(submission: Make) -> None:
    board = build([submission("a"), submission("b", name="b", knobs={"adapter.rank": 2})])
    reference, _ = board.tables[0].references
    assert reference.score.value == pytest.approx(0.5)
    assert reference.bundles == 2


def test_order_does_not_depend_on_the_order_of_finding(submission: Make) -> None:
    found = [
        submission("a", name="a", right=GOOD, knobs={"k": 1}),
        submission("b", name="b", right=GOOD, knobs={"k": 2}),
        submission("c", name="c", right=POOR, knobs={"k": 3}),
        submission("d", name="d", spec_hash="00" * 32),
        submission("e", name="e", level="INTACT"),
    ]
    assert build(found) == build(found[::-1])


def contender(marks: list[int], *, low: float = 0.0, high: float = 1.0, samples: bool = True) -> Contender:
    score = sum(marks) / len(marks)
    return Contender(score, Interval(low=low, high=high), {"t": [float(m) for m in marks]} if samples else {})


@pytest.mark.parametrize(
    ("gained", "lost", "apart"), [(0, 0, False), (5, 0, False), (6, 0, True), (9, 3, False), (20, 6, True)]
)
def test_paired_test_is_mcnemars(gained: int, lost: int, apart: bool) -> None:
    """Limits by Edwards' corrected chi-square: (|b − c| − 1)² / (b + c) against 3.841."""
    a = [1] * gained + [0] * lost + [1] * 50
    b = [0] * gained + [1] * lost + [1] * 50
    assert differ(contender(a), contender(b), 0.95) is apart
    assert ((abs(gained - lost) - 1) ** 2 / max(gained + lost, 1) > 3.841 and gained != lost) is apart


def test_pairing_sees_what_intervals_do_not() -> None:
    """Same items, one strictly better: intervals overlap, the paired test tells them apart."""
    a, b = [1] * 60 + [0] * 40, [1] * 50 + [0] * 50
    assert differ(contender(a), contender(b), 0.95)
    assert not differ(contender(a, samples=False), contender(b, samples=False), 0.95)
    assert differ(contender(a, low=0.5, samples=False), contender(b, high=0.4, samples=False), 0.95)


def test_other_items_are_not_paired() -> None:
    assert not differ(contender([1] * 30), contender([0] * 40), 0.95)


def test_ranks_are_intervals() -> None:
    best, tie, worst = contender([1] * 100), contender([1] * 97 + [0] * 3), contender([0] * 100)
    places = ranks(3, compare([best, tie, worst], 0.95).pairs)
    assert [(p.best, p.worst) for p in places] == [(1, 2), (1, 2), (3, 3)]


def test_rows_are_named_by_what_differs(submission: Make) -> None:
    knobs = [{"adapter.rank": rank, "x.learning_rate": rate, "alpha": 16} for rank, rate in ((4, 2e-3), (8, 0.1))]
    board = build([submission(str(one), name="custom", knobs=one) for one in knobs])
    assert sorted(row.label for row in board.tables[0].rows) == ["rank=4 lr=2e-3", "rank=8 lr=0.1"]
    named = build([submission("a", name="rank4-learning-rate0-002", knobs=knobs[0]), submission("b", knobs=knobs[1])])
    assert sorted(row.label for row in named.tables[0].rows) == ["mine: rank=8 lr=0.1", "rank=4 lr=2e-3"]


def test_what_a_row_speaks_of(submission: Make) -> None:
    for seeds, claim in ((1, "adapter"), (2, "adapters"), (3, "method")):
        (row,) = build([submission(f"s{seed}", seed=seed) for seed in range(seeds)]).tables[0].rows
        assert row.claim == claim
