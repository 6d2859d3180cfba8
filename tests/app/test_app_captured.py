"""Captured passes without a card: a graph that keeps the operators of a pass and runs them again on the same memory.

As on a card, what is captured may not look at a value: any operator that brings one to Python ends the capture. What
only a card can show (streams, kernels) `benchmarks/gpu.py --check` shows there.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
import torch
from test_app_layers import net
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ftbench.app import (
    captured,
    flat,
    layers,
    model,
    objective,
    passes,
    prepared,
    together,
    together_steps,
    training,
)
from ftbench.app.objective.dpo import Pair
from ftbench.app.tokens import IGNORED, Example

LOOKS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")


class Graph(TorchDispatchMode):
    """Operators with their arguments and results, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        if name in LOOKS or (name == "index" and any(t is not None and t.dtype == torch.bool for t in args[1])):
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, found))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, found in self.calls:
            given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if torch.is_tensor(t)}
            outs = [t for t in tree_leaves(found) if torch.is_tensor(t)]
            if func._schema.is_mutable:
                func(*args, **kwargs)
            elif not outs or any(t.untyped_storage().data_ptr() in given for t in outs):
                continue  # a view of what is there
            else:
                again = [t for t in tree_leaves(func(*args, **kwargs)) if torch.is_tensor(t)]
                for out, new in zip(outs, again, strict=True):
                    if out.numel():
                        out.detach().copy_(new)


@contextlib.contextmanager
def graph(made: Graph, **_: Any) -> Iterator[None]:
    with made:
        yield


class Stream:
    def __init__(self, *_: Any) -> None: ...

    def wait_stream(self, _: Any) -> None: ...


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card as far as captures ask for one."""
    for name, value in {
        "CUDAGraph": Graph,
        "graph": graph,
        "Stream": Stream,
        "stream": lambda _: contextlib.nullcontext(),
        "current_stream": lambda *_: Stream(),
        "synchronize": lambda *_: None,
        "empty_cache": lambda: None,
        "graph_pool_handle": object,
        "get_rng_state": lambda *_: torch.get_rng_state(),
        "set_rng_state": lambda state, *_: torch.set_rng_state(state),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)

    def of(made: torch.nn.Module) -> captured.Graphs | None:
        if captured._hindered(made):
            return None
        if made not in captured._known:
            captured._known[made] = captured.Graphs(made)
        found = captured._known[made]
        return None if found.reason else found

    monkeypatch.setattr(passes.captured, "of", of)


def example(generator: torch.Generator, prompt: int, completion: int) -> Example:
    ids = torch.randint(3, 60, (prompt + completion,), generator=generator).tolist()
    return Example(ids, [IGNORED] * prompt + ids[prompt:])


def examples(kind: str) -> list[Any]:
    generator = torch.Generator().manual_seed(5)
    sizes = [(1, 6), (8, 1), (19, 3), (5, 2), (3, 3), (12, 9)]
    if kind == "sft":
        return [example(generator, *size) for size in sizes]
    pairs = zip(sizes, reversed(sizes), strict=True)
    return [Pair(example(generator, *one), example(generator, *other), (-1.0, -2.0)) for one, other in pairs]


def recipe(kind: str, **changes: Any) -> training.Recipe:
    spec = {
        "objective": {"kind": kind, "beta": 0.3, "loss": "sigmoid"},
        "data": {"loss_reduction": "token-mean"},
        "training": {"sequence_length": 32},
    }
    optimizer = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1}
    values: dict[str, Any] = {"learning_rate": 1e-3, "optimizer": optimizer, "steps": 9, "batch_size": 3}
    more = {"micro_batch": 2, "objective": objective.find_objective(spec), "max_grad_norm": 0.5}
    return training.Recipe(**{**values, **more, **changes})


def trained(made: torch.nn.Module, kind: str, start: Any, **changes: Any) -> tuple[torch.Tensor, float, str]:
    model.set_arrays(made, start)
    wanted = recipe(kind, **changes)
    every = examples(kind)
    loss = training.train(made, every, itertools.cycle(range(len(every))), wanted).loss
    return flat.of(made).values.clone(), loss, wanted.objective.told()


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize("adapter", ["lora", "dora"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_captured_steps_are_the_steps(fake: None, kind: str, adapter: str, checkpointing: bool) -> None:
    made = net("llama", adapter)
    if checkpointing:
        made.get_base_model().gradient_checkpointing_enable()  # type: ignore[operator]
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes.captured, "of", lambda _: None)
        due = trained(made, kind, start)
    found = trained(made, kind, start)
    graphs = captured._known[made]
    assert graphs.reason == ""
    assert graphs.captured >= 2
    assert (graphs._refresh is not None) == (adapter == "dora")
    torch.testing.assert_close(found[0], due[0], rtol=1e-5, atol=1e-5)
    assert found[1] == pytest.approx(due[1], rel=1e-6)
    assert found[2].split()[:2] == due[2].split()[:2]
    again = trained(made, kind, start)
    assert torch.equal(again[0], trained(made, kind, start)[0]), "what is captured keeps nothing of an earlier client"


def test_frozen_factors_and_other_betas_are_captured_apart(fake: None) -> None:
    made = net("llama", "lora")
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)
    trained(made, "sft", start)
    before = captured._known[made].captured
    held = frozenset(name for name in model.trainable(made) if name.endswith("lora_A.weight"))
    trained(made, "sft", start, frozen=held)
    after = model.get_arrays(made)
    assert captured._known[made].captured > before
    assert all((after[name] == start[name]).all() for name in held)


@pytest.mark.parametrize("error", [RuntimeError("capture failed"), torch.OutOfMemoryError("out of memory")])
def test_what_cannot_be_captured_is_computed_and_told(
    fake: None, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = net("llama", "dora")
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes.captured, "of", lambda _: None)
        due = trained(made, "sft", start)

    @contextlib.contextmanager
    def broken(*_: Any, **__: Any) -> Iterator[None]:
        raise error
        yield

    monkeypatch.setattr(torch.cuda, "graph", broken)
    found = trained(made, "sft", start)
    torch.testing.assert_close(found[0], due[0], rtol=1e-5, atol=1e-5)
    assert "steps are not captured as CUDA graphs" in capsys.readouterr().out
    assert captured._known[made].captured == 0


def test_a_capture_that_computes_something_else_is_dropped(fake: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = net("llama", "lora")
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)
    monkeypatch.setattr(Graph, "replay", lambda self: None)
    trained(made, "sft", start)
    assert "not the step" in captured._known[made].reason


def test_dropout_is_drawn_anew_and_hooks_hinder(fake: None) -> None:
    made = net("llama", "dora", 0.3)
    assert prepared.prepare(made) == ""
    assert captured._hindered(made) == ""
    made.get_base_model().gradient_checkpointing_enable()  # type: ignore[operator]
    assert "dropout" in captured._hindered(made)
    other = net("llama", "lora")
    assert prepared.prepare(other) == ""
    handle = layers.known(other).every[0].module.register_forward_hook(lambda *_: None)
    assert "beside the adapter" in captured._hindered(other)
    handle.remove()
    assert captured._hindered(other) == ""


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize("adapter", ["lora", "dora"])
def test_captured_steps_of_clients_together_are_their_steps(fake: None, kind: str, adapter: str) -> None:
    made = net("llama", adapter)
    assert prepared.prepare(made) == ""
    start = model.get_arrays(made)
    every = examples(kind)
    # AdamW divides by the gradient's size: where that is next to nothing, rounding decides without an epsilon.
    optimizer = {**recipe(kind).optimizer, "epsilon": 1e-4}

    def client(k: int) -> together_steps.Client:
        wanted = recipe(kind, steps=9 - 2 * k, optimizer=optimizer)
        return together_steps.Client(start, every[k:], itertools.cycle(range(6 - k)), wanted, k)

    def clients() -> list[together_steps.Client]:
        return [client(k) for k in range(3)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captured, "of", lambda _: None)
        due = together_steps.train(made, together.Adapters(made, 3), clients())
    adapters = together.Adapters(made, 3)
    found = together_steps.train(made, adapters, clients())
    graphs = adapters._graphs
    assert graphs is not None
    assert graphs.reason == ""
    assert graphs.captured >= 3, "of three, two and one client"
    assert (graphs._refresh is not None) == (adapter == "dora")
    for (arrays, outcome), (others, other) in zip(due, found, strict=True):
        for name, array in arrays.items():
            numpy.testing.assert_allclose(others[name], array, rtol=1e-5, atol=1e-5)
        assert other.loss == pytest.approx(outcome.loss, rel=1e-6)
        assert other.padding > outcome.padding, "one length for all: shapes are few"
    again = together_steps.train(made, adapters, clients())
    assert all((again[k][0][name] == array).all() for k in range(3) for name, array in found[k][0].items() if k)


def test_dropout_of_clients_together_is_not_captured(fake: None) -> None:
    made = net("llama", "lora", 0.2)
    assert prepared.prepare(made) == ""
    assert together.Adapters(made, 2).graphs(together_steps.Graphs) is None
