"""The table of a sweep: figures over seeds, paired differences to the first setting, and the same bytes every time."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from board_answers import evaluation, samples
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbench.board import sweep_text
from ftbench.board.sweep import Scored, compare, rows
from ftbench.board.sweep_model import Sweep, SweepRun
from ftbench.result.documents import Cost, Result
from ftbench.result.score import score
from ftbench.spec.model import BaseModelRef

HASH = "ab" * 32


@dataclass
class Setting:
    name: str
    values: dict[str, Any] = field(default_factory=dict)


def scored(marks: dict[str, Sequence[int]], seed: int = 1, items: str = "same", traffic: int = 2**20) -> Scored:
    """A whole run whose tuned model answered these items rightly."""
    found = {task: samples(one, [0] * len(one)) for task, one in marks.items()}
    result = Result(
        name="quickstart",
        version="1.0.0",
        spec_hash=HASH,
        entry=HASH,
        model=BaseModelRef(name="builtin/micro", revision="cd" * 32),
        base_model=HASH,
        seed=seed,
        engine="inline",
        adapter=HASH,
        checkpoint_round=1,
        ledger=HASH,
        scores=score(found, evaluation(list(found))),
        cost=Cost(
            bytes_down=traffic,
            bytes_up=traffic,
            trainable_parameters=100,
            rounds=1,
            train_seconds=float(seed),
            evaluate_seconds=1.0,
            peak_memory_bytes=seed,
        ),
        exclusions=1,
        bit_reproducible=True,
        smoke=False,
        unpinned=False,
    )
    return Scored(result, {task: [float(one) for one in marks[task]] for task in marks}, items)


def sweep(named: Sequence[Setting], found: Sequence[dict[int, Scored]], due: Sequence[int]) -> Sweep:
    runs = [
        SweepRun(setting=one.name, seed=seed, folder=f"{one.name}-s{seed}", state="whole" if seed in runs else "failed")
        for one, runs in zip(named, found, strict=True)
        for seed in due
    ]
    return Sweep(
        name="quickstart",
        version="1.0.0",
        spec_hash=HASH,
        smoke=False,
        confidence=0.95,
        varied=list(named[0].values),
        seeds=list(due),
        rows=rows(named, due, found, 0.95),
        runs=runs,
    )


FIRST = {"a": [1, 1, 0, 0] * 5, "b": [1, 0] * 10}
SECOND = {"a": [1, 1, 1, 0] * 5, "b": [1, 0] * 10}


def test_a_difference_is_paired_on_the_same_items() -> None:
    """Five of twenty items gained and none lost on one task, nothing changed on the other."""
    first, second = rows([Setting("x"), Setting("y")], [1], [{1: scored(FIRST)}, {1: scored(SECOND)}], 0.95)
    assert first.difference is None and first.difference_seeds == []
    assert second.difference is not None
    assert second.difference.value == pytest.approx(0.125)
    task = second.tasks["a"].difference
    assert task is not None and task.value == pytest.approx(0.25)
    # Newcombe's method 10 by hand: phi (50 − 10) / √7500, Wilson (0.5313, 0.8881) after, (0.2993, 0.7007) before.
    assert (task.interval.low, task.interval.high) == pytest.approx((0.0319, 0.4337), abs=1e-4)
    assert second.difference.interval.low < 0.125 < second.difference.interval.high
    unpaired = second.tasks["a"].score.interval.high - second.tasks["a"].score.interval.low
    assert task.interval.high - task.interval.low < 2**0.5 * unpaired


def test_seeds_are_combined_as_the_leaderboard_does() -> None:
    """Mean over seeds of values and of interval ends; the difference over the seeds that both have."""
    one = {1: scored(FIRST, 1), 2: scored(SECOND, 2)}
    other = {2: scored(FIRST, 2), 3: scored(SECOND, 3)}
    first, second = rows([Setting("x"), Setting("y")], [1, 2, 3], [one, other], 0.95)
    assert first.score is not None and first.score.value == pytest.approx((0.5 + 0.625) / 2)
    lows = [run.result.scores.tuned.interval.low for run in one.values()]
    assert first.score.interval.low == pytest.approx(sum(lows) / 2)
    assert (first.seeds, first.missing_seeds, second.missing_seeds) == ([1, 2], [3], [1])
    assert second.difference_seeds == [2]
    assert second.difference is not None and second.difference.value == pytest.approx(-0.125)
    assert first.spread == pytest.approx(0.125 / 2**0.5)
    assert (first.exclusions, first.bytes_down) == (2, 2**20)


def test_other_items_are_not_paired() -> None:
    found = [{1: scored(FIRST)}, {1: scored(SECOND, items="other")}]
    assert rows([Setting("x"), Setting("y")], [1], found, 0.95)[1].difference is None


def test_a_setting_without_a_whole_run_has_no_figures() -> None:
    document = sweep([Setting("x", {"k": 1}), Setting("y", {"k": None})], [{1: scored(FIRST)}, {}], [1])
    assert document.rows[1].score is None and document.rows[1].missing_seeds == [1]
    assert "| `—` | — | — | — | — | — | 0 of 1 |" in sweep_text.markdown(document)
    assert "y, seed 1: failed" in "\n".join(sweep_text.lines(document))
    assert next(csv.DictReader(io.StringIO(sweep_text.as_csv(document))))["vary:k"] == "1"


def test_no_clock_reaches_the_table() -> None:
    """Two runs of the same sweep that took other times and memory give the same bytes."""
    named = [Setting("x", {"adapter.rank": 4}), Setting("y", {"adapter.rank": 8})]
    one = sweep(named, [{1: scored(FIRST)}, {1: scored(SECOND)}], [1])
    again = scored(SECOND)
    slow = again.result.model_copy(update={"cost": again.result.cost.model_copy(update={"train_seconds": 1e6})})
    other = sweep(named, [{1: scored(FIRST)}, {1: Scored(slow, again.marks, again.items)}], [1])
    for text in (sweep_text.markdown, sweep_text.as_csv, lambda x: "\n".join(sweep_text.lines(x))):
        assert text(one) == text(other)
    assert one.model_dump_json() == other.model_dump_json()


def test_markup_in_values_stays_text() -> None:
    named = [Setting("x", {"adapter.targets": "=cmd|`x`"}), Setting("y", {"adapter.targets": ["<b>"]})]
    document = sweep(named, [{1: scored(FIRST)}, {1: scored(SECOND)}], [1])
    assert "`=cmd¦'x'`" in sweep_text.markdown(document)
    assert "'=cmd|`x`" in sweep_text.as_csv(document)


def test_one_error_for_the_whole_sweep() -> None:
    """Nine settings as good as the first, and one that is better: only that one is told apart, p-values adjusted."""
    rng = np.random.default_rng(3)
    base = rng.integers(0, 2, 400)
    equal = [np.where(rng.random(400) < 0.2, rng.integers(0, 2, 400), base) for _ in range(9)]
    better = np.where(rng.random(400) < 0.2, 1, base)
    found = [{1: scored({"a": one.tolist()})} for one in [base, *equal, better]]
    named = [Setting(str(number)) for number in range(len(found))]
    table = rows(named, [1], found, 0.95)
    assert table[0].apart is None and table[0].p_value is None
    assert [one.apart for one in table[1:]] == [False] * 9 + [True]
    alone = rows(named[:2], [1], found[:2], 0.95)[1].p_value
    assert alone is not None and table[1].p_value is not None and table[1].p_value >= alone


def test_the_best_constant_answer_is_no_gain() -> None:
    """A setting whose mean is not above the best constant answers' is marked; another is not."""
    first, second = {1: scored(FIRST)}, {1: scored(SECOND)}
    constant = first[1].result.scores.majority
    assert constant is not None
    scores = second[1].result.scores.model_copy(update={"majority": 0.0})
    above = {1: Scored(second[1].result.model_copy(update={"scores": scores}), second[1].marks, second[1].items)}
    named = [Setting("x", {"k": 1}), Setting("y", {"k": 2})]
    document = sweep(named, [first, above], [1])
    assert ["mean" in one.constant for one in document.rows] == [first[1].result.scores.tuned.value <= constant, False]
    assert sweep_text.markdown(document).count("(no gain)") == 1


@pytest.mark.parametrize("width", [80, 100, 170])
def test_a_table_fits_its_terminal(width: int) -> None:
    paths = {"strategy.server_learning_rate": 0.001, "strategy.kind": "fedadam"}
    found = [{1: scored(FIRST), 2: scored(FIRST)}, {1: scored(SECOND), 2: scored(SECOND)}]
    document = sweep([Setting("x", paths), Setting("y", paths)], found, [1, 2])
    lines = [line for line in sweep_text.lines(document, width) if line.startswith(("server_", "0.001"))]
    assert len(lines) == 3 and all(len(line) <= width for line in lines)
    assert "Score" in lines[0]
    assert ("Traffic MiB" in lines[0]) == (width == 170)


marks = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30)


@settings(max_examples=50, deadline=None)
@given(marks, marks)
def test_a_difference_is_that_of_the_scores_and_turns_its_sign(
    a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    mine, theirs = ({"a": [p[i] for p in a], "b": [p[i] for p in b]} for i in (0, 1))
    there, back = compare(scored(mine), scored(theirs), 0.95), compare(scored(theirs), scored(mine), 0.95)
    for task in ("a", "b"):
        apart = sum(mine[task]) / len(mine[task]) - sum(theirs[task]) / len(theirs[task])
        assert there[task].value == pytest.approx(apart)
        assert there[task].value == pytest.approx(-back[task].value)
        assert there[task].interval.low == pytest.approx(-back[task].interval.high)
        assert there[task].interval.low <= there[task].value <= there[task].interval.high
