"""A client's steps: a plain loop over effective batches, each split into micro-batches by gradient accumulation.

The objective weights every example by what its *effective* batch says, so that summing the micro-batches' gradients
gives the full batch's gradient. With dropout above 0 the masks are drawn per micro-batch, and the two agree in
distribution only.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from . import flat, layers
from .arrays import Arrays, ordered
from .errors import AppError
from .model import trainable
from .objective import Objective
from .passes import Passes

OUT_OF_MEMORY = "FTB554"


@dataclass(frozen=True)
class Recipe:
    """What every step of a round has in common."""

    learning_rate: float
    optimizer: Mapping[str, Any]
    """The spec's `training.optimizer`."""
    steps: int
    batch_size: int
    """Examples of an effective batch."""
    micro_batch: int
    """Examples in one pass; 0: all of them."""
    objective: Objective
    """What is minimised."""
    max_grad_norm: float | None
    proximal: float | None = None
    """FedProx's mu: the loss has (mu / 2) · ‖w − w_start‖² over the trained tensors; None: it has no such term."""
    correction: Mapping[str, NDArray[Any]] | None = None
    """Added to the batch's gradient of each of these tensors (SCAFFOLD), before it is clipped."""
    frozen: frozenset[str] = frozenset()
    """Tensors of the adapter that are not trained."""
    wants_gradient: bool = False
    """Whether the outcome tells the mean gradient."""
    factors: Sequence[float] = ()
    """For each step the share of the learning rate that it has; empty: each has all of it."""


@dataclass(frozen=True)
class Outcome:
    """What a client's steps came to, beside the adapter."""

    loss: float
    """Mean over steps of the batch's loss, without the proximal term: it compares across strategies."""
    gradient: Arrays | None = None
    """Mean over steps of the batch's own gradient, before anything is added to it or clipped; where it was wanted."""
    used: int | None = None
    """Rows of the client that were learnt from; None: not known."""
    micro_batch: int = 0
    """Examples in one pass, at most; 0: not known."""
    padding: float = 0.0
    """Share of the positions that went through the model and hold no token."""


def train(
    model: torch.nn.Module,
    examples: Sequence[Any],
    order: Iterator[int],
    recipe: Recipe,
    tell: Callable[[int], None] = lambda steps: None,
) -> Outcome:
    """Take the steps, changing the trainable parameters in place. Names of tensors are those of `model.trainable`.
    `tell` is called with the number of steps taken.

    Nothing inside a step waits for a device. Raises AppError when memory runs out, naming the setting to change.
    """
    every = trainable(model)
    if unknown := sorted(recipe.frozen - every.keys()):
        raise ValueError(f"there is no tensor {unknown[0]!r} to freeze")
    own, trained = layers.of(model), flat.of(model)
    terms = Terms(trained, recipe)
    passes = Passes(model, recipe.objective, recipe.micro_batch)
    model.train()
    for name in recipe.frozen:  # no gradient is computed for them
        every[name].requires_grad_(False)
    trained.bind(recipe.frozen)
    if own is not None:
        own.bind()
    optimizer = optimizer_of(parameters_of(trained, recipe), recipe)
    try:
        with told_of_memory(recipe):
            for step in range(recipe.steps):
                set_rate(optimizer, recipe, step)
                batch = [examples[next(order)] for _ in range(recipe.batch_size)]
                if step:
                    trained.gradients.zero_()
                passes.accumulate(batch)
                terms.apply()
                optimizer.step()
                tell(step + 1)
            losses = passes.losses()
    finally:
        passes.end()
        if own is not None:
            own.release()
        trained.release()
        for name in recipe.frozen:
            every[name].requires_grad_(True)
    return Outcome(math.fsum(losses) / len(losses), terms.mean_gradient(), padding=passes.padding)


class Terms:
    """What becomes of a batch's gradient before the optimiser sees it."""

    def __init__(self, trained: flat.Flat, recipe: Recipe) -> None:
        self._trained = trained
        self._recipe = recipe
        self._correction = None if recipe.correction is None else _vector(trained, recipe.correction)
        self._total = torch.zeros_like(trained.values, dtype=torch.float64) if recipe.wants_gradient else None
        self._start = None if recipe.proximal is None else trained.values.clone()

    def apply(self) -> None:
        """Note it, correct it, draw it to the start, clip it."""
        gradients = self._trained.gradients
        if self._total is not None:
            self._total.add_(gradients)
        if self._correction is not None:
            gradients.add_(self._correction)
        if self._start is not None and self._recipe.proximal is not None:
            add_proximal(gradients, self._trained.values, self._start, self._recipe.proximal)
        if self._recipe.max_grad_norm is not None:
            clip(gradients, self._recipe.max_grad_norm)

    def mean_gradient(self) -> Arrays | None:
        """Mean over the steps of what was noted, where it was wanted."""
        if self._total is None:
            return None
        mean = (self._total / self._recipe.steps).float().cpu()
        names = (name for name in self._trained.named if name not in self._recipe.frozen)
        return ordered({name: self._trained.part(mean, name).numpy() for name in names})


def _vector(trained: flat.Flat, arrays: Mapping[str, NDArray[Any]]) -> torch.Tensor:
    """Arrays by name as one vector, zero where there is none."""
    found = torch.zeros_like(trained.values)
    for name, array in arrays.items():
        trained.part(found, name).copy_(torch.from_numpy(array.copy()))
    return found


def parameters_of(trained: flat.Flat, recipe: Recipe) -> list[torch.nn.Parameter]:
    """What the optimiser is given: everything that is trained in as few pieces as there can be.

    With moments of 8 bits the tensors one by one, since each has blocks, or float32 moments where it is small, of its
    own.
    """
    if (recipe.optimizer.get("moments") or "float32") != "float32":
        return [parameter for name, parameter in trained.named.items() if name not in recipe.frozen]
    found = []
    for start, end in trained.segments(recipe.frozen):
        piece = torch.nn.Parameter(trained.values[start:end])
        piece.grad = trained.gradients[start:end]
        found.append(piece)
    return found


def clip(gradients: torch.Tensor, most: float) -> None:
    """Scale down to the norm `most` where it is above, as torch.nn.utils.clip_grad_norm_, in place and unread."""
    norm = torch.linalg.vector_norm(gradients)
    gradients.mul_(norm.add_(1e-6).reciprocal_().mul_(most).clamp_max_(1.0))


def add_proximal(gradients: torch.Tensor, now: torch.Tensor, start: torch.Tensor, proximal: float) -> None:
    """Add the gradient of (mu / 2) · ‖w − w_start‖² (arXiv 1812.06127), once for each effective batch, not for each
    pass."""
    gradients.add_(now - start, alpha=proximal)


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> None:
    """The learning rate of that step, from 0."""
    if recipe.factors:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * recipe.factors[step]


def optimizer_of(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The local optimiser of these parameters, its moments at zero."""
    block = recipe.optimizer
    if block["kind"] == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=float(block["momentum"]),
            weight_decay=float(block["weight_decay"]),
            fused=True,
        )
    if block["kind"] != "adamw":
        raise ValueError(f"unknown optimiser {block['kind']!r}")
    settings: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "betas": (float(block["beta1"]), float(block["beta2"])),
        "eps": float(block["epsilon"]),
        "weight_decay": float(block["weight_decay"]),
    }
    moments = block.get("moments") or "float32"
    if moments == "float32":
        return torch.optim.AdamW(parameters, **settings, fused=True)
    if moments != "paged-8bit":
        raise ValueError(f"unknown moments {moments!r}")
    return _paged(parameters, settings)


def _paged(parameters: list[torch.nn.Parameter], settings: Mapping[str, Any]) -> torch.optim.Optimizer:
    """bitsandbytes' AdamW with moments of 8 bits. Raises AppError where it is not there."""
    try:
        from bitsandbytes.optim import PagedAdamW8bit
    except (ImportError, OSError, RuntimeError) as error:
        raise AppError(
            "FTB555",
            f"moments of 8 bits (training.optimizer.moments) need bitsandbytes, which does not load: {error}",
            "choose `float32` where it is a knob, or a machine on which bitsandbytes runs",
        ) from error
    # Said at the first step of every round; the field's text says it once.
    warnings.filterwarnings("ignore", message="Paged optimizers are not supported on CPU")
    made: torch.optim.Optimizer = PagedAdamW8bit(parameters, **settings)
    return made


@contextlib.contextmanager
def told_of_memory(recipe: Recipe) -> Iterator[None]:
    """Memory that runs out inside is an AppError that names the setting to change."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(recipe) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "can't allocate memory" in str(error):
            raise _out_of_memory(recipe) from error
        raise


def _out_of_memory(recipe: Recipe) -> AppError:
    size = min(recipe.micro_batch or recipe.batch_size, recipe.batch_size)
    if size > 1:
        hint = f"set `micro-batch` to {max(1, size // 2)} (`--micro-batch`): the effective batch stays the same"
    else:
        hint = "the smallest micro-batch is in use: a lower adapter.rank, a smaller base model or more memory is needed"
    return AppError(OUT_OF_MEMORY, f"out of memory with {size} examples in one pass", hint)
