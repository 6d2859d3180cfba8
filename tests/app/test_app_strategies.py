"""Each strategy against a few lines of numpy written from its paper, and what must hold of any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest

from ftbench.app import strategy
from ftbench.app.arrays import Arrays
from ftbench.app.strategy import flexlora

BLOCKS: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedprox": {"mu": 0.5},
    "fedavgm": {"momentum": 0.9, "server_learning_rate": 0.7},
    "fedadam": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "fedyogi": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "fedadagrad": {"server_learning_rate": 0.01, "tau": 0.001},
    "flexlora": {},
}
KINDS = sorted(BLOCKS)
"""The others, of which not all of this holds, have modules of their own."""
ROUNDS = 5
RANK, WIDE, HIGH = 3, 10, 7
WEIGHTS = [5.0, 2.0, 11.0]
A, B, M = (f"m.lora_{end}" for end in ("A.weight", "B.weight", "magnitude_vector"))


def adapter(generator: numpy.random.Generator, scale: float = 1.0) -> Arrays:
    shapes = {A: (RANK, WIDE), B: (HIGH, RANK), M: (HIGH,)}
    return {name: (scale * generator.normal(size=shape)).astype("f4") for name, shape in shapes.items()}


def moved(current: Arrays, generator: numpy.random.Generator) -> Arrays:
    """What a client might send back."""
    return {name: current[name] + step for name, step in adapter(generator, 0.05).items()}


def rounds(kind: str, seed: int = 0, order: list[int] | None = None) -> Iterator[tuple[Arrays, list[Arrays], Arrays]]:
    """(before, replies, after) of five rounds, the state handed on."""
    generator = numpy.random.default_rng(seed)
    current, state = adapter(generator), None
    for _ in range(ROUNDS):
        replies = [moved(current, generator) for _ in WEIGHTS]
        given = [(WEIGHTS[k], replies[k]) for k in order or range(len(WEIGHTS))]
        new, state = strategy.find_strategy(kind)(BLOCKS[kind], {}).aggregate(current, given, state)
        yield current, replies, new
        current = new


def average(replies: list[Arrays], name: str) -> Any:
    return numpy.average([r[name].astype("f8") for r in replies], axis=0, weights=WEIGHTS)


def reference_mean(block: dict[str, Any]) -> Callable[[Any, Any], Any]:
    return lambda w, mean: mean


def reference_momentum(block: dict[str, Any]) -> Callable[[Any, Any], Any]:
    v: Any = 0.0

    def step(w: Any, mean: Any) -> Any:
        nonlocal v
        v = block["momentum"] * v + (mean - w)
        return w + block["server_learning_rate"] * v

    return step


def reference_adam(block: dict[str, Any]) -> Callable[[Any, Any], Any]:
    m: Any = 0.0
    v: Any = block["tau"] ** 2

    def step(w: Any, mean: Any) -> Any:
        nonlocal m, v
        m = block["beta1"] * m + (1 - block["beta1"]) * (mean - w)
        v = block["beta2"] * v + (1 - block["beta2"]) * (mean - w) ** 2
        return w + block["server_learning_rate"] * m / (v**0.5 + block["tau"])

    return step


def reference_yogi(block: dict[str, Any]) -> Callable[[Any, Any], Any]:
    m: Any = 0.0
    v: Any = block["tau"] ** 2

    def step(w: Any, mean: Any) -> Any:
        nonlocal m, v
        m = block["beta1"] * m + (1 - block["beta1"]) * (mean - w)
        square = (mean - w) ** 2
        v = numpy.where(v > square, v - (1 - block["beta2"]) * square, v + (1 - block["beta2"]) * square)
        return w + block["server_learning_rate"] * m / (v**0.5 + block["tau"])

    return step


def reference_adagrad(block: dict[str, Any]) -> Callable[[Any, Any], Any]:
    v: Any = block["tau"] ** 2

    def step(w: Any, mean: Any) -> Any:
        nonlocal v
        v = v + (mean - w) ** 2
        return w + block["server_learning_rate"] * (mean - w) / (v**0.5 + block["tau"])

    return step


REFERENCES = {
    "fedavg": reference_mean,
    "fedprox": reference_mean,
    "fedavgm": reference_momentum,
    "fedadam": reference_adam,
    "fedyogi": reference_yogi,
    "fedadagrad": reference_adagrad,
}


@pytest.mark.parametrize("kind", sorted(REFERENCES))
def test_equal_to_numpy_over_five_rounds(kind: str) -> None:
    """The reference keeps its own float64 state and global adapter; clients' moves are added to both alike."""
    steps = {name: REFERENCES[kind](BLOCKS[kind]) for name in (A, B, M)}
    exact = None
    for before, replies, after in rounds(kind):
        exact = exact or {name: array.astype("f8") for name, array in before.items()}
        for name, step in steps.items():
            drift = exact[name] - before[name]
            exact[name] = step(exact[name], average(replies, name) + drift)
            assert numpy.abs(after[name] - exact[name]).max() < 1e-6
            assert after[name].dtype == numpy.float32


def test_flexlora_equals_the_full_svd_over_five_rounds() -> None:
    for _, replies, after in rounds("flexlora"):
        whole = numpy.average([r[B].astype("f8") @ r[A].astype("f8") for r in replies], axis=0, weights=WEIGHTS)
        u, s, vh = numpy.linalg.svd(whole)
        best = u[:, :RANK] * s[:RANK] @ vh[:RANK]
        assert numpy.abs(after[B].astype("f8") @ after[A].astype("f8") - best).max() < 1e-6
        assert numpy.abs(after[M] - average(replies, M)).max() < 1e-6
        assert numpy.allclose(numpy.linalg.norm(after[A], axis=1), 1, atol=1e-6)
        largest = numpy.abs(after[A]).argmax(axis=1)
        assert (after[A][numpy.arange(RANK), largest] > 0).all()
        assert {array.dtype for array in after.values()} == {numpy.dtype("f4")}


def product(arrays: Arrays) -> Any:
    return arrays[B].astype("f8") @ arrays[A].astype("f8")


@pytest.mark.parametrize("kind", KINDS)
def test_the_clients_order_does_not_matter(kind: str) -> None:
    for (_, _, one), (_, _, other) in zip(rounds(kind), rounds(kind, order=[2, 0, 1]), strict=True):
        assert numpy.abs(product(one) - product(other)).max() < 1e-5
        assert numpy.abs(one[M] - other[M]).max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clients", [1, 4])
def test_equal_clients_are_one_client(kind: str, clients: int) -> None:
    generator = numpy.random.default_rng(1)
    current = adapter(generator)
    reply = moved(current, generator)
    new, _ = strategy.find_strategy(kind)(BLOCKS[kind], {}).aggregate(current, [(3.0, reply)] * clients, None)
    alone, _ = strategy.find_strategy(kind)(BLOCKS[kind], {}).aggregate(current, [(8.0, reply)], None)
    assert all(numpy.allclose(new[name], alone[name], atol=1e-6) for name in new)
    if kind in ("fedavg", "fedprox"):
        assert all(numpy.allclose(new[name], reply[name], atol=1e-7) for name in new)
        assert clients > 1 or all((new[name] == reply[name]).all() for name in new)
    if kind == "flexlora":
        assert numpy.abs(product(new) - product(reply)).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_s_answer_is_an_error(kind: str) -> None:
    current = adapter(numpy.random.default_rng(1))
    for replies in ([], [(0.0, current)]):
        with pytest.raises((ValueError, IndexError)):
            strategy.find_strategy(kind)(BLOCKS[kind], {}).aggregate(current, replies, None)


@pytest.mark.parametrize("kind", KINDS)
def test_clients_that_stay_leave_the_adapter_where_it_is(kind: str) -> None:
    current = adapter(numpy.random.default_rng(1))
    new, _ = strategy.find_strategy(kind)(BLOCKS[kind], {}).aggregate(current, [(1.0, current), (2.0, current)], None)
    assert numpy.abs(product(new) - product(current)).max() < 1e-5


def test_the_limits_in_which_strategies_are_fedavg() -> None:
    generator = numpy.random.default_rng(2)
    current = adapter(generator)
    replies = [(weight, moved(current, generator)) for weight in WEIGHTS]
    plain, _ = strategy.find_strategy("fedavg")({}, {}).aggregate(current, replies, None)
    momentum, _ = strategy.find_strategy("fedavgm")({"momentum": 0.0, "server_learning_rate": 1.0}, {}).aggregate(
        current, replies, None
    )
    # tau far above every move, and a rate of tau: the step is the move itself.
    block = {"server_learning_rate": 1e6, "beta1": 0.0, "beta2": 0.0, "tau": 1e6}
    adam, _ = strategy.find_strategy("fedadam")(block, {}).aggregate(current, replies, None)
    assert all(numpy.allclose(plain[name], momentum[name], atol=1e-6) for name in plain)
    assert all(numpy.allclose(plain[name], adam[name], atol=1e-6) for name in plain)
    # These keep v, which begins at tau²: the denominator is 2 tau.
    block = {**block, "server_learning_rate": 2e6}
    for kind in ("fedyogi", "fedadagrad"):
        limit, _ = strategy.find_strategy(kind)(block, {}).aggregate(current, replies, None)
        assert all(numpy.allclose(plain[name], limit[name], atol=1e-6) for name in plain)


@pytest.mark.parametrize("kind", ["fedadam", "fedyogi", "fedadagrad"])
def test_a_tiny_tau_takes_steps_of_one_size(kind: str) -> None:
    """tau → 0, beta1 and beta2 0: the step is rate · Δ / √Δ², the sign of the mean move."""
    generator = numpy.random.default_rng(5)
    current = adapter(generator)
    replies = [(weight, moved(current, generator)) for weight in WEIGHTS]
    block = {"server_learning_rate": 0.01, "beta1": 0.0, "beta2": 0.0, "tau": 1e-12}
    new, _ = strategy.find_strategy(kind)(block, {}).aggregate(current, replies, None)
    for name, before in current.items():
        move = average([reply for _, reply in replies], name) - before
        assert numpy.abs(new[name] - (before + 0.01 * numpy.sign(move))).max() < 1e-6


def test_after_a_large_move_yogi_forgets_more_slowly_than_adam_and_adagrad_never() -> None:
    """One move of 1, then moves of 0.01: what the second moment is after ten of them."""
    left = {}
    for kind in ("fedadam", "fedyogi", "fedadagrad"):
        block = {"server_learning_rate": 1e-9, "beta1": 0.0, "beta2": 0.5, "tau": 1e-3}
        state, current = None, {"m": numpy.zeros(1, "f4")}
        for size in [1.0] + [0.01] * 10:
            reply = {"m": numpy.full(1, size, "f4")}
            _, state = strategy.find_strategy(kind)(block, {}).aggregate(current, [(1.0, reply)], state)
        assert state is not None
        assert set(state) == {"second::m"}
        left[kind] = float(state["second::m"][0])
    assert left["fedadam"] == pytest.approx(0.5 * 0.5**10 + 1e-4 * (1 - 0.5**10), rel=0.01)
    assert left["fedyogi"] == pytest.approx(0.5 - 10 * 0.5e-4, rel=0.01)
    assert left["fedadagrad"] == pytest.approx(1 + 10e-4, rel=0.01)


def test_flexlora_of_fresh_adapters_can_still_learn() -> None:
    """B = 0: the product is zero, A keeps rows of length 1 and so B gets a gradient."""
    generator = numpy.random.default_rng(3)
    fresh = adapter(generator)
    fresh[B][:] = 0
    new, _ = strategy.find_strategy("flexlora")({}, {}).aggregate(fresh, [(1.0, fresh), (1.0, fresh)], None)
    assert not new[B].any()
    assert numpy.allclose(numpy.linalg.norm(new[A], axis=1), 1)


def test_flexlora_where_the_rank_exceeds_the_layer() -> None:
    generator = numpy.random.default_rng(4)
    up, down = generator.normal(size=(4, 10)), generator.normal(size=(10, 6))
    b, a = flexlora.factor(up, down, 5)
    assert a.shape == (5, 6)
    assert b.shape == (4, 5)
    assert numpy.allclose(b @ a, up @ down)
    assert not a[4].any()
    assert not b[:, 4].any()


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(ValueError, match="bulyan"):
        strategy.find_strategy("bulyan")
