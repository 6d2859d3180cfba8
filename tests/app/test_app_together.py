"""Clients together against the same clients one after another: each ends at its own adapter, loss and mean gradient."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch
from test_app_layers import net

from ftbench.app import batches, model, objective, prepared, seeding, together, together_steps, training
from ftbench.app.arrays import Arrays
from ftbench.app.errors import AppError
from ftbench.app.objective.dpo import Pair
from ftbench.app.tokens import IGNORED, Example

ADAMW = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-4, "weight_decay": 0.01}
SGD = {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.0}
FIELDS = {"data": {"loss_reduction": "token-mean"}, "training": {"sequence_length": 40}}


def examples(client: int, kind: str) -> list[Any]:
    """Of lengths that differ from client to client."""
    generator = torch.Generator().manual_seed(client)
    found = []
    for number in range(7):
        prompt, answer = 1 + (3 * number + 5 * client) % 11, 1 + (number + client) % 6
        ids = torch.randint(3, 60, (prompt + answer,), generator=generator).tolist()
        found.append(Example(ids, [IGNORED] * prompt + ids[prompt:]))
    if kind == "sft":
        return found
    return [Pair(one, other, (-1.0, -2.0)) for one, other in zip(found, reversed(found), strict=True)]


def asked(start: Arrays, client: int, kind: str = "sft", **changes: Any) -> together_steps.Client:
    block = {"objective": {"kind": kind, "beta": 0.3, "loss": "sigmoid"}, **FIELDS}
    values: dict[str, Any] = {"learning_rate": 3e-3, "optimizer": ADAMW, "steps": 3, "batch_size": 4, "micro_batch": 0}
    values |= {"objective": objective.find_objective(block), "max_grad_norm": 0.5, **changes}
    begin = {name: array + numpy.float32(0.01 * client) for name, array in start.items()}
    made = examples(client, kind)
    return together_steps.Client(begin, made, batches.order(len(made), client), training.Recipe(**values), client)


def alone(made: torch.nn.Module, client: together_steps.Client) -> tuple[Arrays, training.Outcome]:
    model.set_arrays(made, client.begin)
    seeding.seed_everything(client.seed)
    outcome = training.train(made, client.examples, client.order, client.recipe)
    return model.get_arrays(made), outcome


def vector(arrays: Arrays) -> Any:
    return numpy.concatenate([array.ravel() for array in arrays.values()])


def compare(made: torch.nn.Module, changes: list[dict[str, Any]], kind: str = "sft") -> None:
    """`changes`: of each client's recipe."""
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)

    def clients() -> list[together_steps.Client]:
        return [asked(start, k, kind, **one) for k, one in enumerate(changes)]

    assert together_steps.hindered(made, [one.recipe for one in clients()]) == ""
    due = [(one, *alone(made, one)) for one in clients()]
    begun = clients()
    found = together_steps.train(made, together.Adapters(made, len(changes)), begun)
    for (client, arrays, outcome), (got, came), again in zip(due, found, begun, strict=True):
        assert list(got) == list(arrays)
        moved = numpy.linalg.norm(vector(arrays) - vector(client.begin))
        assert moved > 0
        assert numpy.linalg.norm(vector(got) - vector(arrays)) <= 1e-5 * moved
        assert came.loss == pytest.approx(outcome.loss, rel=1e-5)
        assert came.padding == pytest.approx(outcome.padding)
        assert again.recipe.objective.told() == client.recipe.objective.told()
        assert (came.gradient is None) == (outcome.gradient is None)
        if came.gradient is not None and outcome.gradient is not None:
            off = vector(came.gradient) - vector(outcome.gradient)
            assert numpy.linalg.norm(off) <= 1e-5 * numpy.linalg.norm(vector(outcome.gradient))
    assert alone(made, clients()[0])[0].keys() == due[0][1].keys()
    assert all((alone(made, clients()[0])[0][name] == array).all() for name, array in due[0][1].items())


@pytest.mark.parametrize("adapter", ["lora", "dora"])
@pytest.mark.parametrize(
    ("dropout", "checkpointing"),
    [(0.2, False), *(pytest.param(*both, marks=pytest.mark.slow) for both in ((0.0, False), (0.0, True), (0.2, True)))],
)
def test_each_ends_where_it_ends_alone(adapter: str, dropout: float, checkpointing: bool) -> None:
    made = net("llama", adapter, dropout)
    if checkpointing:
        made.get_base_model().gradient_checkpointing_enable()  # type: ignore[operator]
    compare(made, [{"micro_batch": 3}] * 3)


@pytest.mark.parametrize("family", ["cohere", "gemma3_text", "mistral", "phi3", "qwen2", "qwen3"])
def test_of_families_that_are_built_otherwise(family: str) -> None:
    compare(net(family, "dora"), [{}] * 3)


def test_of_pairs() -> None:
    compare(net("llama", "lora"), [{}] * 3, "dpo")


def test_terms_steps_and_rates_are_each_client_s_own() -> None:
    made = net("llama", "dora")
    generator = torch.Generator().manual_seed(4)
    shapes = {name: tuple(one.shape) for name, one in model.trainable(made).items()}
    correction = {name: 0.01 * torch.randn(shape, generator=generator).numpy() for name, shape in shapes.items()}
    compare(
        made,
        [
            {"proximal": 0.7, "steps": 2},
            {"correction": correction, "wants_gradient": True, "steps": 4},
            {"optimizer": SGD, "max_grad_norm": None, "factors": (0.5, 1.0, 0.25)},
            {"learning_rate": 1e-2, "wants_gradient": True, "steps": 1},
        ],
    )


def test_frozen_factors_stay() -> None:
    made = net("llama", "lora")
    held = frozenset(name for name in model.trainable(made) if name.endswith("lora_A.weight"))
    compare(made, [{"frozen": held}] * 2)


def test_what_is_not_covered_is_said() -> None:
    made = net("llama", "lora")
    start = model.get_arrays(made)
    recipes = [asked(start, k).recipe for k in range(2)]
    assert "not all ours" in together_steps.hindered(made, recipes)
    assert prepared.prepare(made) == ""
    assert together_steps.hindered(made, recipes) == ""
    paged = asked(start, 0, optimizer={**ADAMW, "moments": "paged-8bit"}).recipe
    assert "moments" in together_steps.hindered(made, [paged, paged])
    assert "differ" in together_steps.hindered(made, [recipes[0], asked(start, 1, batch_size=2).recipe])
    eager = net("gemma2", "lora")
    assert prepared.prepare(eager) == ""
    assert together_steps.hindered(eager, recipes)


def test_memory_that_runs_out_is_told_and_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    made = net("llama", "lora")
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)
    adapters = together.Adapters(made, 2)
    due = alone(made, asked(start, 0))[0]

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(together.Adapters, "hidden", full)
    with pytest.raises(AppError, match="out of memory"):
        together_steps.train(made, adapters, [asked(start, k) for k in range(2)])
    assert all((alone(made, asked(start, 0))[0][name] == array).all() for name, array in due.items())
