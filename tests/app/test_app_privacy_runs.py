"""Privacy in whole runs of the tiny benchmark: what the ledger says, resumed alike, stopped at the budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from flwr.app import Message
from safetensors.numpy import load_file

from ftbench.app import ledger, seeding
from ftbench.app.arrays import from_record
from ftbench.app.client_app import app
from ftbench.app.errors import AppError
from ftbench.app.privacy import accounting
from ftbench.result.documents import LedgerLine, Round
from ftbench.run.engines.inline_grid import InlineGrid
from ftbench.spec.strategies import STRATEGIES

MakeBench = Callable[..., Any]
BLOCKS: dict[str, dict[str, Any]] = {
    "fedprox": {"mu": 1.0},
    "fedavgm": {"momentum": 0.9, "server_learning_rate": 1.0},
    "fedadam": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "fedyogi": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "fedadagrad": {"server_learning_rate": 0.01, "tau": 0.001},
}
FIXED = {
    "kind": "central",
    "epsilon": 1e15,
    "delta": 0.01,
    "noise_multiplier": 0.1,
    "clipping": "fixed",
    "clip": 0.2,
    "quantile": None,
    "clip_learning_rate": None,
    "count_noise_multiplier": None,
}
ADAPTIVE = {**FIXED, "clipping": "adaptive", "quantile": 0.5, "clip_learning_rate": 0.5, "count_noise_multiplier": 0.2}
LOCAL = {**FIXED, "kind": "local"}
ALL = {"federation.sampling.fraction": 1.0}


def strategy(kind: str) -> dict[str, Any]:
    return {f"strategy.{name}": value for name, value in {"kind": kind, **BLOCKS.get(kind, {})}.items()}


def rounds(bench: Any) -> list[dict[str, Any]]:
    return [body for body in bench.ledger if body["event"] == "round"]


def states(bench: Any) -> list[dict[str, Any]]:
    """The adapter before the first round and after each."""
    names = [bench.ledger[0]["adapter"], *(body["adapter"] for body in rounds(bench))]
    return [load_file(str(bench.run_dir / "state" / f"{name}.safetensors")) for name in names]


def flat(arrays: dict[str, Any]) -> Any:
    return numpy.concatenate([arrays[name].astype(float).ravel() for name in sorted(arrays)])


@pytest.mark.parametrize("kind", [k for k, one in STRATEGIES.items() if "central" in one.privacy])
def test_it_runs_under_every_strategy_that_it_holds_for(make_bench: MakeBench, kind: str) -> None:
    bench = make_bench({**strategy(kind), "privacy": FIXED})
    bench.play()
    for number, body in enumerate(rounds(bench), 1):
        due = accounting.central(0.1, 0.01, 3, 2, number)
        assert body["privacy"] == {"epsilon": due, "clip": 0.2}
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


@pytest.mark.parametrize("kind", [k for k, one in STRATEGIES.items() if "local" in one.privacy])
def test_local_privacy_runs_under_every_strategy_that_it_holds_for(make_bench: MakeBench, kind: str) -> None:
    blocks = {"krum": {"byzantine": 0}, "multikrum": {"byzantine": 0, "keep": 2}, "fedtrimmedavg": {"trim": 0.34}}
    extra = {f"strategy.{name}": value for name, value in blocks.get(kind, {}).items()}
    bench = make_bench({**strategy(kind), **extra, **ALL, "federation.rounds": 1, "privacy": LOCAL})
    bench.play()
    assert rounds(bench)[0]["privacy"] == {"epsilon": accounting.local(0.1, 0.01, 1), "clip": 0.2}


@pytest.mark.parametrize("kind", ["fedavg", "fedadam"])
@pytest.mark.parametrize("block", [FIXED, ADAPTIVE, LOCAL], ids=["fixed", "adaptive", "local"])
def test_a_killed_run_ends_at_the_same_adapter(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str, block: dict[str, Any]
) -> None:
    whole = make_bench({**strategy(kind), "privacy": block}, name="whole")
    whole.play()
    cut = make_bench({**strategy(kind), "privacy": block}, name="cut")
    append = ledger.append_line

    def killed(path: Path, line: bytes) -> None:
        if b'"round":3,' in line:
            raise KeyboardInterrupt  # all that the line names is on disk, the line is not
        append(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append_line", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.play()
    cut.play(resume=True)
    assert rounds(whole) == rounds(cut)
    adaptive = block["clipping"] == "adaptive"
    assert bool(rounds(whole)[-1]["strategy_state"]) == (adaptive or kind == "fedadam")
    clips = [body["privacy"]["clip"] for body in rounds(whole)]
    assert len(set(clips)) == (3 if adaptive else 1)


def test_the_step_is_the_uniform_mean_of_clipped_changes(make_bench: MakeBench) -> None:
    """Clip and noise of no consequence: FedAvg's weighted mean with equal weights, although the shares differ."""
    open_ = {**FIXED, "clip": 1e4, "noise_multiplier": 1e-6}
    private = make_bench({**ALL, "federation.clients": 4, "federation.rounds": 1, "privacy": open_}, name="private")
    plain = make_bench({**ALL, "federation.clients": 4, "federation.rounds": 1}, name="plain")
    sent: dict[int, Any] = {}

    class Listening(InlineGrid):
        def deliver(self, message: Message) -> Message | None:
            reply = super().deliver(message)
            if reply is not None and message.metadata.message_type == "train":
                record = reply.content["adapter"]
                sent[self.partitions[message.metadata.dst_node_id]] = from_record(record)
            return reply

    private.play(Listening)
    plain.play()
    uniform = sum(flat(arrays) for arrays in sent.values()) / 4
    assert len(sent) == 4
    assert numpy.abs(flat(states(private)[1]) - uniform).max() < 0.015  # noise of 1e-6 · 1e4 / 4 = 0.0025
    assert private.plan.pins["partition"]["sizes"] == [6, 6, 5, 5]


def test_a_client_that_fails_leaves_the_round_as_it_is(make_bench: MakeBench) -> None:
    """Flower's wrapper skips a round in which one fails. Here the others count, over as many as were asked."""
    quiet = {**FIXED, "clip": 1e-2, "noise_multiplier": 1e-6}

    class Failing(InlineGrid):
        def deliver(self, message: Message) -> Message | None:
            silent = message.metadata.message_type == "train" and self.partitions[message.metadata.dst_node_id] == 0
            return None if silent else super().deliver(message)

    changes = {**ALL, "federation.rounds": 1, "privacy": quiet}
    bench, whole = make_bench(changes, name="failing", **{"round-timeout": 0.1}), make_bench(changes, name="whole")
    bench.play(Failing)
    whole.play()
    (line,) = rounds(bench)
    assert [one["reason"] for one in line["excluded"]] == ["missing"] and len(line["replies"]) == 2
    steps = {
        name: numpy.linalg.norm(flat(states(b)[1]) - flat(states(b)[0]))
        for name, b in (("failing", bench), ("whole", whole))
    }
    assert 0 < steps["failing"] <= 2 * 1e-2 / 3 * 1.001
    assert line["privacy"] == rounds(whole)[0]["privacy"]


def test_a_round_that_would_exceed_epsilon_does_not_start(make_bench: MakeBench) -> None:
    limit = accounting.central(2.0, 0.01, 3, 2, 2)
    bench = make_bench({"privacy": {**FIXED, "noise_multiplier": 2.0, "epsilon": limit}})
    for resume in (False, True):
        with pytest.raises(AppError) as stopped:
            bench.play(resume=resume)
        assert stopped.value.code == "FTB556" and "round 3 was not begun" in stopped.value.message
        assert bench.ledger[-1]["reason"] == "privacy-budget" and bench.ledger[-1]["round"] == 3
    assert len(rounds(bench)) == 2
    assert rounds(bench)[-1]["privacy"]["epsilon"] == limit


def test_local_privacy_stops_by_the_client_asked_most_often(make_bench: MakeBench) -> None:
    asked = [seeding.choose_clients(2, number, 3, 0.67) for number in (1, 2, 3)]
    counts = [accounting.most_often(asked[:number]) for number in (1, 2, 3)]
    assert counts == [1, 2, 2]  # of three rounds with two of three clients each, by seed 2
    limit = accounting.local(2.0, 0.01, 2)
    enough = make_bench({"privacy": {**LOCAL, "noise_multiplier": 2.0, "epsilon": limit}}, name="enough", seed=2)
    enough.play()
    assert [body["privacy"]["epsilon"] for body in rounds(enough)] == [accounting.local(2.0, 0.01, k) for k in counts]
    short = make_bench({"privacy": {**LOCAL, "noise_multiplier": 2.0, "epsilon": limit * 0.99}}, name="short", seed=2)
    with pytest.raises(AppError, match="FTB556"):
        short.play()
    assert len(rounds(short)) == 1


def test_what_a_client_sends_under_local_privacy_is_noised(make_bench: MakeBench) -> None:
    loud = {**LOCAL, "noise_multiplier": 1.0, "clip": 0.5}
    plain, private = make_bench(ALL, name="plain"), make_bench({**ALL, "privacy": loud}, name="private")
    plain.play()
    private.play()
    first = [[reply["update"] for reply in rounds(bench)[0]["replies"]] for bench in (plain, private)]
    assert not set(first[0]) & set(first[1])
    start, end = states(private)[:2]
    size = flat(start).size
    sizes = numpy.array(private.plan.pins["partition"]["sizes"]) / 22
    deviation = 0.5 * numpy.sqrt((sizes**2).sum())  # of the weighted mean of the clients' own noise
    assert numpy.std(flat(end) - flat(start)) == pytest.approx(deviation, rel=0.1), size


def test_reference_runs_are_promised_nothing(make_bench: MakeBench) -> None:
    bench = make_bench({"privacy": {**FIXED, "epsilon": 1e-9}, "federation.rounds": 1})
    bench.play(grid=InlineGrid(app, {**bench.config, "reference": "centralised"}, 1), reference="centralised")
    assert rounds(bench)[0]["privacy"] is None


def test_without_the_block_the_line_says_so(make_bench: MakeBench) -> None:
    bench = make_bench({"federation.rounds": 1})
    bench.play()
    (line,) = rounds(bench)
    assert line["privacy"] is None
    assert Round.model_validate(line).privacy is None


def test_the_clip_may_be_a_knob(make_bench: MakeBench) -> None:
    knobs = {"privacy.clip": {"min": 0.01, "max": 10}}
    bench = make_bench({"privacy": FIXED, "knobs": knobs, "federation.rounds": 1}, **{"privacy.clip": 2})
    bench.play()
    assert rounds(bench)[0]["privacy"]["clip"] == 2.0
    Round.model_validate(rounds(bench)[0])
    with pytest.raises(AppError, match="outside its range"):
        make_bench({"privacy": FIXED, "knobs": knobs}, name="more", **{"privacy.clip": 11.0}).play()
