"""What faults cost: tuned against the fault-free reference on the same items."""

from __future__ import annotations

import pytest
from evaluations import likelihood

from ftbench.result.documents import Answer, Sample
from ftbench.result.score import score
from ftbench.result.statistics import mcnemar, paired_difference


def answer(right: bool) -> Answer:
    return Answer(loglikelihoods=[-1.0, -2.0] if right else [-2.0, -1.0])


def samples(pairs: list[tuple[bool, bool]], name: str = "fault-free") -> list[Sample]:
    """(right without faults, right with them) of each item."""
    return [
        Sample(
            index=index,
            item="0" * 64,
            prompt="p",
            options=[" a", " b"],
            target=0,
            untuned=answer(False),
            tuned=answer(struck),
            references={name: answer(whole)},
        )
        for index, (whole, struck) in enumerate(pairs)
    ]


PAIRS = [(True, True)] * 10 + [(True, False)] * 7 + [(False, True)] * 2 + [(False, False)] * 1


def test_the_items_lost_and_gained_are_counted_in_pairs() -> None:
    scores = score({"t": samples(PAIRS)}, likelihood("t"))
    found = scores.robustness
    due = paired_difference(10, 2, 7, 1, 0.95)
    assert found is not None
    assert (found.lost, found.gained, found.p_value) == (7, 2, mcnemar(2, 7))
    assert found.value == pytest.approx(due.value) == pytest.approx(12 / 20 - 17 / 20)
    assert found.value == pytest.approx(scores.tuned.value - scores.references["fault-free"].value)
    assert (found.interval.low, found.interval.high) == pytest.approx((due.low, due.high))


def test_over_tasks_it_is_their_plain_mean() -> None:
    scores = score({"t": samples(PAIRS), "u": samples([(True, True)] * 40)}, likelihood("t", "u"))
    found = scores.robustness
    assert found is not None
    assert found.value == pytest.approx(-0.25 / 2) and (found.lost, found.gained) == (7, 2)
    assert found.interval.low < found.value < found.interval.high


def test_without_that_reference_there_is_none() -> None:
    assert score({"t": samples(PAIRS, "centralised")}, likelihood("t")).robustness is None
