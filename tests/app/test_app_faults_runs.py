"""Whole runs with planned faults: what the ledger tells, what is charged, and that a killed run takes the same path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftbench.app import files
from ftbench.app.errors import AppError
from ftbench.result.documents import LedgerLine

MakeBench = Callable[..., Any]
EVERYONE = {"federation.sampling.fraction": 1.0, "federation.clients": 4, "federation.rounds": 4}
STRAGGLERS = {
    "seconds_per_step": 1.0,
    "mib_per_second": 1.0,
    "client_spread": 0.6,
    "round_spread": 0.6,
    "deadline_seconds": 6.0,
}
MIXED = {
    "dropout": {"probability": 0.2},
    "stragglers": STRAGGLERS,
    "corrupt": {"probability": 0.3, "damage": "nan"},
    "byzantine": {"clients": 1, "attack": "scale", "strength": 3.0},
}
"""With seed 1 this strikes in every way and leaves somebody in each of the four rounds."""


def faulty(block: dict[str, Any]) -> dict[str, Any]:
    return {**EVERYONE, "faults": {**dict.fromkeys(MIXED), **block}}


def rounds(bench: Any) -> list[dict[str, Any]]:
    return [body for body in bench.ledger if body["event"] == "round"]


def last(bench: Any) -> str:
    return str(bench.ledger[-1]["adapter"])


def test_the_ledger_tells_who_was_struck_and_what_it_cost(make_bench: MakeBench) -> None:
    bench = make_bench(faulty(MIXED))
    bench.play()
    size = bench.ledger[0]["trainable_parameters"] * 4
    reasons: dict[str, int] = {}
    for body in rounds(bench):
        assert body["sampled"] == [0, 1, 2, 3]
        told = [e["partition"] for e in body["excluded"]] + [r["partition"] for r in body["replies"]]
        assert sorted(told) == body["sampled"]
        assert all(e["planned"] for e in body["excluded"])
        assert body["bytes_down"] == 4 * size
        damaged = sum(e["reason"] == "not-finite" for e in body["excluded"])
        assert body["bytes_up"] == (len(body["replies"]) + damaged) * size
        for exclusion in body["excluded"]:
            reasons[exclusion["reason"]] = reasons.get(exclusion["reason"], 0) + 1
        missing = any(e["reason"] in ("dropped-out", "late") for e in body["excluded"])
        assert body["simulated_seconds"] == 6.0 if missing else 0 < body["simulated_seconds"] <= 6.0
    assert set(reasons) == {"dropped-out", "late", "not-finite"}
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


def test_the_same_again(make_bench: MakeBench) -> None:
    ledgers = []
    for name in ("a", "b"):
        bench = make_bench(faulty(MIXED), name=name)
        bench.play()
        ledgers.append((bench.run_dir / "ledger.jsonl").read_bytes())
    assert ledgers[0] == ledgers[1]


def test_who_drops_out_is_not_asked(make_bench: MakeBench) -> None:
    """No client trains in vain, and the mean is that of the others."""
    from ftbench.run.engines.inline_grid import InlineGrid

    asked = []

    class Watched(InlineGrid):
        def deliver(self, message: Any) -> Any:
            if message.metadata.message_type == "train":
                asked.append(self.partitions[message.metadata.dst_node_id])
            return super().deliver(message)

    bench = make_bench(faulty({"dropout": {"probability": 0.4}}))
    bench.play(Watched)
    assert asked == [reply["partition"] for body in rounds(bench) for reply in body["replies"]]
    assert any(body["excluded"] for body in rounds(bench))


def test_without_faults_the_reference_is_the_run(make_bench: MakeBench) -> None:
    """The fault-free reference ends where the same federation without faults ends, and nothing is charged."""
    plain = make_bench(EVERYONE, name="plain")
    plain.play()
    bench = make_bench(faulty(MIXED))
    bench.play()
    spared = make_bench(faulty(MIXED), name="spared")
    spared.play(reference="fault-free")
    assert last(spared) == last(plain) != last(bench)
    assert [body["replies"] for body in rounds(spared)] == [body["replies"] for body in rounds(plain)]
    assert all(body["bytes_up"] == body["bytes_down"] == 0 for body in rounds(spared))
    assert all(body["simulated_seconds"] is None for body in [*rounds(spared), *rounds(plain)])


@pytest.mark.parametrize("attack", ["sign-flip", "scale", "noise"])
def test_an_attack_changes_the_result(make_bench: MakeBench, attack: str) -> None:
    plain = make_bench(EVERYONE, name="plain")
    plain.play()
    bench = make_bench(faulty({"byzantine": {"clients": 1, "attack": attack, "strength": 5.0}}))
    bench.play()
    assert last(bench) != last(plain)
    assert not any(body["excluded"] for body in rounds(bench))
    # Before its first update arrives, nobody knows: the others' first replies are the same.
    mine, theirs = ({r["partition"]: r["update"] for r in rounds(b)[0]["replies"]} for b in (bench, plain))
    assert sum(mine[k] != theirs[k] for k in mine) == 1


def test_random_bits_are_told_from_a_reply(make_bench: MakeBench) -> None:
    bench = make_bench(faulty({"corrupt": {"probability": 0.3, "damage": "random-bits"}}))
    bench.play()
    found = [e for body in rounds(bench) for e in body["excluded"]]
    assert found and {(e["reason"], e["planned"]) for e in found} == {("not-finite", True)}


def test_too_few_left_stop_the_run(make_bench: MakeBench) -> None:
    bench = make_bench({**faulty({"dropout": {"probability": 0.5}}), "federation.min_replies": 4})
    with pytest.raises(AppError, match="dropped-out") as caught:
        bench.play()
    assert caught.value.code == "FTB551"
    stopped = bench.ledger[-1]
    assert stopped["event"] == "stopped" and all(e["planned"] for e in stopped["excluded"])
    with pytest.raises(AppError, match="dropped-out"):  # the same clients again
        bench.play(resume=True)
    assert bench.ledger[-1] == stopped


def test_a_real_failure_beside_planned_ones_is_told_as_such(make_bench: MakeBench) -> None:
    from ftbench.run.engines.inline_grid import InlineGrid

    class Failing(InlineGrid):
        def deliver(self, message: Any) -> Any:
            if message.metadata.message_type == "train" and self.partitions[message.metadata.dst_node_id] == 2:
                raise RuntimeError("gone")
            return super().deliver(message)

    bench = make_bench(faulty({"dropout": {"probability": 0.4}}))
    with pytest.raises(RuntimeError):
        bench.play(Failing)
    bench = make_bench(faulty({"corrupt": {"probability": 0.3, "damage": "nan"}}), name="other")
    grid = bench.grid()
    working = grid.client

    def client(message: Any, context: Any) -> Any:
        if message.metadata.message_type == "train" and context.node_config["partition-id"] == 2:
            raise RuntimeError("gone")
        return working(message, context)

    grid.client = client
    bench.play(grid=grid)
    for body in rounds(bench):
        told = {e["partition"]: (e["reason"], e["planned"]) for e in body["excluded"]}
        assert told.pop(2) == ("error", False)
        assert set(told.values()) <= {("not-finite", True)}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("kind", ["fedavg", "fedavgm"])
def test_killed_at_many_writes_the_same_clients_are_struck(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    more = {"strategy.kind": kind}
    if kind == "fedavgm":
        more |= {"strategy.momentum": 0.5, "strategy.server_learning_rate": 1.0}
    whole = make_bench({**faulty(MIXED), **more}, name="whole")
    whole.play()
    real, left = files.os.fsync, [0]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    bench, killed = make_bench({**faulty(MIXED), **more}), 0
    while True:
        left[0] = 5 + killed % 5
        try:
            bench.play(resume=bool(killed))
            break
        except Killed:
            killed += 1
    assert killed >= 4
    assert rounds(bench) == rounds(whole) and bench.ledger[-1] == whole.ledger[-1]
