"""Whole runs in this process: what is recorded, what is limited, and that it repeats."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from ftbench.app import arrays, seeding, settings, state
from ftbench.app.errors import AppError
from ftbench.result.documents import LedgerLine

MakeBench = Callable[..., Any]


def adapter_of(bench: Any) -> str:
    return str(bench.ledger[-1]["adapter"])


def test_a_run_writes_a_whole_ledger(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.play()
    assert [body["event"] for body in bench.ledger] == ["started", "round", "round", "round", "finished"]
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)
    started, *rounds, finished = bench.ledger
    size = started["trainable_parameters"] * 4
    for number, body in enumerate(rounds, 1):
        assert body["sampled"] == seeding.choose_clients(1, number, 3, 0.67)
        assert [reply["partition"] for reply in body["replies"]] == body["sampled"]
        assert [reply["examples"] for reply in body["replies"]] == [[8, 7, 7][p] for p in body["sampled"]]
        assert body["bytes_down"] == body["bytes_up"] == 2 * size
        assert state.path_of(bench.run_dir, body["adapter"]).exists()
    assert finished["bytes_down"] == 3 * 2 * size
    assert finished["adapter"] == rounds[-1]["adapter"]
    assert len({body["adapter"] for body in rounds} | {started["adapter"]}) == 4
    measured = [json.loads(line) for line in (bench.run_dir / "measurements.jsonl").read_text().splitlines()]
    assert [line["round"] for line in measured] == [1, 2, 3]
    assert all(line["clients"].keys() == {"growth_bytes", "micro_batch"} for line in measured), "on a CPU"


LENGTHS = [7 + i % 3 + i % 2 for i in range(22)]
"""Tokens of the world's rows, special ones included."""


def used_by(bench: Any, longest: int) -> list[int]:
    """Rows of each client that are no longer than that."""
    lists = bench.world.store.partition(bench.plan.pins["partition"]["digest"])
    return [sum(LENGTHS[number] <= longest for number in share) for share in lists]


@pytest.mark.parametrize(
    ("more", "metric"),
    [
        ({}, "num-examples"),
        ({"federation.weigh_by": "rows-held"}, "num-examples"),
        ({"federation.weigh_by": "rows-used"}, "num-used"),
    ],
)
def test_the_mean_is_of_the_replies(make_bench: MakeBench, more: dict[str, Any], metric: str) -> None:
    """The aggregate recomputed from what the clients sent; a client counts by rows held or used, as the spec says."""
    bench = make_bench({"federation.rounds": 1, "training.sequence_length": 9, **more})
    sent = []

    class Listening(type(bench.grid())):  # type: ignore[misc]
        def deliver(self, message: Any) -> Any:
            reply = super().deliver(message)
            if message.metadata.message_type == "train":
                sent.append((reply.content["metrics"][metric], arrays.from_record(reply.content["adapter"])))
            return reply

    bench.play(Listening)
    body = bench.ledger[1]
    adapter = bench.plan.spec["adapter"]
    assert [arrays.digest(adapter, a) for _, a in sent] == [reply["update"] for reply in body["replies"]]
    held, used = [8, 7, 7], used_by(bench, 9)
    assert used != held
    due = used if metric == "num-used" else held
    assert [weight for weight, _ in sent] == [due[k] for k in body["sampled"]]
    result = state.get(bench.run_dir, adapter, body["adapter"])
    for name, array in result.items():
        expected = numpy.average([a[name] for _, a in sent], axis=0, weights=[w for w, _ in sent])
        numpy.testing.assert_allclose(array, expected, atol=1e-6)


def test_rows_that_teach_nothing_are_told(make_bench: MakeBench, capsys: pytest.CaptureFixture[str]) -> None:
    """The case: of each client's rows a part is too long; ledger and log say how many are used, and which are not."""
    bench = make_bench({"federation.rounds": 2, "training.sequence_length": 9})
    bench.play()
    used = used_by(bench, 9)
    for body in bench.ledger[1:3]:
        assert [reply["examples"] for reply in body["replies"]] == [[8, 7, 7][k] for k in body["sampled"]]
        assert [reply["used"] for reply in body["replies"]] == [used[k] for k in body["sampled"]]
    log = capsys.readouterr().out
    for client in {k for body in bench.ledger[1:3] for k in body["sampled"]}:
        if used[client] == [8, 7, 7][client]:
            continue
        left = [8, 7, 7][client] - used[client]
        text = (
            f"client {client}: {left} of {[8, 7, 7][client]} rows left out: longer than training.sequence_length (row"
        )
        assert log.count(text) == 1, "said once, not in every round"
    sums = [
        (sum(used[k] for k in body["sampled"]), sum([8, 7, 7][k] for k in body["sampled"]))
        for body in bench.ledger[1:3]
    ]
    assert [f"{some} of {all_} rows used" in log for some, all_ in sums] == [some < all_ for some, all_ in sums]
    assert any(some < all_ for some, all_ in sums)
    assert "tokens learnt in" in log


def test_truncation_uses_every_row(make_bench: MakeBench) -> None:
    bench = make_bench({"federation.rounds": 1, "training.sequence_length": 6, "data.over_length": "truncate"})
    bench.play()
    assert all(reply["used"] == reply["examples"] for reply in bench.ledger[1]["replies"])


def test_equal_conditions_equal_ledger(make_bench: MakeBench) -> None:
    runs = []
    for name in ("one", "two"):
        bench = make_bench(name=name)
        bench.play()
        runs.append((bench.run_dir / "ledger.jsonl").read_bytes())
    assert runs[0] == runs[1]


def test_seeds_and_knobs_change_the_result(make_bench: MakeBench) -> None:
    results = set()
    for name, more in [("a", {}), ("b", {"seed": 2}), ("c", {"adapter.rank": 3})]:
        bench = make_bench({"federation.rounds": 1}, name=name)
        bench.play(**more)
        results.add(adapter_of(bench))
    assert len(results) == 3


def test_micro_batch_changes_rounding_only(make_bench: MakeBench) -> None:
    found = []
    for micro in (0, 3):
        bench = make_bench({"federation.rounds": 1}, name=f"micro{micro}")
        bench.play(**{"micro-batch": micro})
        found.append(state.get(bench.run_dir, bench.plan.spec["adapter"], adapter_of(bench)))
    for name in found[0]:
        numpy.testing.assert_allclose(found[0][name], found[1][name], atol=1e-4)


def test_smoke_is_one_round_of_two_steps(make_bench: MakeBench) -> None:
    bench = make_bench({"training.local_steps": 5})
    bench.play(smoke=True)
    started, body, finished = bench.ledger
    assert started["rounds"] == finished["rounds"] == 1
    assert {reply["steps"] for reply in body["replies"]} == {2}


def test_a_round_beyond_the_budget_does_not_start(make_bench: MakeBench) -> None:
    probe = make_bench({"federation.rounds": 1}, name="probe")
    probe.play()
    per_round = probe.ledger[1]["bytes_down"] + probe.ledger[1]["bytes_up"]
    bench = make_bench({"budget.communication_mib": 2.5 * per_round / 2**20})
    with pytest.raises(AppError) as caught:
        bench.play()
    assert caught.value.code == "FTB552"
    assert [body["event"] for body in bench.ledger] == ["started", "round", "round", "stopped"]
    assert bench.ledger[-1]["reason"] == "communication-budget"
    assert bench.ledger[-1]["round"] == 3
    exact = make_bench({"budget.communication_mib": 3 * per_round / 2**20}, name="exact")
    exact.play()
    assert exact.ledger[-1]["event"] == "finished"


def test_too_many_parameters_stop_the_run_before_its_first_round(make_bench: MakeBench) -> None:
    bench = make_bench({"budget.trainable_parameters": 10})
    with pytest.raises(AppError) as caught:
        bench.play()
    assert caught.value.code == "FTB553"
    assert [body["event"] for body in bench.ledger] == ["started", "stopped"]
    LedgerLine.model_validate_json((bench.run_dir / "ledger.jsonl").read_text().splitlines()[-1])


def test_too_large_a_base_model_is_refused(make_bench: MakeBench) -> None:
    with pytest.raises(AppError, match="the benchmark allows 10") as caught:
        make_bench({"model.max_parameters": 10}).play()
    assert caught.value.code == "FTB547"


def test_targets_that_the_model_lacks_are_refused(make_bench: MakeBench) -> None:
    with pytest.raises(AppError, match="does not fit"):
        make_bench({"adapter.targets": ["no_such_module"]}).play()


def test_a_folder_with_a_run_is_not_overwritten(make_bench: MakeBench) -> None:
    bench = make_bench({"federation.rounds": 1})
    bench.play()
    before = (bench.run_dir / "ledger.jsonl").read_bytes()
    with pytest.raises(AppError, match="already holds a run"):
        bench.play()
    assert (bench.run_dir / "ledger.jsonl").read_bytes() == before


def test_missing_data_is_named_with_its_source(make_bench: MakeBench, tmp_path: Any) -> None:
    bench = make_bench()
    shelf = tmp_path / "other-store"
    (shelf / "models").mkdir(parents=True)
    (shelf / "models" / bench.world.model).symlink_to(bench.world.store.model_path(bench.world.model))
    with pytest.raises(AppError) as caught:
        bench.play(store=str(shelf))
    assert caught.value.code == "FTB546"
    assert "builtin tiny train" in caught.value.message
    assert "ftbench lock" in str(caught.value)


def test_entry_digest_is_the_runner_s(make_bench: MakeBench) -> None:
    from ftbench.spec.entries import entry_digest
    from ftbench.spec.entry import EntryMetadata, ResolvedEntry
    from ftbench.spec.model import BaseModelRef

    bench = make_bench()
    found = settings.read({**bench.config, "adapter.rank": 4}, bench.plan)
    resolved = ResolvedEntry(
        metadata=EntryMetadata(name="x"),
        model=BaseModelRef(name="builtin/tiny", revision=bench.world.model),
        seed=1,
        knobs={"adapter.rank": 4},
    )
    assert found.entry_digest == entry_digest(resolved)
