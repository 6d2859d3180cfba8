"""Scores from per-item answers."""

from __future__ import annotations

import math

import pytest
from evaluations import likelihood
from hypothesis import given
from hypothesis import strategies as st

from ftbench.errors import InvalidInput
from ftbench.result.documents import Answer, Sample, Scores
from ftbench.result.marks import chosen
from ftbench.result.score import is_attainable, score
from ftbench.result.statistics import mover_mean, paired_difference, wilson

RIGHT, WRONG = [-1.0, -2.0, -3.0], [-3.0, -1.0, -2.0]


def sample(index: int, untuned: list[float], tuned: list[float], target: int = 0) -> Sample:
    return Sample.model_construct(
        references={},
        index=index,
        item="0" * 64,
        prompt="p",
        options=[" a", " b", " c"],
        target=target,
        untuned=Answer.model_construct(loglikelihoods=untuned),
        tuned=Answer.model_construct(loglikelihoods=tuned),
    )


def table(both: int, gained: int, lost: int, neither: int) -> list[Sample]:
    kinds = [(RIGHT, RIGHT)] * both + [(WRONG, RIGHT)] * gained + [(RIGHT, WRONG)] * lost + [(WRONG, WRONG)] * neither
    return [sample(i, untuned, tuned) for i, (untuned, tuned) in enumerate(kinds)]


def test_one_task() -> None:
    scores = score({"t": table(10, 20, 5, 15)}, likelihood("t"))
    task = scores.tasks["t"]
    assert (task.tuned.correct, task.untuned.correct, task.tuned.items) == (30, 15, 50)
    assert task.tuned.value == 0.6
    assert (task.difference.gained, task.difference.lost) == (20, 5)
    assert task.difference.value == pytest.approx(0.3)
    assert task.difference.p_value == pytest.approx(0.004077, abs=1e-6)
    assert task.tuned.interval.low == wilson(30, 50, 0.95).low
    assert task.difference.interval.high == paired_difference(10, 20, 5, 15, 0.95).high
    assert scores.tuned.value == task.tuned.value
    assert scores.tuned.interval.low == pytest.approx(task.tuned.interval.low)
    assert scores.difference.p_value == task.difference.p_value


def test_mean_is_plain_over_tasks_of_any_size() -> None:
    scores = score(
        {"small": table(0, 2, 0, 0), "large": table(0, 0, 0, 98)}, likelihood("small", "large", confidence=0.9)
    )
    assert scores.tuned.value == 0.5
    assert scores.untuned.value == 0
    assert (scores.difference.gained, scores.difference.lost) == (2, 0)
    expected = mover_mean([wilson(2, 2, 0.9), wilson(0, 98, 0.9)], (0, 1))
    assert (scores.tuned.interval.low, scores.tuned.interval.high) == (expected.low, expected.high)
    differences = [paired_difference(0, 2, 0, 0, 0.9), paired_difference(0, 0, 0, 98, 0.9)]
    assert scores.difference.interval.low == mover_mean(differences, (-1, 1)).low


def test_first_of_equals_is_the_answer() -> None:
    assert chosen(Answer(loglikelihoods=[-2.0, -1.0, -1.0])) == 1
    assert score({"t": [sample(0, [-1.0] * 3, [-1.0] * 3, target=0)]}, likelihood("t")).tuned.value == 1
    assert score({"t": [sample(0, [-1.0] * 3, [-1.0] * 3, target=2)]}, likelihood("t")).tuned.value == 0


def test_result_passes_the_model_and_json() -> None:
    scores = score({"t": table(1, 2, 3, 4), "u": table(4, 3, 2, 1)}, likelihood("t", "u"))
    assert Scores.model_validate_json(scores.model_dump_json()) == scores


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (sample(0, RIGHT[:2], RIGHT), "FTB681"),
        (sample(0, RIGHT, [*RIGHT, -1.0]), "FTB681"),
        (sample(0, RIGHT, []), "FTB681"),
        (sample(0, [math.nan, -1.0, -2.0], RIGHT), "FTB682"),
        (sample(0, RIGHT, [math.inf, -1.0, -2.0]), "FTB682"),
        (sample(0, RIGHT, [-math.inf, -1.0, -2.0]), "FTB682"),
        (sample(0, RIGHT, [0.5, -1.0, -2.0]), "FTB682"),
        (sample(0, RIGHT, RIGHT, target=3), "FTB683"),
    ],
)
def test_refuses_what_cannot_be_scored(bad: Sample, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        score({"t": [*table(1, 1, 1, 1), bad]}, likelihood("t"))
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert "item 0 of task t" in str(caught.value)


def test_refuses_nothing_to_score() -> None:
    for empty in ({}, {"t": []}):
        with pytest.raises(InvalidInput, match="FTB680"):
            score(empty, likelihood("t"))


def test_names_at_most_ten_problems() -> None:
    with pytest.raises(InvalidInput) as caught:
        score({"t": [sample(i, [], []) for i in range(50)]}, likelihood("t"))
    assert len(caught.value.diagnostics) == 10


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 6))
def test_every_true_accuracy_is_attainable(count: tuple[int, int], digits: int) -> None:
    correct, items = count
    assert is_attainable(correct / items, items)
    assert is_attainable(round(correct / items, digits), items, digits)


def test_unattainable_accuracies() -> None:
    assert not is_attainable(0.335, 3)
    assert is_attainable(0.333, 3, digits=3)
    assert not is_attainable(0.334, 3, digits=3)
    assert not is_attainable(1.5, 2)
    assert not is_attainable(-0.5, 2)
    assert not is_attainable(math.nan, 2)
    assert not is_attainable(0.5, 0)
