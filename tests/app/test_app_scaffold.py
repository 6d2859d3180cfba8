"""SCAFFOLD: the paper's algorithm in a few lines of numpy, what it is for, and its state in whole runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from ftbench.app import initial, ledger, settings, strategy, worker
from ftbench.app.arrays import Arrays
from ftbench.app.errors import AppError
from ftbench.app.in_force import strategy_of
from ftbench.app.strategy import scaffold
from ftbench.app.strategy.scaffold import CONTROL
from ftbench.app.training import Outcome, Recipe
from ftbench.result.documents import LedgerLine

MakeBench = Callable[..., Any]
RECIPE = Recipe(0.1, {}, 4, 1, 0, "token-mean", None)
A, B = "m.lora_A.weight", "m.lora_B.weight"


def drawn(generator: numpy.random.Generator) -> Arrays:
    return {A: generator.normal(size=(2, 6)).astype("f4"), B: generator.normal(size=(5, 2)).astype("f4")}


def visit(kind: Any, received: Arrays, own: Arrays | None, gradient: Callable[[Arrays], Arrays]) -> Any:
    """A client's round with `gradient(w)` and plain SGD; (what it sends, its new state)."""
    recipe = kind.recipe(RECIPE, received, own)
    begin = kind.begin(received, lambda: {})
    w, total = dict(begin), {name: numpy.zeros(array.shape) for name, array in begin.items()}
    for _ in range(recipe.steps):
        raw = gradient(w)
        for name, value in w.items():
            total[name] += raw[name]
            w[name] = (value - recipe.learning_rate * (raw[name] + recipe.correction[name])).astype("f4")
    mean = {name: (array / recipe.steps).astype("f4") for name, array in total.items()}
    return kind.reply(received, w, Outcome(0.0, mean if recipe.wants_gradient else None), own)


def test_equal_to_the_paper_over_five_rounds() -> None:
    """Algorithm 1 with option II, its own float64 state, N = 4 clients of equal size of which 2 or 3 take part.

    f_k(w) = ½ Σ a_k (w − b_k)², so that a gradient depends on where the client is.
    """
    generator = numpy.random.default_rng(0)
    rate, clients, eta = 0.8, 4, RECIPE.learning_rate
    a = [generator.uniform(0.5, 2.0) for _ in range(clients)]
    b = [drawn(generator) for _ in range(clients)]
    kind = scaffold.Strategy({"server_learning_rate": rate}, {}, [6] * clients)
    x, state, own = drawn(generator), None, dict.fromkeys(range(clients))
    exact = {name: array.astype("f8") for name, array in x.items()}
    c: Any = dict.fromkeys(exact, 0.0)
    c_k: list[Any] = [dict.fromkeys(exact, 0.0) for _ in range(clients)]
    for sampled in ([0, 2], [1, 2, 3], [0, 1], [2, 3], [0, 1, 3]):
        replies = []
        for k in sampled:
            received = kind.outgoing(x, state, k)
            sent, own[k] = visit(kind, received, own[k], lambda w, k=k: {n: a[k] * (w[n] - b[k][n]) for n in w})
            replies.append((6.0, sent))
            awaited = kind.awaited(x, k)
            assert {n: (v.shape, v.dtype) for n, v in sent.items()} == {
                n: (v.shape, v.dtype) for n, v in awaited.items()
            }
        x, state = kind.aggregate(x, replies, state)
        for name, before in exact.items():
            moves, changes = 0.0, 0.0
            for k in sampled:
                y = before
                for _ in range(RECIPE.steps):
                    y = y - eta * (a[k] * (y - b[k][name]) - c_k[k][name] + c[name])
                new = c_k[k][name] - c[name] + (before - y) / (RECIPE.steps * eta)  # option II
                moves, changes = moves + (y - before), changes + (new - c_k[k][name])
                c_k[k][name] = new
            exact[name] = before + rate / len(sampled) * moves
            c[name] = c[name] + changes / clients
            assert numpy.abs(x[name] - exact[name]).max() < 1e-6
            assert numpy.abs(state[CONTROL + name] - c[name]).max() < 1e-5
            assert x[name].dtype == state[CONTROL + name].dtype == numpy.float32
            for k in sampled:
                assert numpy.abs(own[k][CONTROL + name] - c_k[k][name]).max() < 1e-5


def toy(kind: Any, sampled: list[list[int]], sizes: list[int]) -> tuple[float, Arrays | None, dict[int, Any]]:
    """w after these rounds, where client k has f_k(w) = ½ a_k (w − b_k)² in one dimension."""
    a, b = (0.5, 1.0, 4.0), (-1.0, 0.5, 2.0)
    x: Arrays = {"w": numpy.zeros(1, "f4")}
    state, own = None, dict.fromkeys(range(3))
    for asked in sampled:
        replies = []
        for k in asked:
            received = kind.outgoing(x, state, k)
            if isinstance(kind, scaffold.Strategy):
                sent, own[k] = visit(kind, received, own[k], lambda w, k=k: {"w": a[k] * (w["w"] - b[k])})
            else:
                w = received["w"].astype("f8")
                for _ in range(RECIPE.steps):
                    w = w - RECIPE.learning_rate * a[k] * (w - b[k])
                sent = {"w": w.astype("f4")}
            replies.append((float(sizes[k]), sent))
        x, state = kind.aggregate(x, replies, state)
    return float(x["w"][0]), state, own


@pytest.mark.parametrize("sizes", [[5, 5, 5], [2, 7, 1]])
@pytest.mark.parametrize("turns", ["all", "two"])
def test_it_ends_where_fedavg_means_to_and_does_not(sizes: list[int], turns: str) -> None:
    """The minimum of Σ n_k f_k. FedAvg's clients drift: it stops elsewhere."""
    a, b = numpy.array([0.5, 1.0, 4.0]), numpy.array([-1.0, 0.5, 2.0])
    n = numpy.array(sizes)
    best = (n * a * b).sum() / (n * a).sum()
    every = [[0, 1, 2]] * 400
    corrected, state, own = toy(
        scaffold.Strategy({"server_learning_rate": 1.0}, {}, sizes),
        every if turns == "all" else [[0, 1], [1, 2], [0, 2]] * 400,
        sizes,
    )
    plain, _, _ = toy(strategy.find_strategy("fedavg")({}, {}), every, sizes)
    assert abs(corrected - best) < 1e-4
    assert abs(plain - best) > 0.05
    assert state is not None
    # c is Σ p_k c_k over all clients, and at the minimum it is zero.
    mean = sum(n[k] * own[k][CONTROL + "w"] for k in range(3)) / n.sum()
    assert abs(float(state[CONTROL + "w"][0] - mean[0])) < 1e-4
    assert abs(float(mean[0])) < 1e-3


def test_the_clients_order_does_not_matter_and_equal_clients_are_one() -> None:
    generator = numpy.random.default_rng(1)
    current = drawn(generator)
    kind = scaffold.Strategy({"server_learning_rate": 0.7}, {}, [3, 5, 2])
    state = {CONTROL + name: array for name, array in drawn(generator).items()}
    replies = [
        (size, {**drawn(generator), **{CONTROL + n: v for n, v in drawn(generator).items()}}) for size in (3, 5, 2)
    ]
    one, kept = kind.aggregate(current, replies, state)
    other, same = kind.aggregate(current, replies[::-1], state)
    assert all(numpy.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert kept is not None and same is not None
    assert all(numpy.allclose(kept[name], same[name], atol=1e-6) for name in kept)
    reply = replies[0][1]
    several, _ = kind.aggregate(current, [(3, reply), (5, reply), (2, reply)], state)
    alone, after = scaffold.Strategy(kind.block, {}, [8]).aggregate(current, [(8, reply)], state)
    assert all(numpy.allclose(several[name], alone[name], atol=1e-6) for name in one)
    assert after is not None
    assert all(numpy.allclose(after[name], state[name] + reply[name], atol=1e-6) for name in after)


def test_a_server_that_takes_no_step_stays_and_a_whole_one_is_the_mean() -> None:
    generator = numpy.random.default_rng(1)
    current = drawn(generator)
    replies = [(1.0, {**drawn(generator), **{CONTROL + n: v for n, v in drawn(generator).items()}}) for _ in range(3)]
    still, _ = scaffold.Strategy({"server_learning_rate": 1e-9}, {}, [1, 1, 1]).aggregate(current, replies, None)
    whole, _ = scaffold.Strategy({"server_learning_rate": 1.0}, {}, [1, 1, 1]).aggregate(current, replies, None)
    plain, _ = strategy.find_strategy("fedavg")({}, {}).aggregate(current, replies, None)
    assert all(numpy.allclose(still[name], current[name], atol=1e-7) for name in current)
    assert all(numpy.allclose(whole[name], plain[name], atol=1e-6) for name in current)


# --- at a real client ---

SGD = {
    "training.optimizer": {"kind": "sgd", "momentum": 0, "weight_decay": 0},
    "training.max_grad_norm": None,
    "training.local_steps": 5,
}
SCAFFOLD = {"strategy.kind": "scaffold", "strategy.server_learning_rate": 1.0}


def begun(bench: Any, generator: numpy.random.Generator) -> tuple[Any, Any, Arrays, Arrays, Arrays]:
    """(settings, strategy, what is sent, the adapter in it, a client's state), all with values of their own."""
    wanted = settings.read(bench.config, bench.plan)
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    state = {CONTROL + name: (0.01 * generator.normal(size=v.shape)).astype("f4") for name, v in start.items()}
    own = {CONTROL + name: (0.01 * generator.normal(size=v.shape)).astype("f4") for name, v in start.items()}
    kind = strategy_of(wanted)
    return wanted, kind, kind.outgoing(start, state, 0), start, own


@pytest.mark.parametrize("adapter", ["lora", "dora"])
def test_with_plain_sgd_it_is_option_ii(make_bench: MakeBench, adapter: str) -> None:
    """c_k − c + (x − y) / (steps · rate) of the trained adapter is the mean gradient that the client keeps."""
    rate = 0.05
    bench = make_bench({**SCAFFOLD, **SGD, "adapter.kind": adapter})
    wanted, kind, sent, start, own = begun(bench, numpy.random.default_rng(8))
    trained, outcome = worker.train(wanted, 0, 1, rate, sent, kind=kind, client_state=own)
    reply, kept = kind.reply(sent, trained, outcome, own)
    largest = max(float(numpy.abs(array).max()) for array in kept.values())
    assert largest > 1e-3
    for name, array in start.items():
        c, c_k = sent[CONTROL + name].astype("f8"), own[CONTROL + name].astype("f8")
        two = c_k - c + (array.astype("f8") - trained[name]) / (5 * rate)
        assert numpy.abs(kept[CONTROL + name] - two).max() < 1e-5 * max(1.0, largest)
        assert numpy.allclose(reply[CONTROL + name], kept[CONTROL + name] - own[CONTROL + name], atol=1e-7)
        assert numpy.array_equal(reply[name], trained[name])


def test_the_correction_is_added_before_clipping(make_bench: MakeBench) -> None:
    """One SGD step: with a correction far above the gradient, the step is the clipped correction."""
    bench = make_bench({**SCAFFOLD, **SGD, "training.local_steps": 1, "training.max_grad_norm": 1.0})
    wanted, kind, sent, start, own = begun(bench, numpy.random.default_rng(8))
    pushed = {name: 1e4 * v if name.startswith(CONTROL) else v for name, v in sent.items()}
    trained, outcome = worker.train(wanted, 0, 1, 0.1, pushed, kind=kind, client_state=own)
    step = numpy.sqrt(sum(((trained[name] - start[name]).astype("f8") ** 2).sum() for name in start))
    assert step == pytest.approx(0.1, rel=1e-3)
    assert max(numpy.abs(v).max() for v in outcome.gradient.values()) < 10


def test_equal_control_variates_correct_nothing(make_bench: MakeBench) -> None:
    """c = c_k: the client trains as FedAvg's does, bit for bit."""
    bench = make_bench(SCAFFOLD)
    wanted, kind, sent, start, _ = begun(bench, numpy.random.default_rng(8))
    same = {name: array for name, array in sent.items() if name.startswith(CONTROL)}
    trained, _ = worker.train(wanted, 0, 1, 0.01, sent, kind=kind, client_state=same)
    plain, _ = worker.train(wanted, 0, 1, 0.01, start, kind=strategy.find_strategy("fedavg")({}, {}))
    assert all(numpy.array_equal(trained[name], plain[name]) for name in start)
    other, _ = worker.train(wanted, 0, 1, 0.01, sent, kind=kind, client_state=None)
    assert not all(numpy.array_equal(trained[name], other[name]) for name in start)


# --- whole runs ---


def states(run_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run_dir)): path.read_bytes()
        for path in sorted((run_dir / "clients").rglob("*.safetensors"))
    }


@pytest.mark.parametrize("killed_in", [1, 2, 4])
@pytest.mark.parametrize(
    ("where", "coding"),
    [("before the commit", "float32"), ("after the first client", "float32"), ("before the commit", "int8")],
)
def test_a_killed_run_ends_at_the_same_adapter_and_client_states(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, killed_in: int, where: str, coding: str
) -> None:
    """With int8, what coding lost of adapter and control variates is kept beside cₖ."""
    changes = {**SCAFFOLD, "federation.rounds": 4, "transport": {"down": coding, "up": coding}}
    whole, cut = make_bench(changes, name="whole"), make_bench(changes, name="cut")
    whole.play()
    append, train = ledger.append_line, worker.train

    def killed(path: Path, line: bytes) -> None:
        if b'"round":%d,' % killed_in in line:
            raise KeyboardInterrupt
        append(path, line)

    trained: list[int] = []

    def training(*arguments: Any, **more: Any) -> Any:
        if more["round_number"] == killed_in:
            trained.append(arguments[1])
            if len(trained) == 2:
                raise KeyboardInterrupt
        return train(*arguments, **more)

    with monkeypatch.context() as patch:
        if where == "before the commit":
            patch.setattr(ledger, "append_line", killed)
        else:
            patch.setattr(worker, "train", training)
        with pytest.raises(KeyboardInterrupt):
            cut.play()
    cut.play(resume=True)
    rounds = [[body for body in bench.ledger if body["event"] in ("round", "finished")] for bench in (whole, cut)]
    assert rounds[0] == rounds[1]
    for body in rounds[0][:-1]:
        assert body["strategy_state"]
        assert set(body["client_states"]) == {str(reply["partition"]) for reply in body["replies"]}
    last = {k: name for body in rounds[0][:-1] for k, name in body["client_states"].items()}
    for bench in (whole, cut):
        held = states(bench.run_dir)
        for partition, name in last.items():
            assert any(path.endswith(f"{partition}/state/{name}.safetensors") for path in held)
    for line in (cut.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


def test_traffic_is_doubled_each_way(make_bench: MakeBench) -> None:
    plain, corrected = make_bench(name="plain"), make_bench(SCAFFOLD, name="corrected")
    plain.play()
    corrected.play()
    for one, other in zip(plain.ledger, corrected.ledger, strict=True):
        if one["event"] == "round":
            assert (other["bytes_down"], other["bytes_up"]) == (2 * one["bytes_down"], 2 * one["bytes_up"])


def test_a_damaged_client_state_is_not_gone_on_from(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench({**SCAFFOLD, "federation.sampling": {"fraction": 1.0}, "federation.min_replies": 3})
    train = worker.train

    def stop(*arguments: Any, **more: Any) -> Any:
        if more["round_number"] > 1:
            raise KeyboardInterrupt
        return train(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "train", stop)
        with pytest.raises(KeyboardInterrupt):
            bench.play()
    (path, *_) = sorted((bench.run_dir / "clients").rglob("*.safetensors"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(AppError, match="digest"):
        bench.play(resume=True)


def test_the_first_round_is_fedavg_s_and_the_next_is_not(make_bench: MakeBench) -> None:
    """All control variates begin at zero."""
    ends = []
    for changes in ({}, SCAFFOLD):
        bench = make_bench(changes, name=str(len(ends)))
        bench.play()
        ends.append([body["replies"] for body in bench.ledger if body["event"] == "round"])
    assert [reply["loss"] for reply in ends[0][0]] == [reply["loss"] for reply in ends[1][0]]
    assert [reply["loss"] for reply in ends[0][-1]] != [reply["loss"] for reply in ends[1][-1]]
