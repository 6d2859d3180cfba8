"""Replies that are added up as they come: the bits of the mean of all of them, in whatever order they come."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from ftbench.app import inbox
from ftbench.app.inbox import Inbox
from ftbench.app.ordered_sum import OrderedSum
from ftbench.app.strategy import find_strategy
from ftbench.app.strategy.mean import BLOCK, weighted_mean
from ftbench.app.strategy.scaffold import CONTROL
from ftbench.run.engines.inline_grid import InlineGrid
from ftbench.spec.strategies import STRATEGIES

MakeBench = Callable[..., Any]
PARAMETERS = {"server_learning_rate": 0.5, "beta1": 0.9, "beta2": 0.99, "tau": 0.01, "momentum": 0.9, "mu": 0.1}
NAMES = ("a.lora_A.weight", "a.lora_B.weight", "long")


def arrays(number: int, prefix: str = "") -> dict[str, Any]:
    random = numpy.random.default_rng(number)
    shapes = zip(NAMES, ((2, 3), (4, 2), (BLOCK + 3,)), strict=True)
    return {prefix + name: (random.standard_normal(shape) * 10.0**number).astype("f4") for name, shape in shapes}


def reply(number: int) -> dict[str, Any]:
    return {**arrays(number), **arrays(number + 10, CONTROL)}


def held(folder: Path) -> Inbox:
    return Inbox(folder, inbox.MEMORY_BYTES + 1)


@pytest.mark.parametrize("left_out", [None, 0, 2])
@pytest.mark.parametrize("silent", [None, 1])
def test_any_order_gives_the_same_bits(tmp_path: Path, left_out: int | None, silent: int | None) -> None:
    counted = [k for k in range(4) if k not in (left_out, silent)]
    replies = [(float(3 * k + 1), arrays(k)) for k in counted]
    for order in itertools.permutations(k for k in range(4) if k != silent):
        total = OrderedSum(range(4), held(tmp_path))
        for k in order:
            if k == left_out:
                total.leave_out(k)
            else:
                total.take(k, float(3 * k + 1), arrays(k))
        ((weight, mean),) = total.replies()
        assert weight == sum(one for one, _ in replies)
        assert all(numpy.array_equal(mean[name], weighted_mean(replies, name)) for name in NAMES), order
        assert not list((tmp_path / inbox.FOLDER).glob("*"))


def test_what_comes_in_its_turn_never_touches_the_disk(tmp_path: Path) -> None:
    total = OrderedSum([2, 5, 7], held(tmp_path))
    total.take(2, 1.0, arrays(2))
    total.leave_out(5)
    total.take(7, 1.0, arrays(7))
    assert not (tmp_path / inbox.FOLDER).exists()


def test_nobody_answered(tmp_path: Path) -> None:
    assert OrderedSum([0, 1], held(tmp_path)).replies() == []


@pytest.mark.parametrize("kind", [name for name in STRATEGIES if find_strategy(name).needs_mean_alone])
def test_the_mean_is_enough_for_a_strategy_that_says_so(tmp_path: Path, kind: str) -> None:
    strategy = find_strategy(kind)
    block = {"beta1": None, **{name: PARAMETERS[name] for name in strategy.parameters}}
    one = strategy(block, {"rank": 2}, [1, 4, 7, 10])
    total = OrderedSum(range(4), held(tmp_path))
    for k in range(4):
        total.take(k, float(3 * k + 1), reply(k))
    each, state = one.aggregate(arrays(5), [(float(3 * k + 1), reply(k)) for k in range(4)], None)
    summed, state_summed = one.aggregate(arrays(5), total.replies(), None)
    for made, again in ((each, summed), (state or {}, state_summed or {})):
        assert made.keys() == again.keys()
        assert all(numpy.array_equal(array, again[name]) and array.dtype == "f4" for name, array in made.items())


def test_strategies_that_look_at_each_reply_do_not_say_so() -> None:
    each = {"fedmedian", "fedtrimmedavg", "krum", "multikrum", "flexlora", "flora"}
    assert {name for name in STRATEGIES if not find_strategy(name).needs_mean_alone} == each


class Backwards(InlineGrid):
    """Hands over the last reply first."""

    def pull_messages(self, message_ids: Any) -> list[Any]:
        return super().pull_messages(list(message_ids))[::-1]


def test_a_run_that_adds_up_backwards_and_one_that_holds_all(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"federation.sampling.fraction": 1.0, "federation.rounds": 2}
    holding = make_bench(changes, name="holding")
    holding.play()
    taken: list[int] = []
    take = OrderedSum.take

    def noted(self: OrderedSum, partition: int, weight: float, arrays: Any) -> None:
        taken.append(partition)
        take(self, partition, weight, arrays)

    monkeypatch.setattr(OrderedSum, "take", noted)
    monkeypatch.setattr(inbox, "MEMORY_BYTES", 1)  # not the exchange's: all messages go out together
    adding = make_bench(changes, name="adding")
    adding.play(Backwards)
    assert taken[0] > taken[-1] or taken == [0], "replies came in order"
    assert (adding.run_dir / "ledger.jsonl").read_bytes() == (holding.run_dir / "ledger.jsonl").read_bytes()
