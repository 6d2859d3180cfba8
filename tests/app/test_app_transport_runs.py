"""Coded transport in whole runs of the tiny benchmark: bytes as sent, states in the commit, resumed alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import load_file

from ftbench.app import client_round, client_state, ledger, worker
from ftbench.app.client_app import app
from ftbench.app.errors import AppError
from ftbench.result.documents import LedgerLine
from ftbench.run.engines.inline_grid import InlineGrid
from ftbench.spec.implied import traffic
from ftbench.spec.transport import Transport

MakeBench = Callable[..., Any]
LOSSY = [("float32", "int8"), ("int8", "float32"), ("bf16", "int8"), ("int8", "bf16"), ("bf16", "bf16")]
STRATEGIES: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedadam": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "scaffold": {"server_learning_rate": 1.0},
    "ffa-lora": {},
    "flora": {},
    "flexlora": {},
}


def changes(down: str, up: str, kind: str = "fedavg", **more: Any) -> dict[str, Any]:
    return {
        "transport.down": down,
        "transport.up": up,
        "strategy.kind": kind,
        **{f"strategy.{name}": value for name, value in STRATEGIES[kind].items()},
        **more,
    }


def rounds(bench: Any) -> list[dict[str, Any]]:
    return [body for body in bench.ledger if body["event"] == "round"]


def final(bench: Any) -> dict[str, Any]:
    return load_file(str(bench.run_dir / "adapter" / "adapter_model.safetensors"))


def due(bench: Any, kind: str, ranks: list[int] | None = None) -> list[tuple[int, int]]:
    """Bytes down and up of every round, by the spec's own formulas."""
    block = Transport(**bench.plan.spec["transport"])
    shapes = {name: array.shape for name, array in final(bench).items()}
    rank = bench.plan.spec["adapter"]["rank"]
    found, stacked = [], 0
    for body in rounds(bench):
        sent = [
            traffic.Message(kind, shapes, ranks[k % len(ranks)] if ranks else rank, stacked) for k in body["sampled"]
        ]
        found.append((sum(traffic.down_bytes(block, m) for m in sent), sum(traffic.up_bytes(block, m) for m in sent)))
        stacked += rank * len(body["replies"])
    return found


@pytest.mark.parametrize("kind", STRATEGIES)
@pytest.mark.parametrize(("down", "up"), [("float32", "float32"), *LOSSY[:3]])
def test_bytes_are_metered_as_sent_and_states_are_kept(make_bench: MakeBench, kind: str, down: str, up: str) -> None:
    bench = make_bench(changes(down, up, kind))
    bench.play()
    told = [(body["bytes_down"], body["bytes_up"]) for body in rounds(bench)]
    assert told == due(bench, kind)
    for body in rounds(bench):
        assert len(body["replies"]) == len(body["sampled"])
        server = kind in ("fedadam", "scaffold") or down != "float32"
        clients = kind == "scaffold" or (up != "float32" and kind != "flora")
        usable = {str(reply["partition"]) for reply in body["replies"]}
        assert (body["strategy_state"] is not None) == server
        assert set(body["client_states"]) == (usable if clients else set())
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


@pytest.mark.parametrize(("down", "up"), LOSSY[2:4])
def test_mixed_ranks_too(make_bench: MakeBench, down: str, up: str) -> None:
    bench = make_bench(changes(down, up, "flexlora", **{"adapter.client_ranks": [2, 1], "federation.clients": 4}))
    bench.play()
    assert [(body["bytes_down"], body["bytes_up"]) for body in rounds(bench)] == due(bench, "flexlora", [2, 1])


@pytest.mark.parametrize("kind", ["fedavg", "fedadam", "scaffold", "flexlora"])
def test_a_killed_run_ends_at_the_same_adapter(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """All residuals and control variates are in the commit: the resumed run's every line is the same."""
    wanted = changes("int8", "int8", kind)
    whole = make_bench(wanted, name="whole")
    whole.play()
    cut = make_bench(wanted, name="cut")
    append = ledger.append_line

    def killed(path: Path, line: bytes) -> None:
        if b'"round":3,' in line:
            raise KeyboardInterrupt  # all that the line names is on disk, the line is not
        append(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append_line", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.play()
    worker._workers.clear()
    cut.play(resume=True)
    assert rounds(whole) == rounds(cut)
    assert all(body["client_states"] and body["strategy_state"] for body in rounds(cut))


def test_each_coding_ends_somewhere_else_but_near(make_bench: MakeBench) -> None:
    plain = make_bench(name="plain")
    plain.play()
    exact = final(plain)
    moved = max(numpy.abs(exact[name]).max() for name in exact if ".lora_B." in name)
    apart = {}
    for down, up in LOSSY:
        bench = make_bench(changes(down, up), name=f"{down}-{up}")
        bench.play()
        end = final(bench)
        apart[down, up] = max(numpy.abs(end[name] - exact[name]).max() for name in exact) / moved
    assert all(0 < distance < 0.5 for distance in apart.values()), apart
    assert apart["float32", "int8"] < 0.01


def test_a_reply_that_is_not_finite_is_left_out_and_charged(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = worker.train

    def spoilt(wanted: Any, partition: int, **more: Any) -> Any:
        trained, outcome = train(wanted, partition, **more)
        if more["round_number"] == 2 and partition == 1:
            next(iter(trained.values()))[0, 0] = numpy.nan
        return trained, outcome

    monkeypatch.setattr(worker, "train", spoilt)
    bench = make_bench(changes("int8", "int8", **{"federation.sampling.fraction": 1.0}))
    bench.play()
    first, second, third = rounds(bench)
    assert [(e["partition"], e["reason"]) for e in second["excluded"]] == [(1, "not-finite")]
    assert second["bytes_up"] == first["bytes_up"]
    assert set(second["client_states"]) == {"0", "2"}
    # It goes on from what its last committed reply left.
    assert set(third["client_states"]) == {"0", "1", "2"} and not third["excluded"]


def test_a_client_whose_state_is_lost_is_left_out_and_says_why(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(changes("float32", "int8", **{"federation.sampling.fraction": 1.0}))
    carry_out = client_round.carry_out

    def after_a_loss(wanted: Any, task: Any, sent: Any) -> Any:
        if task.round == 2 and task.partition == 0:
            home = client_state.root(wanted) / client_state.FOLDER / "0" / "state"
            (home / f"{task.state}.safetensors").unlink()
        return carry_out(wanted, task, sent)

    monkeypatch.setattr(client_round, "carry_out", after_a_loss)
    bench.play()
    first, second, third = rounds(bench)
    assert len(first["client_states"]) == 3
    for body in (second, third):
        ((left),) = body["excluded"]
        assert (left["partition"], left["reason"]) == (0, "error")
        assert first["client_states"]["0"] in left["detail"] and "after its last reply is lost" in left["detail"]
        assert set(body["client_states"]) == {"1", "2"}


def test_an_update_in_another_coding_is_of_the_wrong_shape(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftbench.app import codec

    bench = make_bench(changes("float32", "int8", **{"federation.sampling.fraction": 1.0}))
    code = codec.encode_up
    monkeypatch.setattr(codec, "encode_up", lambda s, reply, base, r: (reply, code(s, reply, base, r)[1]))
    with pytest.raises(AppError, match="usable replies of"):
        bench.play()
    stopped = bench.ledger[-1]
    assert {e["reason"] for e in stopped["excluded"]} == {"wrong-shape"}


def test_the_budget_counts_what_is_sent(make_bench: MakeBench) -> None:
    """One round of int8 both ways fits where one of float32 does not."""
    bench = make_bench(changes("int8", "int8"), name="sizes")
    bench.play()
    need = sum(body["bytes_down"] + body["bytes_up"] for body in rounds(bench)) / 2**20
    for coding, fits in (("int8", True), ("bf16", False), ("float32", False)):
        tight = make_bench(changes(coding, coding, **{"budget.communication_mib": need}), name=coding)
        if fits:
            tight.play()
        else:
            with pytest.raises(AppError, match="was not begun"):
                tight.play()
    less = make_bench(changes("int8", "int8", **{"budget.communication_mib": need * 0.999}), name="less")
    with pytest.raises(AppError, match="was not begun"):
        less.play()


def test_references_of_one_virtual_client_are_not_coded(make_bench: MakeBench) -> None:
    ends = []
    for name, block in (("coded", changes("int8", "int8")), ("plain", changes("float32", "float32"))):
        bench = make_bench(block, name=name, reference="centralised")
        bench.play(grid=InlineGrid(app, bench.config, 1))
        ends.append(final(bench))
        assert all(body["bytes_up"] == 0 and not body["client_states"] for body in rounds(bench))
    assert all((ends[0][name] == ends[1][name]).all() for name in ends[0])
