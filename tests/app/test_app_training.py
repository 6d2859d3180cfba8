"""The client's loop: micro-batches, padding and reductions against plain formulas."""

from __future__ import annotations

import copy
import itertools
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from ftbench.app import objective, passes, schedule, training
from ftbench.app.errors import AppError
from ftbench.app.tokens import IGNORED, Example


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    """A random Llama in double precision, so that equal sums in another order agree to many digits."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=30,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    return LlamaForCausalLM(config).double()


@pytest.fixture
def batch() -> list[Example]:
    """Prompts of 1 to 8 tokens and completions of 1 to 6, so that token counts are uneven."""
    generator = torch.Generator().manual_seed(5)
    examples = []
    for prompt, completion in [(1, 6), (8, 1), (3, 3), (5, 1), (2, 4), (7, 2), (4, 5)]:
        ids = torch.randint(1, 30, (prompt + completion,), generator=generator).tolist()
        examples.append(Example(ids, [IGNORED] * prompt + ids[prompt:]))
    return examples


def sft(reduction: str) -> objective.Objective:
    data = {"loss_reduction": reduction}
    return objective.find_objective({"objective": {"kind": "sft"}, "data": data, "training": {"sequence_length": 32}})


def gradients(model: torch.nn.Module, batch: list[Example], micro: int, reduction: str) -> tuple[float, list[Any]]:
    model.zero_grad(set_to_none=True)
    loss = accumulated(model, batch, micro, sft(reduction))
    return loss, [parameter.grad.clone() for parameter in model.parameters()]


def accumulated(model: torch.nn.Module, batch: list[Example], micro: int, wanted: objective.Objective) -> float:
    made = [passes.once(model, wanted, *one)[0].item() for one in passes.parts(batch, micro, wanted)]
    return math.fsum(made)


def one_by_one(model: torch.nn.Module, batch: list[Example], reduction: str) -> torch.Tensor:
    """The objective as one would write it down: no padding, no batching."""
    sums = []
    for example in batch:
        logits = model(input_ids=torch.tensor([example.ids])).logits[0, :-1]
        labels = torch.tensor(example.labels[1:])
        sums.append((cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum"), int((labels >= 0).sum())))
    if reduction == "token-mean":
        return sum(s for s, _ in sums) / sum(n for _, n in sums)
    return sum(s / n for s, n in sums) / len(sums)


@pytest.mark.parametrize("reduction", ["token-mean", "example-mean"])
@pytest.mark.parametrize("micro", [0, 1, 2, 3, 7, 50])
def test_any_micro_batch_gives_the_gradient_of_the_whole_batch(
    model: torch.nn.Module, batch: list[Example], micro: int, reduction: str
) -> None:
    loss, found = gradients(model, batch, micro, reduction)
    model.zero_grad(set_to_none=True)
    expected = one_by_one(model, batch, reduction)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for gradient, parameter in zip(found, model.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-9, atol=1e-12)


def test_the_reductions_differ_where_token_counts_are_uneven(model: torch.nn.Module, batch: list[Example]) -> None:
    losses = [accumulated(model, batch, 0, sft(reduction)) for reduction in ("token-mean", "example-mean")]
    assert abs(losses[0] - losses[1]) > 1e-3


def recipe(**changes: Any) -> training.Recipe:
    optimizer = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1}
    values: dict[str, Any] = {
        "learning_rate": 1e-2,
        "optimizer": optimizer,
        "steps": 4,
        "batch_size": 5,
        "micro_batch": 0,
        "objective": sft("token-mean"),
        "max_grad_norm": 0.5,
    }
    return training.Recipe(**{**values, **changes})


@pytest.mark.parametrize("reduction", ["token-mean", "example-mean"])
def test_updates_do_not_depend_on_the_micro_batch(model: torch.nn.Module, batch: list[Example], reduction: str) -> None:
    ends = []
    for micro in (0, 2):
        net = copy.deepcopy(model)
        order = itertools.cycle(range(len(batch)))
        loss = training.train(net, batch, order, recipe(micro_batch=micro, objective=sft(reduction))).loss
        ends.append((loss, [parameter.detach() for parameter in net.parameters()]))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-9)
    for one, other in zip(ends[0][1], ends[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_steps_equal_a_loop_written_apart(model: torch.nn.Module, batch: list[Example]) -> None:
    ours, theirs = copy.deepcopy(model), copy.deepcopy(model)
    loss = training.train(ours, batch, itertools.cycle(range(len(batch))), recipe()).loss
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1)
    losses, positions = [], itertools.cycle(range(len(batch)))
    for _ in range(4):
        optimizer.zero_grad()
        objective = one_by_one(theirs, [batch[next(positions)] for _ in range(5)], "token-mean")
        objective.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        optimizer.step()
        losses.append(objective.item())
    assert loss == pytest.approx(sum(losses) / 4, rel=1e-9)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_equals_a_loop_written_apart(model: torch.nn.Module, batch: list[Example], momentum: float) -> None:
    """v ← momentum · v + gradient + decay · w, w ← w − rate · v; no state is left from a round to the next."""
    ours, theirs = copy.deepcopy(model), copy.deepcopy(model)
    block = {"kind": "sgd", "momentum": momentum, "weight_decay": 0.1}
    velocity = [torch.zeros_like(parameter) for parameter in theirs.parameters()]
    positions = itertools.cycle(range(len(batch)))
    for _ in range(2):
        training.train(ours, batch, positions, recipe(optimizer=block, max_grad_norm=None, steps=2))
    positions = itertools.cycle(range(len(batch)))
    for step in range(4):
        theirs.zero_grad()
        one_by_one(theirs, [batch[next(positions)] for _ in range(5)], "token-mean").backward()
        with torch.no_grad():
            for parameter, v in zip(theirs.parameters(), velocity, strict=True):
                v.mul_(0 if step % 2 == 0 else momentum).add_(parameter.grad + 0.1 * parameter)
                parameter.sub_(1e-2 * v)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_no_gradient_outlives_a_round(model: torch.nn.Module, batch: list[Example]) -> None:
    net = copy.deepcopy(model)
    training.train(net, batch, itertools.cycle(range(7)), recipe(steps=1))
    assert all(parameter.grad is None for parameter in net.parameters())


class Greedy(torch.nn.Module):
    """Has less memory than it needs."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.error = error

    def forward(self, **_: Any) -> Any:
        raise self.error()


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory"),
        lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
        MemoryError,
    ],
)
def test_out_of_memory_names_the_next_setting(batch: list[Example], error: Callable[[], Exception]) -> None:
    with pytest.raises(AppError) as caught:
        training.train(Greedy(error), batch, itertools.cycle(range(7)), recipe(batch_size=16))
    assert caught.value.code == "FTB554"
    assert "`micro-batch` to 8" in caught.value.hint
    with pytest.raises(AppError) as caught:
        training.train(Greedy(error), batch, itertools.cycle(range(7)), recipe(micro_batch=1))
    assert "adapter.rank" in caught.value.hint


def test_other_runtime_errors_stay_what_they_are(batch: list[Example]) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        training.train(Greedy(lambda: RuntimeError("broken")), batch, itertools.cycle(range(7)), recipe())


# --- what participants choose -----------------------------------------------------------------------------------------


def test_a_line_inside_the_round_equals_transformers_schedule(model: torch.nn.Module, batch: list[Example]) -> None:
    from transformers import get_linear_schedule_with_warmup

    ours, theirs = copy.deepcopy(model), copy.deepcopy(model)
    factors = schedule.factors({"within_round": "linear", "warmup_steps": 2}, 6)
    training.train(ours, batch, itertools.cycle(range(7)), recipe(steps=6, factors=factors))
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1)
    scheduler = get_linear_schedule_with_warmup(optimizer, 2, 6)
    positions = itertools.cycle(range(7))
    for _ in range(6):
        optimizer.zero_grad()
        one_by_one(theirs, [batch[next(positions)] for _ in range(5)], "token-mean").backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def wide(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight of 8,192 numbers and one of 16 after 5 steps of AdamW."""
    torch.manual_seed(1)
    large, small = (torch.nn.Parameter(torch.randn(shape)) for shape in ((64, 128), (16,)))
    settings = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0, "moments": kind}
    optimizer = training.optimizer_of([large, small], recipe(optimizer=settings))
    for _ in range(5):
        optimizer.zero_grad()
        ((large**2).sum() + (large.sin() ** 2).sum() + (small**2).sum()).backward()
        optimizer.step()
    return large.detach(), small.detach()


def test_moments_of_8_bits_are_near_and_repeat() -> None:
    plain, coarse, again = wide("float32"), wide("paged-8bit"), wide("paged-8bit")
    assert torch.equal(coarse[0], again[0]) and torch.equal(coarse[1], again[1])
    assert not torch.equal(plain[0], coarse[0])
    torch.testing.assert_close(plain[0], coarse[0], atol=0.02, rtol=0)
    torch.testing.assert_close(plain[1], coarse[1], atol=1e-5, rtol=0)  # below 4,096 numbers: float32


def test_8_bits_without_bitsandbytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(AppError, match=r"FTB555.*training\.optimizer\.moments"):
        wide("paged-8bit")


def test_unknown_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="moments"):
        wide("4bit")
