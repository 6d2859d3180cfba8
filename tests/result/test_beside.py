"""`evaluation.also`: another domain's tasks are scored beside, and are no part of what ranks."""

from __future__ import annotations

from evaluations import choice, evaluation

from ftbench.board.collect import marks_of
from ftbench.result.documents import Answer, Sample
from ftbench.result.score import score
from ftbench.spec.model import Evaluation
from ftbench.verify.checks.scores_attainable import _problems

OPTIONS = [" a", " b"]


def lines(tuned_right: int, untuned_right: int, count: int = 10) -> list[Sample]:
    right, wrong = Answer(loglikelihoods=[-1.0, -2.0]), Answer(loglikelihoods=[-2.0, -1.0])
    return [
        Sample(
            index=index,
            item="0" * 64,
            prompt="p",
            options=OPTIONS,
            target=0,
            untuned=right if index < untuned_right else wrong,
            tuned=right if index < tuned_right else wrong,
            references={},
        )
        for index in range(count)
    ]


def block(**more: object) -> Evaluation:
    return evaluation(choice("home", options=OPTIONS), choice("away", options=OPTIONS)).model_copy(update=more)


def test_what_is_lost_elsewhere_does_not_rank() -> None:
    samples = {"home": lines(9, 4), "away": lines(2, 6)}
    alone = score({"home": samples["home"]}, evaluation(choice("home", options=OPTIONS)))
    found = score(samples, block(also={"medical": ["away"]}))
    assert (found.tuned, found.untuned, found.difference) == (alone.tuned, alone.untuned, alone.difference)
    assert found.majority == alone.majority
    away = found.also["medical"]
    assert (away.tasks, away.tuned.value, away.untuned.value) == (["away"], 0.2, 0.6)
    assert (away.difference.gained, away.difference.lost) == (0, 4) and away.difference.value == -0.4
    assert found.tasks["away"].tuned.correct == 2


def test_marks_that_rank_are_of_the_own_tasks() -> None:
    samples = {"home": lines(9, 4), "away": lines(2, 6)}
    assert set(marks_of(samples, block(also={"medical": ["away"]}))) == {"home"}
    assert set(marks_of(samples, block())) == {"home", "away"}


def test_without_it_every_task_ranks() -> None:
    found = score({"home": lines(9, 4), "away": lines(2, 6)}, block())
    assert found.tuned.value == 0.55 and found.also == {}


def test_a_mean_of_the_own_tasks_is_believed() -> None:
    """Without which no result of a spec with `evaluation.also` was even CLAIMED."""
    found = score({"home": lines(9, 4), "away": lines(2, 6)}, block(also={"medical": ["away"]}))
    assert [*_problems(found)] == []
    other = found.model_copy(update={"tuned": found.tuned.model_copy(update={"value": 0.55})})
    assert any("the mean tuned is 0.55" in told for told in _problems(other))
    everything = {"medical": found.also["medical"].model_copy(update={"tasks": ["home", "away"]})}
    assert [*_problems(found.model_copy(update={"also": everything}))] == ["there is no task that ranks"]
