"""What accuracy hides: options chosen, the best constant answer, and the test of a mean over tasks."""

from __future__ import annotations

import itertools
import math

import pytest
from evaluations import choice, code, evaluation
from hypothesis import given
from hypothesis import strategies as st

from ftbench.result.documents import Answer, Sample, Scores
from ftbench.result.options import constant_tasks, counts, is_constant_mean, majority, written
from ftbench.result.score import score
from ftbench.result.statistics import mcnemar, stratified

OPTIONS = [" negative", " neutral", " positive"]
GENERATED = choice("fpb", options=OPTIONS, scoring=["likelihood", "generated"], extraction="option-text")
TARGETS = [0] * 4 + [1] * 12 + [2] * 4


def sample(index: int, target: int, tuned: int, untuned: str = "Neutral") -> Sample:
    values = [-1.0 if n == tuned else -2.0 for n in range(3)]
    return Sample.model_construct(
        index=index,
        item="0" * 64,
        prompt="p",
        options=OPTIONS,
        target=target,
        references={},
        untuned=Answer(loglikelihoods=[-1.0, -2.0, -3.0], text=untuned),
        tuned=Answer(loglikelihoods=values, text=""),
    )


def always(number: int) -> Scores:
    """A model that gives the same option to 20 items of which 4 are negative, 12 neutral, 4 positive."""
    return score({"fpb": [sample(n, t, number) for n, t in enumerate(TARGETS)]}, evaluation(GENERATED))


def test_a_constant_is_not_above_the_best_constant() -> None:
    scores = always(1)
    task = scores.tasks["fpb"]
    assert task.tuned.value == 0.6 and task.difference.value > 0
    assert task.majority and (task.majority.option, task.majority.correct, task.majority.value) == (1, 12, 0.6)
    assert task.majority.text == "neutral"
    options = task.tuned.options
    assert options and (options.due, options.chosen, options.right) == ([4, 12, 4], [0, 20, 0], [0, 12, 0])
    assert options.balanced == pytest.approx(1 / 3) and options.macro_f1 == pytest.approx(0.75 / 3)
    assert constant_tasks(scores.tasks) == ["fpb"] and is_constant_mean(scores)


def test_one_more_is_above_it() -> None:
    lines = [sample(n, t, t if n == 0 else 1) for n, t in enumerate(TARGETS)]
    scores = score({"fpb": lines}, evaluation(GENERATED))
    assert constant_tasks(scores.tasks) == [] and not is_constant_mean(scores)


def test_what_the_untuned_model_writes_most_often() -> None:
    told = always(1).tasks["fpb"].written
    assert told and (told.text, told.count, told.option) == ("Neutral", 20, None), "the case of a letter"
    found = written([" neutral\n", "neutral", "x"], [OPTIONS] * 3)
    assert found and (found.text, found.count, found.option) == ("neutral", 2, 1)
    assert written(["", " \n"], [OPTIONS] * 2) is None


def test_unparsable_answers_are_no_option_s_choice() -> None:
    found = counts([None, None, 0, 1], [0, 1, 0, 0], 3)
    assert found.chosen == [1, 1, 0] and found.right == [1, 0, 0] and found.due == [3, 1, 0]
    assert found.balanced == pytest.approx((1 / 3 + 0) / 2) and found.macro_f1 == pytest.approx(0.5 / 2)


def test_code_tasks_have_none_and_then_the_mean_has_none() -> None:
    program = Sample.model_construct(
        index=0,
        item="0" * 64,
        prompt="p",
        options=[],
        target=None,
        references={},
        untuned=Answer(text="", passed=False, status="failed"),
        tuned=Answer(text="", passed=True, status="passed"),
    )
    scores = score({"fpb": [sample(0, 1, 1)], "c": [program]}, evaluation(GENERATED, code("c")))
    assert scores.majority is None and scores.tasks["c"].majority is None and scores.tasks["c"].tuned.options is None
    assert not is_constant_mean(scores)


def test_the_first_of_equals() -> None:
    assert majority([1, 2, 2, 1], [OPTIONS] * 4).option == 1
    assert majority([0, 0], [[" x", " y"], [" y", " x"]]).text is None


def test_results_of_before_are_read() -> None:
    value = always(0).model_dump(mode="json")
    value.pop("majority")
    for name in ("majority", "written"):
        value["tasks"]["fpb"].pop(name)
    value["tasks"]["fpb"]["tuned"].pop("options")
    assert Scores.model_validate(value).tasks["fpb"].majority is None


def brute(changes: list[tuple[int, int, int]]) -> float:
    weights = [1 / items for items, gained, lost in changes for _ in range(gained + lost)]
    observed = abs(sum((gained - lost) / items for items, gained, lost in changes))
    signs = itertools.product((1, -1), repeat=len(weights))
    sums = [abs(sum(s * w for s, w in zip(one, weights, strict=True))) for one in signs]
    return sum(one >= observed - 1e-12 for one in sums) / len(sums)


some = st.lists(st.tuples(st.sampled_from([10, 25, 40]), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=3)


@given(some)
def test_of_few_changes_every_one_is_counted(changes: list[tuple[int, int, int]]) -> None:
    assert stratified(changes) == pytest.approx(brute(changes))


def test_tasks_of_one_size_are_pooled() -> None:
    assert stratified([(50, 3, 1), (50, 4, 0)]) == mcnemar(7, 1)
    assert stratified([(50, 0, 0), (70, 0, 0)]) == 1.0


def test_a_large_task_does_not_outvote_a_small_one() -> None:
    """Pooled, 80 lost items of the large task drown what the small one gained; the mean of the two rose."""
    changes = [(100, 30, 2), (5000, 60, 140)]
    assert (30 - 2) / 100 + (60 - 140) / 5000 > 0
    assert mcnemar(90, 142) < 0.001 and stratified(changes) < 1e-4
    assert stratified([(100, 30, 2), (1000, 60, 340)]) > 0.9, "here the mean did not move"


def test_many_changes_are_near_the_whole_distribution() -> None:
    few, many = [(1000, 200, 150), (3000, 260, 200)], [(1000, 200, 150), (3000, 260, 200), (90_000, 1, 1)]
    assert math.prod(g + n + 1 for _, g, n in few) < 200_000 < math.prod(g + n + 1 for _, g, n in many)
    assert stratified(many) == pytest.approx(stratified(few), abs=0.005)


@pytest.mark.parametrize("changes", [[], [(3, -1, 0)], [(3, 2, 2)]])
def test_no_counts(changes: list[tuple[int, int, int]]) -> None:
    with pytest.raises(ValueError, match="not counts"):
        stratified(changes)
