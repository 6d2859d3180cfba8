"""Seeds, data order, client choice, learning rates, FedAvg, digests and metering."""

from __future__ import annotations

import hashlib
import itertools
import math

import numpy
import pytest
import rfc8785

from ftbench.app import arrays, batches, schedule, seeding, strategy
from ftbench.spec.implied import learning_rate
from ftbench.spec.model import CosineSchedule, Training


def first(count: int, *key: int) -> list[int]:
    return list(itertools.islice(batches.order(7, seeding.derive(1, "order", *key)), count))


def test_data_order_changes_each_round_and_repeats() -> None:
    assert first(50, 1, 0) == first(50, 1, 0)
    orders = {tuple(first(7, r, p)) for r in range(1, 5) for p in range(3)}
    assert len(orders) == 12


def test_every_row_is_seen_before_one_is_seen_again() -> None:
    seen = first(21, 1, 0)
    passes = [seen[:7], seen[7:14], seen[14:]]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_no_rows_no_order() -> None:
    with pytest.raises(ValueError):
        next(batches.order(0, 1))


def test_seeds_are_kept_apart() -> None:
    keys = [("client", 1, 2), ("client", 2, 1), ("client", 12), ("order", 1, 2), ("adapter",)]
    seeds = {seeding.derive(seed, name, *numbers) for seed in (1, 2) for name, *numbers in keys}
    assert len(seeds) == 10
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("clients", "fraction", "count"), [(4, 0.5, 2), (5, 0.5, 3), (3, 0.01, 1), (10, 1.0, 10), (20, 0.2, 4)]
)
def test_client_choice(clients: int, fraction: float, count: int) -> None:
    chosen = seeding.choose_clients(3, 2, clients, fraction)
    assert len(chosen) == count
    assert chosen == sorted(set(chosen))
    expected = numpy.random.default_rng([3, 2, 0x53414D50]).choice(clients, size=count, replace=False)
    assert chosen == sorted(expected.tolist())


def test_everyone_is_chosen_sooner_or_later() -> None:
    assert {c for r in range(1, 40) for c in seeding.choose_clients(1, r, 10, 0.2)} == set(range(10))


def test_constant_rate() -> None:
    assert schedule.learning_rate({"kind": "constant", "learning_rate": 1}, 3, 5) == 1.0


def test_cosine_rate() -> None:
    block = {"kind": "cosine", "learning_rate": 0.01, "final_learning_rate": 0.001}
    rates = [schedule.learning_rate(block, r, 5) for r in range(1, 6)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[2] == pytest.approx(0.0055)
    assert rates[4] == pytest.approx(0.001)
    assert rates == sorted(rates, reverse=True)
    assert schedule.learning_rate(block, 1, 1) == pytest.approx(0.01)
    assert rates[1] == 0.001 + (0.01 - 0.001) * (1 + math.cos(math.pi * 1 / 4)) / 2


@pytest.mark.parametrize("rounds", [1, 2, 3, 15, 200])
def test_flowertune_s_rate_has_its_first_end_before_the_first_round(rounds: int) -> None:
    """Round r of R: final + (first − final) · (1 + cos(π r / R)) / 2, in app and verifier alike."""
    block = {"kind": "cosine", "learning_rate": 5e-5, "final_learning_rate": 1e-6, "endpoints": "last"}
    due = [1e-6 + (5e-5 - 1e-6) * (1 + math.cos(math.pi * r / rounds)) / 2 for r in range(1, rounds + 1)]
    assert [schedule.learning_rate(block, r, rounds) for r in range(1, rounds + 1)] == due
    assert [learning_rate.of_round(CosineSchedule(**block), r, rounds) for r in range(1, rounds + 1)] == due
    assert due[-1] == pytest.approx(1e-6) and max(due) < 5e-5


@pytest.mark.parametrize(("rounds", "more"), [(3, 0.471), (15, 0.0687)])
def test_how_far_apart_the_two_are(rounds: int, more: float) -> None:
    block = {"kind": "cosine", "learning_rate": 5e-5, "final_learning_rate": 1e-6}
    numbers = range(1, rounds + 1)
    both = sum(schedule.learning_rate({**block, "endpoints": "both"}, r, rounds) for r in numbers)
    assert both == sum(schedule.learning_rate(block, r, rounds) for r in numbers)
    last = sum(schedule.learning_rate({**block, "endpoints": "last"}, r, rounds) for r in numbers)
    assert both / last - 1 == pytest.approx(more, abs=0.001)


@pytest.mark.parametrize("steps", [1, 2, 10])
@pytest.mark.parametrize("warmup", [None, 0, 1, 3])
@pytest.mark.parametrize("kind", [None, "constant", "linear"])
def test_inside_a_round_the_rate_is_transformers_own(kind: str | None, warmup: int | None, steps: int) -> None:
    import torch
    from transformers import get_scheduler

    block = {"within_round": kind, "warmup_steps": warmup, "local_steps": steps}
    block = {name: value for name, value in block.items() if value is not None}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    name = "linear" if kind == "linear" else "constant_with_warmup"
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warmup or 0, num_training_steps=steps)
    due = []
    for _ in range(steps):
        due.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert schedule.factors(block, steps) == pytest.approx(due)
    counted = Training.model_construct(**{"within_round": None, "warmup_steps": None, **block})
    assert learning_rate.steps_worth(counted) == pytest.approx(sum(due))


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="endpoints"):
        schedule.learning_rate({"kind": "cosine", "learning_rate": 1, "final_learning_rate": 0, "endpoints": "x"}, 1, 1)
    with pytest.raises(ValueError, match="inside a round"):
        schedule.factors({"within_round": "cosine"}, 2)
    with pytest.raises(ValueError):
        schedule.learning_rate({"kind": "linear", "learning_rate": 1}, 1, 1)
    with pytest.raises(ValueError):
        strategy.find_strategy("fedsgd")


def some(seed: int) -> arrays.Arrays:
    generator = numpy.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(numpy.float32) for name, shape in (("b", (3, 2)), ("a", (4,)))}


def test_fedavg_is_the_weighted_mean() -> None:
    replies = [(3.0, some(1)), (1.0, some(2)), (6.0, some(3))]
    for _ in range(5):
        mean, state = strategy.find_strategy("fedavg")({"kind": "fedavg"}, {}).aggregate(some(0), replies, None)
        assert state is None
        for name, array in mean.items():
            expected = numpy.average([a[name] for _, a in replies], axis=0, weights=[w for w, _ in replies])
            assert array.dtype == numpy.float32
            numpy.testing.assert_allclose(array, expected, rtol=0, atol=1e-6)
        replies = [(weight, {name: a[name] + mean[name] for name in a}) for weight, a in replies]


def test_fedavg_of_equal_clients_is_the_client() -> None:
    mean, _ = strategy.find_strategy("fedavg")({}, {}).aggregate(some(0), [(5.0, some(1)), (5.0, some(1))], None)
    assert all((mean[name] == some(1)[name]).all() for name in mean)
    mean, _ = strategy.find_strategy("fedavg")({}, {}).aggregate(some(0), [(7.0, some(1))], None)
    assert all((mean[name] == some(1)[name]).all() for name in mean)


def test_fedavg_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError):
        strategy.find_strategy("fedavg")({}, {}).aggregate(some(0), [], None)


def test_digest_as_written_down() -> None:
    values = some(1)
    config = {"kind": "lora", "rank": 8, "alpha": 16.0, "dropout": 0.0, "targets": "all-linear"}
    tensors = [
        [n, "float32", list(values[n].shape), hashlib.sha256(values[n].tobytes()).hexdigest()] for n in ("a", "b")
    ]
    document = rfc8785.dumps({"config": config, "tensors": tensors})
    assert arrays.digest(config, values) == hashlib.sha256(b"ftbench/adapter/v1\n" + document).hexdigest()


def test_digest_knows_values_not_their_layout() -> None:
    values, config = some(1), {"kind": "lora", "rank": 8, "alpha": 16}
    same = arrays.digest(config, values)
    assert arrays.digest({"alpha": 16.0, "rank": 8, "kind": "lora"}, dict(reversed(values.items()))) == same
    assert arrays.digest(config, {n: numpy.asfortranarray(a) for n, a in values.items()}) == same
    assert arrays.digest(config, {n: a.astype(">f4") for n, a in values.items()}) == same
    assert arrays.digest({**config, "rank": 4}, values) != same
    assert arrays.digest(config, {**values, "a": values["a"] + 1}) != same
    assert arrays.digest(config, {**values, "b": values["b"].reshape(2, 3)}) != same


def test_metering_counts_elements_times_itemsize() -> None:
    assert arrays.nbytes(some(1)) == (6 + 4) * 4
    assert arrays.elements(some(1)) == 10
    assert arrays.nbytes({"x": numpy.zeros(3, dtype=numpy.float64)}) == 24


def test_records_carry_arrays_unchanged() -> None:
    values = some(1)
    back = arrays.from_record(arrays.to_record(values))
    assert list(back) == ["a", "b"]
    assert all((back[name] == values[name]).all() and back[name].dtype == numpy.float32 for name in values)


def test_a_received_reply_is_in_memory_once() -> None:
    record = arrays.to_record(some(1))
    sent = numpy.frombuffer(record[arrays.PACKED].data, dtype="u1")
    assert all(numpy.shares_memory(array, sent) for array in arrays.views(record).values())
    assert not any(numpy.shares_memory(array, sent) for array in arrays.from_record(record).values())


def test_what_does_not_fit_is_named() -> None:
    good = some(1)
    assert arrays.mismatch(good, some(2)) == ""
    assert "missing" in arrays.mismatch({"a": good["a"]}, good)
    assert "unknown" in arrays.mismatch({**good, "c": good["a"]}, good)
    assert "float64" in arrays.mismatch({**good, "a": good["a"].astype(numpy.float64)}, good)
    assert "[2, 2]" in arrays.mismatch({**good, "a": good["a"].reshape(2, 2)}, good)
    assert arrays.not_finite(good) == ""
    assert arrays.not_finite({**good, "a": good["a"] * numpy.float32(numpy.inf)}) == "a"
