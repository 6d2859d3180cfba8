"""Whole runs of FFA-LoRA, FLoRA and FlexLoRA with mixed ranks: bytes, what moves, resuming, reference runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from safetensors.numpy import load_file

from ftbench.app import arrays as arr
from ftbench.app import initial, ledger, model, objective, settings, state, validation, worker
from ftbench.app.arrays import Arrays
from ftbench.app.client_app import app
from ftbench.app.errors import AppError
from ftbench.app.in_force import strategy_of
from ftbench.result.documents import LedgerLine
from ftbench.run.engines.inline_grid import InlineGrid

MakeBench = Callable[..., Any]
RANK = 4
MIXED = [4, 1, 2]
KINDS: dict[str, dict[str, Any]] = {
    "ffa-lora": {"strategy.kind": "ffa-lora"},
    "flora": {"strategy.kind": "flora"},
    "mixed": {"strategy.kind": "flexlora", "adapter.client_ranks": MIXED},
    "mixed-dora": {"strategy.kind": "flexlora", "adapter.client_ranks": MIXED, "adapter.kind": "dora"},
}
CODED = {"transport": {"down": "bf16", "up": "int8"}}


def changes(kind: str, **more: Any) -> dict[str, Any]:
    return {"adapter.rank": RANK, "adapter.alpha": 6, **KINDS[kind], **more}


def drawn(bench: Any) -> Arrays:
    return initial.arrays(bench.world.model_folder, bench.plan.spec, 1)


def rounds(bench: Any) -> list[dict[str, Any]]:
    return [body for body in bench.ledger if body["event"] == "round"]


def after(bench: Any, number: int) -> Arrays:
    return state.get(bench.run_dir, bench.plan.spec["adapter"], rounds(bench)[number - 1]["adapter"])


def final(bench: Any) -> Arrays:
    return load_file(bench.run_dir / "adapter" / "adapter_model.safetensors")


def parameters(bench: Any, rank: int, factors: str = "AB") -> int:
    """Numbers in a client's adapter of that rank: of its factors alone, plus DoRA's magnitudes."""
    found = 0
    for name, array in drawn(bench).items():
        if "magnitude" in name:
            found += array.size
        elif any(f"lora_{factor}" in name for factor in factors):
            found += array.size // RANK * rank
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_every_commit_a_run_ends_at_the_same_adapter(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = make_bench(changes(kind), name="whole")
    whole.play()
    cut = make_bench(changes(kind), name="cut")
    append, kills = ledger.append_line, []

    def killed(path: Any, line: bytes) -> None:
        number = json.loads(line)["body"].get("round")
        if b'"event":"round"' in line and number not in kills:
            kills.append(number)
            raise KeyboardInterrupt
        append(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append_line", killed)
        for number in (1, 2, 3):
            with pytest.raises(KeyboardInterrupt):
                cut.play(resume=number > 1)
            worker._workers.clear()  # another process goes on
    cut.play(resume=True)
    assert kills == [1, 2, 3]
    lines = [[body for body in bench.ledger if body["event"] in ("round", "finished")] for bench in (whole, cut)]
    assert lines[0] == lines[1]
    assert all((final(whole)[name] == array).all() for name, array in final(cut).items())
    for line in (cut.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


@pytest.mark.parametrize("kind", ["ffa-lora", "flora", "mixed"])
def test_coded_transport_and_resuming(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """bf16 down, int8 up: residuals where replies are changes of the same arrays, and the same digest after a kill."""
    plain, whole, cut = (make_bench(changes(kind, **more), name=name) for name, more in RUNS)
    plain.play()
    whole.play()
    append = ledger.append_line

    def killed(path: Any, line: bytes) -> None:
        if b'"event":"round"' in line and json.loads(line)["body"]["round"] == 2:
            raise KeyboardInterrupt
        append(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append_line", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.play()
    cut.play(resume=True)
    assert rounds(whole) == rounds(cut)
    assert all(bool(body["client_states"]) == (kind != "flora") for body in rounds(whole))
    near, far = products(plain), products(whole)
    size = max(abs(product).max() for product in near)
    apart = max(abs(one - other).max() for one, other in zip(near, far, strict=True))
    assert 0 < apart / size < 0.2


RUNS = (("plain", {}), ("whole", CODED), ("cut", CODED))


def products(bench: Any) -> list[Any]:
    arrays = final(bench)
    return [arrays[n.replace("lora_A", "lora_B")] @ arrays[n] for n in sorted(arrays) if ".lora_A." in n]


def test_under_ffa_lora_a_never_moves_and_b_alone_travels(make_bench: MakeBench) -> None:
    bench = make_bench(changes("ffa-lora"))
    bench.play()
    begun, size = drawn(bench), 4 * parameters(bench, RANK, "B")
    assert size < 4 * arr.elements(begun)
    for number in (1, 2, 3):
        found = after(bench, number)
        for name, array in found.items():
            assert (array == begun[name]).all() == ("lora_A" in name), name
    assert [(body["bytes_down"], body["bytes_up"]) for body in rounds(bench)] == [(2 * size, 2 * size)] * 3
    assert bench.ledger[0]["trainable_parameters"] == size // 4
    assert bench.ledger[0]["adapter"] == arr.digest(bench.plan.spec["adapter"], begun)


def test_after_a_client_of_ffa_lora_everything_can_be_trained_again(make_bench: MakeBench) -> None:
    bench = make_bench(changes("ffa-lora"))
    wanted = settings.read(bench.config, bench.plan)
    net = worker.find_worker(wanted).net
    before = model.trainable(net).keys()
    sent = strategy_of(wanted).outgoing(drawn(bench), None, 0)
    worker.train(wanted, 0, round_number=1, learning_rate=0.01, received=sent)
    assert model.trainable(net).keys() == before and len(before) == len(drawn(bench))
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_client_of_ffa_lora_cannot_send_a(make_bench: MakeBench) -> None:
    """What it sends is checked against B alone."""
    bench = make_bench(changes("ffa-lora"))
    wanted = settings.read(bench.config, bench.plan)
    awaited = strategy_of(wanted).awaited(drawn(bench), 0)
    assert "unknown" in arr.mismatch(drawn(bench), awaited)


def test_under_flora_rank_and_bytes_grow_with_every_reply(make_bench: MakeBench) -> None:
    bench = make_bench(changes("flora"))
    bench.play()
    size = 4 * parameters(bench, RANK)
    stacked = 0
    for body in rounds(bench):
        assert body["bytes_down"] == len(body["sampled"]) * stacked * size
        assert body["bytes_up"] == len(body["replies"]) * size
        stacked += len(body["replies"])
        found = after(bench, body["round"])
        assert {a.shape[0] for n, a in found.items() if "lora_A" in n} == {RANK * stacked}
        assert {a.shape[1] for n, a in found.items() if "lora_B" in n} == {RANK * stacked}
    config = json.loads((bench.run_dir / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (RANK * stacked, RANK * stacked)
    assert bench.ledger[0]["trainable_parameters"] == size // 4
    empty = {n: a[:0] if "lora_A" in n else a[:, :0] for n, a in drawn(bench).items()}
    assert bench.ledger[0]["adapter"] == arr.digest(bench.plan.spec["adapter"], empty)


def test_under_flora_every_client_s_product_is_in_the_adapter(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The final product is Σ over rounds of the weighted mean of s Bₖ Aₖ, kept apart here as the clients sent them."""
    from ftbench.app.strategy.flora import Strategy

    bench = make_bench(changes("flora"))
    seen: list[list[tuple[float, Arrays]]] = []
    real = Strategy.aggregate

    def noted(self: Any, current: Arrays, replies: Any, own: Any) -> Any:
        seen.append([(weight, dict(arrays)) for weight, arrays in replies])
        return real(self, current, replies, own)

    monkeypatch.setattr(Strategy, "aggregate", noted)
    bench.play()
    names = sorted(n for n in final(bench) if "lora_A" in n)
    for found, a in zip(products(bench), names, strict=True):
        b = a.replace("lora_A", "lora_B")
        due = sum(
            numpy.average(
                [r[b].astype("f8") @ r[a].astype("f8") for _, r in replies], axis=0, weights=[w for w, _ in replies]
            )
            for replies in seen
        )
        assert numpy.abs(found - 6 / RANK * due).max() < 1e-6
    assert len(seen) == 3


def test_under_mixed_ranks_each_client_is_sent_its_own(make_bench: MakeBench) -> None:
    bench = make_bench(changes("mixed", **{"federation.sampling": {"fraction": 1.0}}))
    bench.play()
    size = sum(4 * parameters(bench, rank) for rank in MIXED)
    assert [(body["bytes_down"], body["bytes_up"]) for body in rounds(bench)] == [(size, size)] * 3
    assert bench.ledger[0]["trainable_parameters"] == parameters(bench, max(MIXED))
    assert {a.shape[0] for n, a in final(bench).items() if "lora_A" in n} == {RANK}


def test_the_trained_ranks_are_the_clients_own(make_bench: MakeBench) -> None:
    """Zeros beyond a client's rank stay zero to the bit, with weight decay too; within it everything moves."""
    optimizer = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1}
    bench = make_bench(changes("mixed", **{"training.optimizer": optimizer}))
    wanted = settings.read(bench.config, bench.plan)
    for partition, rank in enumerate(MIXED):
        kind = strategy_of(wanted)
        sent = kind.outgoing(drawn(bench), None, partition)
        trained, _ = worker.train(wanted, partition, round_number=1, learning_rate=0.01, received=sent)
        for name, array in trained.items():
            along = array if "lora_A" in name else array.T
            assert not along[rank:].any(), name
            assert along[:rank].any(axis=1).all(), name


@pytest.mark.parametrize("kind", ["ffa-lora", "flora", "mixed"])
def test_validation_is_of_the_adapter_that_is_scored(make_bench: MakeBench, kind: str) -> None:
    """The last round's loss is that of the finished adapter as peft loads it; it goes down from round to round."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    bench = make_bench(changes(kind, **{"training.local_steps": 8}))
    bench.plan.spec["data"]["validation"] = {"fraction": 0.2, "min_rows": 4}
    bench.plan.pins["partition"]["validation"] = bench.world.store.put_partition([list(range(10))])
    bench.play()
    losses = [body["validation_loss"] for body in rounds(bench)]
    assert losses == sorted(losses, reverse=True)
    found = worker.find_worker(settings.read(bench.config, bench.plan))
    base = AutoModelForCausalLM.from_pretrained(str(bench.world.model_folder), local_files_only=True)
    loaded = PeftModel.from_pretrained(base, str(bench.run_dir / "adapter"))
    assert abs(validation.loss(loaded, found.validation, objective.find_objective(bench.plan.spec)) - losses[-1]) < 1e-5


@pytest.mark.parametrize("kind", ["ffa-lora", "flora", "mixed"])
def test_a_reference_run_trains_the_plain_adapter(make_bench: MakeBench, kind: str) -> None:
    bench = make_bench(changes(kind))
    plain = make_bench({"adapter.rank": RANK, "adapter.alpha": 6}, name="plain")
    for one in (bench, plain):
        one.play(grid=InlineGrid(app, {**one.config, "reference": "centralised"}, 1), reference="centralised")
    assert {n: a.shape for n, a in final(bench).items()} == {n: a.shape for n, a in drawn(bench).items()}
    assert all((final(plain)[name] == array).all() for name, array in final(bench).items())
    assert json.loads((bench.run_dir / "adapter" / "adapter_config.json").read_text())["r"] == RANK


def test_communication_that_would_run_out_is_not_begun(make_bench: MakeBench) -> None:
    """FLoRA sends more each round: the budget is held against what the round would send, not against the last one."""
    bench = make_bench(changes("flora"))
    size = 4 * parameters(bench, RANK)
    enough = sum(2 * (2 * number * size + size) for number in range(3))
    for spare, last in ((0, "finished"), (-1, "stopped")):
        bench = make_bench(changes("flora", **{"budget.communication_mib": (enough + spare) / 2**20}), name=str(spare))
        if spare:
            with pytest.raises(AppError, match="round 3"):
                bench.play()
        else:
            bench.play()
        assert bench.ledger[-1]["event"] == last


def test_the_parameter_budget_is_held_against_what_a_client_trains(make_bench: MakeBench) -> None:
    probe = make_bench(changes("ffa-lora"), name="probe")
    half = parameters(probe, RANK, "B")
    make_bench(changes("ffa-lora", **{"budget.trainable_parameters": half}), name="half").play()
    # The reference that this is compared with trains the plain adapter, whole, and is no entry.
    reference = make_bench(changes("ffa-lora", **{"budget.trainable_parameters": half}), name="reference")
    reference.play(grid=InlineGrid(app, {**reference.config, "reference": "centralised"}, 1), reference="centralised")
    with pytest.raises(AppError, match="trainable parameters"):
        make_bench({"adapter.rank": RANK, "budget.trainable_parameters": half}, name="whole").play()


RANKS_KNOBS = {
    "strategy.kind": {"choices": ["fedavg", "flexlora"]},
    "adapter.client_ranks": {"choices": [None, [4, 1, 2], [8, 2, 2]]},
}


@pytest.mark.parametrize("default", [None, MIXED])
def test_ranks_travel_as_text(make_bench: MakeBench, default: list[int] | None) -> None:
    bench = make_bench(
        {"knobs": RANKS_KNOBS, "adapter.rank": RANK, "strategy.kind": "flexlora", "adapter.client_ranks": default}
    )
    assert settings.read(bench.config, bench.plan).adapter.get("client_ranks") == default
    for text, found in (("null", None), ("[4,1,2]", [4, 1, 2])):
        read = settings.read({**bench.config, "adapter.client_ranks": text}, bench.plan)
        assert read.adapter.get("client_ranks") == read.knobs["adapter.client_ranks"] == found
    for config, message in (
        ({"adapter.client_ranks": "[4,2,2]"}, "not allowed"),
        ({"adapter.client_ranks": "[8,2,2]"}, "has 8, and adapter.rank is 4"),
        ({"adapter.client_ranks": "[4,1,2]", "strategy.kind": "fedavg"}, "must be null"),
    ):
        with pytest.raises(AppError, match=message):
            settings.read({**bench.config, **config}, bench.plan)
