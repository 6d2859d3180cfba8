"""FFA-LoRA: the mean of B beside an A that never moves."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from ftbench.app import strategy
from ftbench.app.arrays import Arrays, elements
from ftbench.app.strategy import base

RANK, WIDE, HIGH, ROUNDS = 3, 10, 7, 5
WEIGHTS = [5.0, 2.0, 11.0]
A, B = "m.lora_A.weight", "m.lora_B.weight"


def kind() -> base.Strategy:
    return strategy.find_strategy("ffa-lora")({"kind": "ffa-lora"}, {"rank": RANK, "alpha": 2 * RANK})


def drawn() -> Arrays:
    return {
        A: numpy.random.default_rng(0).normal(size=(RANK, WIDE)).astype("f4"),
        B: numpy.zeros((HIGH, RANK), dtype="f4"),
    }


def moved(current: Arrays, generator: numpy.random.Generator) -> Arrays:
    return {B: current[B] + generator.normal(size=(HIGH, RANK)).astype("f4") * numpy.float32(0.05)}


def test_equal_to_numpy_over_five_rounds() -> None:
    """B is the plain mean, and so the product is the mean of the clients' products, which FedAvg's is not."""
    generator = numpy.random.default_rng(1)
    current, exact = drawn(), numpy.zeros((HIGH, RANK))
    for _ in range(ROUNDS):
        replies = [moved(current, generator) for _ in WEIGHTS]
        exact = exact + numpy.average([r[B].astype("f8") - current[B] for r in replies], axis=0, weights=WEIGHTS)
        products = [r[B].astype("f8") @ drawn()[A] for r in replies]
        current, state = kind().aggregate(current, list(zip(WEIGHTS, replies, strict=True)), None)
        assert state is None
        assert numpy.abs(current[B] - exact).max() < 1e-6
        assert numpy.abs(current[B] @ current[A] - numpy.average(products, axis=0, weights=WEIGHTS)).max() < 1e-6
        assert (current[A] == drawn()[A]).all()
        assert {array.dtype for array in current.values()} == {numpy.dtype("f4")}
        assert list(current) == sorted(current)


def test_the_clients_order_does_not_matter_and_equal_clients_are_one() -> None:
    generator = numpy.random.default_rng(2)
    replies = [(weight, moved(drawn(), generator)) for weight in WEIGHTS]
    one, _ = kind().aggregate(drawn(), replies, None)
    other, _ = kind().aggregate(drawn(), replies[::-1], None)
    assert numpy.abs(one[B] - other[B]).max() < 1e-6
    for clients in (1, 4):
        new, _ = kind().aggregate(drawn(), [(3.0, replies[0][1])] * clients, None)
        assert numpy.abs(new[B] - replies[0][1][B]).max() < 1e-7
    still, _ = kind().aggregate(drawn(), [(1.0, {B: drawn()[B]})] * 2, None)
    assert all((still[name] == drawn()[name]).all() for name in still)


@pytest.mark.parametrize("weights", [[], [0.0]])
def test_nobody_s_answer_is_an_error(weights: list[float]) -> None:
    with pytest.raises(ValueError):
        kind().aggregate(drawn(), [(weight, {B: drawn()[B]}) for weight in weights], None)


def test_a_travels_neither_way_and_is_not_trained() -> None:
    current = drawn()
    for sent in (kind().outgoing(current, None, 0), kind().awaited(current, 0)):
        assert list(sent) == [B]
    reply, state = kind().reply({B: current[B]}, current, outcome_of_nothing(), None)
    assert (list(reply), state) == ([B], None)
    assert kind().trainable(current) == HIGH * RANK == elements(current) - RANK * WIDE


def test_a_client_draws_a_itself() -> None:
    received = {B: numpy.ones((HIGH, RANK), dtype="f4")}
    begun = kind().begin(received, drawn)
    assert list(begun) == [A, B]
    assert (begun[A] == drawn()[A]).all() and (begun[B] == 1).all()


def outcome_of_nothing() -> Any:
    from ftbench.app.training import Outcome

    return Outcome(0.0)


def test_the_recipe_freezes_a() -> None:
    from ftbench.app.training import Recipe

    recipe = Recipe(0.1, {}, steps=1, batch_size=1, micro_batch=0, objective=None, max_grad_norm=None)  # type: ignore[arg-type]
    assert kind().recipe(recipe, {B: drawn()[B]}, None).frozen == {A}
