"""FedMedian, FedTrimmedAvg, Krum and MultiKrum: equal to a few lines from their papers, and not bent by a liar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from ftbench.app import strategy
from ftbench.app.arrays import Arrays
from ftbench.app.strategy import robust

BLOCKS: dict[str, dict[str, Any]] = {
    "fedmedian": {},
    "fedtrimmedavg": {"trim": 0.2},
    "krum": {"byzantine": 2},
    "multikrum": {"byzantine": 2, "keep": 3},
}
KINDS = sorted(BLOCKS)
CLIENTS, ROUNDS = 7, 5
SHAPES = {"m.lora_A.weight": (3, 10), "m.lora_B.weight": (7, 3), "m.lora_magnitude_vector": (7,)}


def draw(generator: numpy.random.Generator, scale: float = 1.0) -> Arrays:
    return {name: (scale * generator.normal(size=shape)).astype("f4") for name, shape in SHAPES.items()}


def near(current: Arrays, generator: numpy.random.Generator) -> Arrays:
    """What an honest client sends: all move alike, and each a little of its own."""
    return {name: current[name] + 0.1 + 0.05 * step for name, step in draw(generator).items()}


def combined(kind: str, current: Arrays, replies: list[Arrays], block: dict[str, Any] | None = None) -> Arrays:
    """Weights differ, and must not matter."""
    weighted = [(float(number + 1), reply) for number, reply in enumerate(replies)]
    new, state = strategy.find_strategy(kind)(BLOCKS[kind] if block is None else block, {}).aggregate(
        current, weighted, None
    )
    assert state is None
    assert {name: (a.dtype, a.shape) for name, a in new.items()} == {
        name: (numpy.dtype("f4"), SHAPES[name]) for name in SHAPES
    }
    return new


def flat(arrays: Arrays) -> Any:
    return numpy.concatenate([arrays[name].astype("f8").ravel() for name in SHAPES])


def scores(vectors: list[Any], f: int) -> list[float]:
    """Blanchard et al.: the squared distances to the n − f − 2 nearest of the others."""
    found = []
    for one, vector in enumerate(vectors):
        others = sorted(float(((vector - v) ** 2).sum()) for number, v in enumerate(vectors) if number != one)
        found.append(sum(others[: len(vectors) - f - 2]))
    return found


def reference(kind: str, vectors: list[Any]) -> Any:
    columns = [sorted(column) for column in zip(*vectors, strict=True)]
    if kind == "fedmedian":
        return numpy.array([column[len(column) // 2] for column in columns])
    if kind == "fedtrimmedavg":
        return numpy.array([sum(column[1:-1]) / (len(column) - 2) for column in columns])
    order = sorted(range(len(vectors)), key=lambda number: scores(vectors, 2)[number])
    return sum(vectors[number] for number in order[: 1 if kind == "krum" else 3]) / (1 if kind == "krum" else 3)


def rounds(kind: str, order: list[int] | None = None) -> Iterator[tuple[list[Arrays], Arrays]]:
    generator = numpy.random.default_rng(3)
    current = draw(generator)
    for _ in range(ROUNDS):
        replies = [near(current, generator) for _ in range(CLIENTS)]
        current = combined(kind, current, [replies[k] for k in order or range(CLIENTS)])
        yield replies, current


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_papers_over_five_rounds(kind: str) -> None:
    for replies, after in rounds(kind):
        assert numpy.abs(flat(after) - reference(kind, [flat(reply) for reply in replies])).max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_clients_order_does_not_matter(kind: str) -> None:
    for (_, one), (_, other) in zip(rounds(kind), rounds(kind, order=[6, 2, 0, 4, 1, 5, 3]), strict=True):
        assert numpy.abs(flat(one) - flat(other)).max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_equal_clients_are_one_client(kind: str) -> None:
    generator = numpy.random.default_rng(1)
    current = draw(generator)
    reply = near(current, generator)
    assert numpy.allclose(flat(combined(kind, current, [reply] * CLIENTS)), flat(reply), atol=1e-6)


@pytest.mark.parametrize("kind", ["fedmedian", "fedtrimmedavg"])
def test_one_client_is_itself(kind: str) -> None:
    generator = numpy.random.default_rng(1)
    reply = draw(generator)
    assert numpy.array_equal(flat(combined(kind, draw(generator), [reply])), flat(reply))


def test_krum_returns_one_reply_bit_for_bit() -> None:
    generator = numpy.random.default_rng(1)
    current = draw(generator)
    replies = [near(current, generator) for _ in range(CLIENTS)]
    new = combined("krum", current, replies)
    assert sum(all(numpy.array_equal(new[name], reply[name]) for name in SHAPES) for reply in replies) == 1


@pytest.mark.parametrize("kind", ["fedmedian", "fedtrimmedavg", "krum", "multikrum"])
@pytest.mark.parametrize("replies", [[], [(0.0, {name: numpy.zeros(SHAPES[name], "f4") for name in SHAPES})] * 7])
def test_nobody_s_answer_is_an_error(kind: str, replies: Any) -> None:
    with pytest.raises(ValueError):
        strategy.find_strategy(kind)(BLOCKS[kind], {}).aggregate(draw(numpy.random.default_rng(1)), replies, None)


# --- limits of the knobs ---


def test_a_trim_that_cuts_nobody_is_the_mean_and_one_that_leaves_the_middle_is_the_median() -> None:
    generator = numpy.random.default_rng(2)
    current = draw(generator)
    replies = [near(current, generator) for _ in range(CLIENTS)]
    mean = sum(flat(reply) for reply in replies) / CLIENTS
    none = combined("fedtrimmedavg", current, replies, {"trim": 1e-6})
    assert numpy.abs(flat(none) - mean).max() < 1e-6
    most = combined("fedtrimmedavg", current, replies, {"trim": 0.499})
    assert numpy.array_equal(flat(most), flat(combined("fedmedian", current, replies)))


@pytest.mark.parametrize(
    ("trim", "count", "cut"),
    [(0.29, 100, 29), (0.1, 10, 1), (0.3, 10, 3), (0.2, 7, 1), (1 / 7, 7, 1), (0.1, 9, 0), (0.4999, 2, 0)],
)
def test_how_many_are_cut(trim: float, count: int, cut: int) -> None:
    assert robust.cut(trim, count) == cut


def test_krum_against_nobody_counts_all_but_one_of_the_others() -> None:
    """n − 0 − 2 neighbours of n − 1: each leaves out the one furthest from it."""
    generator = numpy.random.default_rng(4)
    current = draw(generator)
    replies = [near(current, generator) for _ in range(CLIENTS)]
    vectors = [flat(reply) for reply in replies]
    best = int(numpy.argmin(scores(vectors, 0)))
    assert numpy.array_equal(flat(combined("krum", current, replies, {"byzantine": 0})), vectors[best])


def test_multikrum_between_krum_and_the_mean() -> None:
    generator = numpy.random.default_rng(5)
    current = draw(generator)
    replies = [near(current, generator) for _ in range(CLIENTS)]
    one = combined("multikrum", current, replies, {"byzantine": 2, "keep": 1})
    assert numpy.array_equal(flat(one), flat(combined("krum", current, replies)))
    every = combined("multikrum", current, replies, {"byzantine": 0, "keep": CLIENTS})
    assert numpy.abs(flat(every) - sum(flat(reply) for reply in replies) / CLIENTS).max() < 1e-6


def test_too_few_replies_for_what_is_promised() -> None:
    generator = numpy.random.default_rng(6)
    current = draw(generator)
    replies = [near(current, generator) for _ in range(6)]
    with pytest.raises(ValueError, match="against 2 needs 7 replies, and there are 6"):
        combined("krum", current, replies)
    with pytest.raises(ValueError, match="6 cannot be kept"):
        combined("multikrum", current, [*replies, replies[0]], {"byzantine": 2, "keep": 6})


def test_of_two_groups_that_score_alike_the_first_is_taken() -> None:
    zero = {name: numpy.zeros(shape, "f4") for name, shape in SHAPES.items()}
    one = {name: numpy.ones(shape, "f4") for name, shape in SHAPES.items()}
    new = combined("krum", zero, [one, one, zero, zero], {"byzantine": 0})
    assert numpy.array_equal(flat(new), flat(one))


# --- what they are for ---


def lies(current: Arrays, honest: list[Arrays], hostile: int, strength: float) -> list[Arrays]:
    """The first clients send their change turned round and made larger."""
    turned = [{n: current[n] - strength * (reply[n] - current[n]) for n in SHAPES} for reply in honest[:hostile]]
    return turned + honest[hostile:]


@pytest.mark.parametrize("strength", [1.0, 10.0, 1000.0])
def test_two_liars_of_seven_bend_the_mean_and_not_the_others(strength: float) -> None:
    """Distance from the honest clients' mean, in units of that mean's own distance from the global adapter."""
    generator = numpy.random.default_rng(7)
    current = draw(generator)
    honest = [near(current, generator) for _ in range(CLIENTS)]
    replies = lies(current, honest, 2, strength)
    aim = sum(flat(reply) for reply in honest[2:]) / (CLIENTS - 2)
    size = numpy.linalg.norm(aim - flat(current))
    block = {**BLOCKS, "fedtrimmedavg": {"trim": 0.3}, "fedavg": {}}
    off = {kind: numpy.linalg.norm(flat(combined(kind, current, replies, block[kind])) - aim) / size for kind in block}
    assert off["fedavg"] > 0.1 * (1 + strength)  # they hold 3 of 28 parts of the weight
    assert max(off[kind] for kind in KINDS) < 0.6
    # What honest clients differ by among themselves, which no robust statistic averages away whole.
    clean = {kind: numpy.linalg.norm(flat(combined(kind, current, honest, block[kind])) - aim) / size for kind in KINDS}
    assert all(off[kind] < clean[kind] + 0.35 for kind in KINDS), (off, clean)
