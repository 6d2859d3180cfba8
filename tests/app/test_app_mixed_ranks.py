"""FlexLoRA with clients of different ranks: what each is sent, what the server makes of the replies."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from ftbench.app import strategy
from ftbench.app.arrays import Arrays, elements
from ftbench.app.strategy.factors import fitted
from ftbench.app.strategy.flexlora import Strategy

RANK, WIDE, HIGH, ROUNDS = 6, 12, 9, 5
RANKS = [6, 2, 4]
WEIGHTS = [5.0, 2.0, 11.0]
A, B, M = (f"m.lora_{end}" for end in ("A.weight", "B.weight", "magnitude_vector"))


def kind(ranks: list[int] | None = RANKS) -> Strategy:
    made = strategy.find_strategy("flexlora")({"kind": "flexlora"}, {"rank": RANK, "alpha": 12, "client_ranks": ranks})
    assert isinstance(made, Strategy)
    return made


def adapter(generator: numpy.random.Generator, scale: float = 1.0, rank: int = RANK) -> Arrays:
    shapes = {A: (rank, WIDE), B: (HIGH, rank), M: (HIGH,)}
    return {name: (scale * generator.normal(size=shape)).astype("f4") for name, shape in shapes.items()}


def product(found: Arrays) -> Any:
    return found[B].astype("f8") @ found[A].astype("f8")


def best(whole: Any, rank: int) -> Any:
    """The nearest matrix of that rank, from the full SVD."""
    u, s, vh = numpy.linalg.svd(whole)
    return u[:, :rank] * s[:rank] @ vh[:rank]


def test_equal_to_the_full_svd_over_five_rounds() -> None:
    """The reference knows products only: it cuts them for each client, and for the server what comes back."""
    generator = numpy.random.default_rng(0)
    current = adapter(generator)
    for number in range(ROUNDS):
        sent = [kind().outgoing(current, None, partition) for partition in range(len(RANKS))]
        assert [arrays[A].shape[0] for arrays in sent] == RANKS
        if number:  # the drawn adapter's rows are in no order
            for arrays, rank in zip(sent, RANKS, strict=True):
                assert numpy.abs(product(arrays) - best(product(current), rank)).max() < 1e-6
        replies = []
        for arrays in sent:
            step = adapter(generator, 0.05, arrays[A].shape[0])
            replies.append({name: array + step[name] for name, array in arrays.items()})
        whole = numpy.average([product(r) for r in replies], axis=0, weights=WEIGHTS)
        current, state = kind().aggregate(current, list(zip(WEIGHTS, replies, strict=True)), None)
        assert state is None
        assert numpy.abs(product(current) - best(whole, RANK)).max() < 1e-6 * numpy.abs(whole).max()
        assert numpy.abs(current[M] - numpy.average([r[M] for r in replies], axis=0, weights=WEIGHTS)).max() < 1e-6
        assert (current[A].shape, current[B].shape) == ((RANK, WIDE), (HIGH, RANK))


def test_the_clients_order_does_not_matter_and_equal_clients_are_one() -> None:
    generator = numpy.random.default_rng(1)
    current = adapter(generator)
    replies = [(weight, adapter(generator, rank=rank)) for weight, rank in zip(WEIGHTS, RANKS, strict=True)]
    one, _ = kind().aggregate(current, replies, None)
    other, _ = kind().aggregate(current, replies[::-1], None)
    assert numpy.abs(product(one) - product(other)).max() < 1e-5
    for clients in (1, 4):
        new, _ = kind().aggregate(current, [(3.0, replies[2][1])] * clients, None)
        assert numpy.abs(product(new) - product(replies[2][1])).max() < 1e-5


def test_without_ranks_everyone_has_the_server_s() -> None:
    current = adapter(numpy.random.default_rng(2))
    for partition in range(5):
        sent = kind(None).outgoing(current, None, partition)
        assert all((sent[name] == current[name]).all() for name in current)
    assert kind(None).trainable(current) == elements(current)


def test_ranks_go_round() -> None:
    assert [kind().rank_of(partition) for partition in range(7)] == [6, 2, 4, 6, 2, 4, 6]
    current = adapter(numpy.random.default_rng(2))
    assert kind([1, 4]).trainable(current) == elements(fitted(current, 4))
    for partition in range(4):
        assert {n: a.shape for n, a in kind().awaited(current, partition).items()} == {
            n: a.shape for n, a in kind().outgoing(current, None, partition).items()
        }


def test_a_client_trains_at_full_width_with_zeros_and_sends_its_own_rank() -> None:
    current = adapter(numpy.random.default_rng(3))
    sent = kind().outgoing(current, None, 1)
    begun = kind().begin(sent, lambda: current)
    assert numpy.abs(product(begun) - product(sent)).max() < 1e-12
    assert not begun[A][2:].any() and not begun[B][:, 2:].any()
    from ftbench.app.training import Outcome

    back, _ = kind().reply(sent, begun, Outcome(0.0), None)
    assert all((back[name] == sent[name]).all() for name in sent)


def test_a_direction_that_nobody_sent_can_still_be_learnt() -> None:
    """One reply of rank 2 for a server of rank 6: the other four rows of A stay, with B zero."""
    generator = numpy.random.default_rng(4)
    current = adapter(generator)
    new, _ = kind().aggregate(current, [(3.0, adapter(generator, rank=2))], None)
    assert (new[A][2:] == current[A][2:]).all()
    assert not new[B][:, 2:].any()
    assert new[A].any(axis=1).all()


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_factors_of_another_rank(rank: int) -> None:
    whole = adapter(numpy.random.default_rng(5), rank=3)
    found = fitted(whole, rank)
    assert found[A].shape == (rank, WIDE) and found[B].shape == (HIGH, rank)
    same = min(rank, 3)
    assert (found[A][:same] == whole[A][:same]).all() and (found[B][:, :same] == whole[B][:, :same]).all()
    assert (found[M] == whole[M]).all()
    assert all(array.flags.c_contiguous for array in found.values())
