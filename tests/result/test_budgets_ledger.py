"""What a ledger says of budgets and targets, against a plain loop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.result.budgets import measure_within, to_target
from ftbench.result.documents import Round
from ftbench.spec.budgets import CostToTarget, QualityWithin, within_name, within_names

MIB = 2**20


def rounds(sizes: list[int], losses: list[float | None] | None = None, **more: Any) -> list[Round]:
    return [
        Round(
            event="round",
            round=number,
            learning_rate=0.1,
            sampled=[0],
            replies=[],
            excluded=[],
            bytes_down=size // 2,
            bytes_up=size - size // 2,
            adapter=f"{number:064x}",
            strategy_state=None,
            client_states={},
            validation_loss=losses[number - 1] if losses else None,
            **more,
        )
        for number, size in enumerate(sizes, 1)
    ]


BEGINNING = "f" * 64


@given(
    st.lists(st.integers(0, 3 * MIB), min_size=1, max_size=8),
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.25, 7.5]), min_size=1, max_size=5, unique=True),
)
def test_a_budget_has_the_last_round_that_fits(sizes: list[int], budgets: list[float]) -> None:
    found = measure_within(QualityWithin(communication_mib=sorted(budgets)), rounds(sizes), BEGINNING)
    for one in found:
        fitting = [n for n in range(len(sizes) + 1) if sum(sizes[:n]) <= one.communication_mib * MIB]
        assert one.round == max(fitting) and one.bytes == sum(sizes[: one.round])
        assert one.adapter == (f"{one.round:064x}" if one.round else BEGINNING)
    assert [one.round for one in found] == sorted(one.round for one in found)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0.01, 3)), min_size=1, max_size=8),
    st.floats(0.01, 3),
)
def test_the_target_is_the_first_round_at_it_or_below(made: list[tuple[int, float]], target: float) -> None:
    sizes, losses = [size for size, _ in made], [loss for _, loss in made]
    seconds = {number: 0.5 * number for number in range(1, len(made) + 1)}
    found = to_target(CostToTarget(validation_loss=target), rounds(sizes, list(losses)), seconds)
    hits = [number for number, loss in enumerate(losses, 1) if loss <= target]
    assert found is not None and found.round == (min(hits) if hits else None)
    if hits:
        assert found.bytes == sum(sizes[: min(hits)])
        assert found.seconds == pytest.approx(sum(seconds[n] for n in range(1, min(hits) + 1)))
    else:
        assert (found.bytes, found.seconds, found.simulated_seconds) == (None, None, None)


def test_a_round_whose_time_is_not_known_leaves_none() -> None:
    block = CostToTarget(validation_loss=1.0)
    assert to_target(block, rounds([1, 1], [2.0, 1.0]), {2: 1.0}) == to_target(block, rounds([1, 1], [2.0, 1.0]))
    assert to_target(None, rounds([1])) is None and measure_within(None, rounds([1]), BEGINNING) == []


def test_simulated_time_is_the_ledgers() -> None:
    found = to_target(CostToTarget(validation_loss=1.0), rounds([1, 1], [2.0, 1.0], simulated_seconds=7.5))
    assert found is not None and found.simulated_seconds == 15.0


def test_names_tell_budgets_apart() -> None:
    sizes = [0.5, 1, 2.0, 1000000, 1234567.8, 0.1 + 0.2, 0.3]
    names = [within_name(mib) for mib in sizes]
    assert names[:4] == ["within-0.5-mib", "within-1-mib", "within-2-mib", "within-1000000-mib"]
    assert len(set(names)) == len(names) and within_name(1e-5) == "within-0.00001-mib"
    assert within_names(None) == []
