"""DPO in whole runs of the app: micro-batches, resume, the cached reference, validation, adapters of both kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch

from ftbench.app import client_rows, initial, model, settings, worker
from ftbench.app.errors import AppError
from ftbench.app.objective import dpo
from ftbench.app.objective.likelihood import log_probabilities
from ftbench.run.engines.inline_grid import InlineGrid

MakeBench = Callable[..., Any]
DPO = {
    "objective": {"kind": "dpo", "beta": 0.5, "loss": "sigmoid"},
    "data.rejected": " it {answer}",
    "data.loss_reduction": "example-mean",
}


def ready(bench: Any, **more: Any) -> tuple[settings.Settings, Any]:
    wanted = settings.read({**bench.config, **more}, bench.plan)
    return wanted, initial.arrays(bench.world.model_folder, bench.plan.spec, 1)


def test_the_micro_batch_changes_nothing(make_bench: MakeBench) -> None:
    bench = make_bench(DPO)
    ends = []
    for size in (0, 1, 3):
        wanted, start = ready(bench, **{"micro-batch": size})
        arrays, outcome = worker.train(wanted, 0, 1, 0.01, start)
        ends.append((arrays, outcome.loss))
    for arrays, loss in ends[1:]:
        assert loss == pytest.approx(ends[0][1], rel=1e-5)
        for name, array in arrays.items():
            assert numpy.abs(array - ends[0][0][name]).max() < 1e-4, "Adam's first steps follow signs"


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_the_reference_is_the_base_model(make_bench: MakeBench, kind: str) -> None:
    """Whatever the adapter is set to when the pairs are made: here a client's that has trained."""
    from transformers import AutoModelForCausalLM

    bench = make_bench({**DPO, "adapter.kind": kind})
    wanted, start = ready(bench)
    found = worker.find_worker(wanted)
    moved = {name: array + 0.1 for name, array in start.items()}
    model.set_arrays(found.net, moved)
    trained_before = {name: p.requires_grad for name, p in found.net.named_parameters()}
    pairs = worker.examples_of(found, wanted, 1)
    base = AutoModelForCausalLM.from_pretrained(bench.world.model_folder).eval()
    for pair in pairs:
        with torch.no_grad():
            told = log_probabilities(base, [pair.chosen]), log_probabilities(base, [pair.rejected])
        assert pair.reference == pytest.approx([one.item() for one in told], abs=1e-4)
    assert {name: p.requires_grad for name, p in found.net.named_parameters()} == trained_before
    assert all((array == moved[name]).all() for name, array in model.get_arrays(found.net).items())
    with torch.no_grad():
        assert not torch.allclose(
            log_probabilities(found.net, [pairs[0].chosen]), torch.tensor([pairs[0].reference[0]])
        )


def test_the_first_loss_is_log_two_and_falls(make_bench: MakeBench) -> None:
    bench = make_bench({**DPO, "training.local_steps": 1, "training.batch_size": 8})
    wanted, start = ready(bench)
    first, outcome = worker.train(wanted, 0, 1, 0.01, start)
    assert outcome.loss == pytest.approx(math.log(2), abs=1e-5), "the adapter begins at the reference"
    _, outcome = worker.train(wanted, 0, 2, 0.01, first)
    assert outcome.loss < math.log(2) - 1e-4


def test_the_reference_is_computed_once(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench({**DPO, "federation.sampling": {"fraction": 1.0}})
    real, asked = dpo.referred, []

    def counted(net: Any, pairs: Any) -> Any:
        asked.append(len(pairs))
        return real(net, pairs)

    monkeypatch.setattr(dpo, "referred", counted)
    bench.play()
    assert sorted(asked) == sorted(client_rows.sizes(settings.read(bench.config, bench.plan)))


class Killed(Exception):
    """Stands for a kill."""


class DiesInRound(InlineGrid):
    """Dies when the second round is asked for."""

    def push_messages(self, messages: Any) -> Any:
        listed = list(messages)
        if any("config" in m.content and m.content["config"].get("round") == 2 for m in listed):
            raise Killed
        return super().push_messages(listed)


def test_a_resumed_run_ends_at_the_same_adapter(make_bench: MakeBench) -> None:
    whole = make_bench(DPO, name="whole")
    whole.play()
    worker._workers.clear()
    cut = make_bench(DPO, name="cut")
    with pytest.raises(Killed):
        cut.play(DiesInRound)
    worker._workers.clear()
    cut.play(resume=True)
    assert cut.ledger[-1]["adapter"] == whole.ledger[-1]["adapter"]
    assert [body for body in cut.ledger if body["event"] == "round"] == whole.ledger[1:4]


def test_the_objective_and_its_beta_change_the_run(make_bench: MakeBench) -> None:
    ends = set()
    for number, change in enumerate(
        (
            {},
            DPO,
            {**DPO, "objective": {"kind": "dpo", "beta": 0.1, "loss": "sigmoid"}},
            {"data.loss_reduction": "example-mean"},
        )
    ):
        bench = make_bench(change, name=f"run{number}")
        bench.play()
        ends.add(bench.ledger[-1]["adapter"])
    assert len(ends) == 4


def test_the_validation_loss_is_the_same_loss(make_bench: MakeBench) -> None:
    bench = make_bench({**DPO, "data.validation": {"fraction": 0.1, "min_rows": 3}})
    store = bench.world.store
    bench.plan.pins["partition"].update(validation=store.put_partition([[21, 19, 20]]), validation_rows=3)
    worker._checked[bench.plan.spec_hash] = bench.plan
    bench.config["spec-hash"] = bench.plan.spec_hash
    wanted, start = ready(bench)
    assert worker.validation_loss(wanted, start) == pytest.approx(math.log(2), abs=1e-5)
    moved = {name: array + 0.05 for name, array in start.items()}
    told = worker.validation_loss(wanted, moved)
    found = worker.find_worker(wanted)
    found.net.eval()
    margins = []
    for pair in found.validation or []:
        with torch.no_grad():
            logs = [log_probabilities(found.net, [one]).item() for one in (pair.chosen, pair.rejected)]
        margins.append(0.5 * (logs[0] - pair.reference[0] - logs[1] + pair.reference[1]))
    assert len(margins) == 3
    assert told == pytest.approx(numpy.logaddexp(0, -numpy.array(margins)).mean(), abs=1e-5)


def test_a_partition_of_equal_answers_is_an_error(make_bench: MakeBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench = make_bench({**DPO, "data.rejected": " {answer}"})
    wanted, start = ready(bench)
    with pytest.raises(AppError, match="none of the 8 rows of partition 0 can be learnt from: 8 two equal answers"):
        worker.train(wanted, 0, 1, 0.01, start)
    assert "8 of 8 rows left out: two equal answers" in capsys.readouterr().out


def test_the_log_tells_the_rewards(make_bench: MakeBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench = make_bench(DPO)
    wanted, start = ready(bench)
    worker.train(wanted, 2, 1, 0.01, start)
    assert "round 1, client 2: reward accuracy" in capsys.readouterr().out
