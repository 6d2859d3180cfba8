"""The validation cut: scored each round by the server, and the round that it chooses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch

from ftbench.app import initial, model, rounds, settings, validation, worker
from ftbench.app.errors import AppError
from ftbench.app.objective.sft import Objective
from ftbench.app.tokens import Example

MakeBench = Callable[..., Any]
CUT = {"data.validation": {"fraction": 0.1, "min_rows": 3}, "evaluation.checkpoint": "best-validation"}


@pytest.fixture
def cut(make_bench: MakeBench) -> Callable[..., Any]:
    """A bench whose rows 19, 20, 21 nobody trains on."""

    def make(changes: dict[str, Any] | None = None, name: str = "run") -> Any:
        bench = make_bench({**CUT, **(changes or {})}, name=name)
        store = bench.world.store
        shares = [list(range(19))[k::3] for k in range(3)]
        bench.plan.pins["partition"].update(
            digest=store.put_partition(shares),
            sizes=[len(share) for share in shares],
            validation=store.put_partition([[21, 19, 20]]),
            validation_rows=3,
        )
        found = bench.plan.spec_hash
        worker._checked[found] = bench.plan
        bench.config["spec-hash"] = found
        return bench

    return make


def test_the_loss_is_the_mean_over_completion_tokens(cut: Callable[..., Any]) -> None:
    bench = cut()
    wanted = settings.read(bench.config, bench.plan)
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    told = worker.validation_loss(wanted, start)
    found = worker.find_worker(wanted)
    model.set_arrays(found.net, start)
    found.net.eval()
    total, count = 0.0, 0
    for example in found.validation or []:
        with torch.no_grad():
            logits = found.net(input_ids=torch.tensor([example.ids])).logits[0].double().log_softmax(-1)
        for position, label in enumerate(example.labels[1:]):
            if label >= 0:
                total -= logits[position, label].item()
                count += 1
    assert len(found.validation or []) == 3
    assert told == pytest.approx(total / count, rel=1e-6)


def test_the_loss_does_not_see_dropout_or_the_micro_batch(cut: Callable[..., Any]) -> None:
    bench = cut({"adapter.dropout": 0.5})
    start = {
        name: numpy.full_like(array, 0.1)
        for name, array in initial.arrays(bench.world.model_folder, bench.plan.spec, 1).items()
    }
    told = {
        worker.validation_loss(settings.read({**bench.config, "micro-batch": size}, bench.plan), start)
        for size in (0, 1, 2)
    }
    assert len(told) == 1


def test_each_round_has_its_loss_and_the_best_is_kept(cut: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    bench = cut()
    bench.play()
    losses = [body["validation_loss"] for body in bench.ledger if body["event"] == "round"]
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    assert bench.ledger[-1]["round"] == 1 + losses.index(min(losses))
    again = cut(name="again")
    again.play()
    assert again.ledger == bench.ledger


@pytest.mark.parametrize(
    ("losses", "best"), [([3.0, 1.0, 2.0], 2), ([1.0, 1.0, 1.0], 1), ([3.0, 2.0, 2.0], 2), ([3.0, 2.0, 1.0], 3)]
)
def test_the_earliest_of_the_lowest_is_chosen(
    cut: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, losses: list[float], best: int
) -> None:
    given = iter(losses)
    monkeypatch.setattr(rounds.worker, "validation_loss", lambda *_: next(given))
    bench = cut()
    bench.play()
    chosen = bench.ledger[best]
    assert bench.ledger[-1]["round"] == best
    assert bench.ledger[-1]["adapter"] == chosen["adapter"]
    files = {path.name: path.read_bytes() for path in (bench.run_dir / "adapter").iterdir()}
    assert (
        files["adapter_model.safetensors"]
        == (bench.run_dir / "state" / f"{chosen['adapter']}.safetensors").read_bytes()
    )
    (bench.run_dir / "adapter" / "adapter_model.safetensors").unlink()
    bench.play(resume=True)  # a finished run writes the same adapter again
    assert files == {path.name: path.read_bytes() for path in (bench.run_dir / "adapter").iterdir()}


def test_without_a_choice_the_last_round_is_scored(cut: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(rounds.worker, "validation_loss", lambda *_: next(given))
    bench = cut({"evaluation.checkpoint": "last"})
    bench.play()
    assert bench.ledger[-1]["round"] == 3
    assert bench.ledger[-1]["adapter"] == bench.ledger[3]["adapter"]


def test_a_run_without_a_cut_has_no_loss(make_bench: MakeBench) -> None:
    bench = make_bench({"federation.rounds": 1})
    bench.play()
    assert bench.ledger[1]["validation_loss"] is None
    assert bench.ledger[-1]["round"] == 1


def test_a_cut_without_a_usable_row_is_an_error(cut: Callable[..., Any]) -> None:
    bench = cut({"training.sequence_length": 3})
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    with pytest.raises(AppError, match="validation cut"):
        worker.validation_loss(settings.read(bench.config, bench.plan), start)


def test_a_loss_that_is_not_finite_is_an_error(cut: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    objective = Objective({"data": {"loss_reduction": "token-mean"}, "training": {"sequence_length": 8}})
    monkeypatch.setattr(objective, "compute", lambda *_: (torch.tensor(float("nan")), None))
    with pytest.raises(AppError, match="not finite"):
        validation.loss(torch.nn.Linear(1, 1), [Example([1, 2], [-100, 2])], objective)


# --- micro-batch auto -------------------------------------------------------------------------------------------------


def test_auto_halves_until_it_fits(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome is that of the micro-batch that fitted, and later rounds begin with it."""
    bench = make_bench({"adapter.dropout": 0.2})
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    one, _ = worker.train(settings.read({**bench.config, "micro-batch": 1}, bench.plan), 0, 1, 0.01, start)
    real, tried = Objective.compute, []

    def small(self: Any, net: Any, tensors: Any) -> Any:
        tried.append(len(tensors["ids"]))
        if len(tensors["ids"]) > 1:
            raise torch.OutOfMemoryError
        return real(self, net, tensors)

    monkeypatch.setattr(Objective, "compute", small)
    wanted = settings.read({**bench.config, "micro-batch": settings.AUTO}, bench.plan)
    found, _ = worker.train(wanted, 0, 1, 0.01, start)
    assert all((found[name] == one[name]).all() for name in one)
    assert tried[:3] == [4, 2, 1]
    tried.clear()
    worker.train(wanted, 1, 2, 0.01, start)
    assert set(tried) == {1}


def test_auto_gives_up_at_one(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench()
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)

    def never(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Objective, "compute", never)
    for size, hint in ((settings.AUTO, "smallest micro-batch"), (0, "to 2"), (4, "to 2")):
        with pytest.raises(AppError, match="out of memory") as caught:
            worker.train(settings.read({**bench.config, "micro-batch": size}, bench.plan), 0, 1, 0.01, start)
        assert hint in caught.value.hint
