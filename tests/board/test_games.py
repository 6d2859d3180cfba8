"""What is done to fill a table, or to end it."""

from __future__ import annotations

from collections.abc import Callable

from ftbench.board.collect import answers_of
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.result.documents import Answer, Sample

Make = Callable[..., Submission]


def numbers(*told: float) -> list[Sample]:
    """One item, answered so."""
    answer = Answer(loglikelihoods=list(told) or None)
    return [Sample(index=0, item="0" * 64, prompt="", options=[], target=0, untuned=answer, tuned=answer)]


def test_one_run_told_as_two_seeds_and_two_entries(submission: Make) -> None:
    given = [
        submission("a", seed=1, answers="x"),
        submission("b", seed=2, answers="x"),
        submission("c", knobs={"adapter.rank": 9}, answers="x"),
        submission("d", knobs={"adapter.rank": 7}, answers="y"),
        submission("e", knobs={"adapter.rank": 6}),
        submission("f", knobs={"adapter.rank": 5}),
    ]
    rows = {row.bundles[0].path: row.notes for row in build(given).tables[0].rows}
    assert len(rows["a"]) == 2 and len(rows["c"]) == 1
    assert rows["a"][0].startswith("seed 1 and entry ") and "one run, told more than once" in rows["c"][0]
    assert rows["d"] == rows["e"] == rows["f"] == []


def test_a_run_handed_in_twice_is_no_copy(submission: Make) -> None:
    (row,) = build([submission("a", answers="x"), submission("b", answers="x")]).tables[0].rows
    assert row.notes == []


def test_answers_are_told_apart_by_their_last_digit() -> None:
    assert answers_of({"t": numbers(-1.5)}) == answers_of({"t": numbers(-1.5)})
    assert answers_of({"t": numbers(-1.5)}) != answers_of({"t": numbers(-1.5000000000000002)})
    assert answers_of({"t": numbers()}) is answers_of({}) is None


def test_times_whose_sum_overflows(submission: Make) -> None:
    given = [submission(path, seed=n) for n, path in enumerate("ab", 1)]
    for one in given:
        object.__setattr__(one.result.cost, "train_seconds", 1.7e308)
    (row,) = build(given).tables[0].rows
    assert row.train_seconds == 1.7e308
