"""A client's passes as CUDA graphs: one launch in place of the tens of thousands of operators that a pass is made of.

A pass over a batch is captured for each shape of it, the second time that the shape comes up; lengths are rounded up so
that shapes are few. Every captured pass is compared with the same pass without: where anything goes wrong the passes
are made operator by operator as before, and the log says why.
"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from . import layers, prepared

if TYPE_CHECKING:
    from .objective import Objective

ENABLED = True
"""For whoever measures what it is worth."""
MOST = 40
"""Shapes that are captured; further ones are not."""
WARM_UP = 2
"""Passes before the capture, so that libraries have made their choices and their workspaces."""
APART = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 2e-2}
"""Largest difference of a captured pass's gradient from the same pass without, over the gradient's norm."""
STEPS = ((128, 16), (256, 32), (1024, 64))
"""Up to how many tokens a length is rounded up to a multiple of how many; by 128 beyond."""
SHARES = 8
"""The number of counted tokens is rounded up to a multiple of this part of a batch's positions."""


def rounded(length: int) -> int:
    """The length that a batch with this longest sequence is padded to."""
    step = next((step for most, step in STEPS if length <= most), 128)
    return -(-length // step) * step


def rounded_sizes(tensors: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Of a batch the length of its sequences and the number of its counted tokens, rounded up."""
    rows, length = tensors["ids"].shape[0], rounded(tensors["ids"].shape[1])
    step = max(16, rows * length // SHARES)
    return length, -(-len(tensors["where"]) // step) * step


@dataclass
class _Graph:
    """One captured pass, its inputs and what it leaves."""

    graph: Any
    inputs: dict[str, torch.Tensor]
    loss: torch.Tensor
    more: torch.Tensor | None


class Graphs:
    """The captured passes of one model on a CUDA device."""

    def __init__(self, model: torch.nn.Module, own: layers.Layers | None = None) -> None:
        """`own`: the adapters whose passes are captured; None: the model's own."""
        self._model = model
        self._layers = own or layers.known(model)
        self._flat = self._layers.flat
        self._seen: set[Any] = set()
        self._made: dict[Any, _Graph] = {}
        self._refresh: Any = None
        self._refreshed = False
        self._pool: Any = None
        self.reason = ""
        """Why nothing is captured, once something went wrong."""
        self.seconds = 0.0
        """Time that captures took."""

    @property
    def captured(self) -> int:
        """Number of shapes captured so far."""
        return len(self._made)

    def refresh(self) -> None:
        """`Layers.refresh`, captured where it has more than one operator."""
        if self._refresh is not None:
            self._refresh.replay()
            return
        self._layers.refresh()
        if self.reason or self._layers.norms is None:
            return
        if self._refreshed:
            self._refresh = self._try(self._capture_refresh)
        self._refreshed = True

    def run(
        self, objective: Objective, part: Sequence[Any], weights: Sequence[float]
    ) -> tuple[torch.Tensor, torch.Tensor | None, int]:
        """As `passes.once`: one pass forward and backward; its loss, what it tells, and its positions."""
        tensors = objective.batch(part, weights, *self._sizes(objective, part, weights))
        positions = tensors["ids"].numel()
        graph = self._graph(objective, tensors)
        if graph is None:
            device = self._flat.values.device
            held = {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
            return *self._pass(objective, held), positions
        for name, tensor in tensors.items():
            graph.inputs[name].copy_(tensor, non_blocking=True)
        graph.graph.replay()
        return graph.loss.clone(), None if graph.more is None else graph.more.clone(), positions

    def _sizes(self, objective: Objective, part: Sequence[Any], weights: Sequence[float]) -> tuple[int, int]:
        """The length of a sequence and the number of counted tokens to which that part is filled up."""
        return rounded_sizes(objective.batch(part, weights))

    def _graph(self, objective: Objective, tensors: dict[str, torch.Tensor]) -> _Graph | None:
        trained = tuple(p.requires_grad for p in self._flat.named.values())
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in tensors.items())
        key = (objective.constants(), shapes, trained)
        if self.reason or key in self._made:
            return None if self.reason else self._made[key]
        if key not in self._seen or len(self._made) >= MOST:
            self._seen.add(key)
            return None
        made: _Graph | None = self._try(lambda: self._capture(objective, tensors))
        if made is not None:
            self._made[key] = made
        return made

    def _pass(self, objective: Objective, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor | None]:
        loss, more = objective.compute(self._model, inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), more

    def _try(self, work: Callable[[], Any]) -> Any:
        """What `work` makes, with gradients and random state as they were; None where it fails, which is told."""
        device = self._flat.values.device
        gradients, random = self._flat.gradients.to("cpu", copy=True), torch.cuda.get_rng_state(device)
        start = perf_counter()
        try:
            return work()
        except Exception as error:  # whatever stands in the way of a capture, the pass can be made without
            self.reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print(f"ftbench: steps are not captured as CUDA graphs, which need more time: {self.reason}", flush=True)
            self._made.clear()
            self._refresh = self._pool = None
            return None
        finally:
            torch.cuda.synchronize(device)
            self._flat.gradients.copy_(gradients)
            torch.cuda.set_rng_state(random, device)
            self.seconds += perf_counter() - start

    def _capture(self, objective: Objective, tensors: dict[str, torch.Tensor]) -> _Graph:
        device, gradients = self._flat.values.device, self._flat.gradients
        inputs = {name: tensor.to(device) for name, tensor in tensors.items()}
        random = torch.cuda.get_rng_state(device)

        def work() -> tuple[torch.Tensor, torch.Tensor | None]:
            return self._pass(objective, inputs)

        with _aside(device):
            for _ in range(WARM_UP):
                torch.cuda.set_rng_state(random, device)
                gradients.zero_()
                expected, _ = work()
        due = gradients.to(
            "cpu", copy=True
        )  # not on the device, where it would count at the moment when most is needed
        torch.cuda.set_rng_state(random, device)
        graph, (loss, more) = self._record(work)
        gradients.zero_()
        graph.replay()
        torch.cuda.synchronize(device)
        most = APART[self._layers.every[0].compute]
        norm = float(torch.linalg.vector_norm(due))
        apart = float(torch.linalg.vector_norm(gradients.cpu() - due)) / max(norm, 1e-30)
        losses = float(expected), float(loss)
        if not apart <= most or not abs(losses[0] - losses[1]) <= most * max(1.0, abs(losses[0])):
            raise RuntimeError(f"a captured step is not the step: gradients {apart:.2e} apart, losses {losses}")
        return _Graph(graph, inputs, loss, more)

    def _capture_refresh(self) -> Any:
        device = self._flat.values.device
        with _aside(device):
            for _ in range(WARM_UP):
                self._layers.refresh()
        due = None if self._layers.norms is None else self._layers.norms.clone()
        graph, _ = self._record(self._layers.refresh)
        graph.replay()
        torch.cuda.synchronize(device)
        if due is not None and self._layers.norms is not None and not torch.allclose(due, self._layers.norms):
            raise RuntimeError("captured norms are not the norms")
        return graph

    def _record(self, work: Callable[[], Any]) -> tuple[Any, Any]:
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        gc.collect()
        torch.cuda.empty_cache()
        with _no_collection(), torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            found = work()
        return graph, found


@contextlib.contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """On a stream of its own, as passes before a capture must be."""
    stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
    torch.cuda.synchronize(device)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Python's collector may free what belongs to another graph, which no capture survives."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


_known: weakref.WeakKeyDictionary[torch.nn.Module, Graphs] = weakref.WeakKeyDictionary()
_told: set[str] = set()


def of(model: torch.nn.Module) -> Graphs | None:
    """The model's captured passes; None where nothing can be captured, which is told once on a CUDA device."""
    if not ENABLED or not next(model.parameters()).is_cuda:
        return None
    if why := _hindered(model):
        if why not in _told:
            print(f"ftbench: steps are not captured as CUDA graphs, which need more time: {why}", flush=True)
            _told.add(why)
        return None
    if model not in _known:
        _known[model] = Graphs(model)
    found = _known[model]
    return None if found.reason else found


def forget(model: torch.nn.Module) -> None:
    """Give the memory of captured passes back."""
    _known.pop(model, None)


def _hindered(model: torch.nn.Module) -> str:
    if prepared.of(model).head is None or not prepared.of(model).unmasked:
        return "adapter layers, head and attention are not all ours"
    every = layers.known(model).every
    if every[0].dropout and prepared.checkpointed(model):
        return "dropout is drawn again under gradient checkpointing"
    if any(layer.module._forward_hooks for layer in every):
        return "the strategy acts beside the adapter, by other tensors in every round"
    return ""
