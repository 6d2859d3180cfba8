"""A client's steps: a plain loop over effective batches, each split into micro-batches by gradient accumulation.

The objective weights every example by what its *effective* batch says, so that summing the micro-batches' gradients
gives the full batch's gradient. With dropout above 0 the masks are drawn per micro-batch, and the two agree in
distribution only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from numpy.typing import NDArray

from .arrays import Arrays, ordered
from .errors import AppError
from .model import trainable
from .objective import Objective

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


def train(model: torch.nn.Module, examples: Sequence[Any], order: Iterator[int], recipe: Recipe) -> Outcome:
    """Take the steps, changing the trainable parameters in place. Names of tensors are those of `model.trainable`.

    Raises AppError when memory runs out, naming the setting to change.
    """
    every = trainable(model)
    if unknown := sorted(recipe.frozen - every.keys()):
        raise ValueError(f"there is no tensor {unknown[0]!r} to freeze")
    named = {name: parameter for name, parameter in every.items() if name not in recipe.frozen}
    parameters = list(named.values())
    corrections = {
        name: torch.from_numpy(array.copy()).to(named[name].device) for name, array in (recipe.correction or {}).items()
    }
    sums = (
        {name: torch.zeros_like(p, dtype=torch.float64) for name, p in named.items()} if recipe.wants_gradient else {}
    )
    start = [] if recipe.proximal is None else [parameter.detach().clone() for parameter in parameters]
    optimizer = _optimizer(parameters, recipe)
    model.train()
    losses = []
    for name in recipe.frozen:  # no gradient is computed for them
        every[name].requires_grad_(False)
    try:
        for step in range(recipe.steps):
            _set_rate(optimizer, recipe, step)
            batch = [examples[next(order)] for _ in range(recipe.batch_size)]
            optimizer.zero_grad(set_to_none=True)
            losses.append(accumulate(model, batch, recipe.micro_batch, recipe.objective))
            for name, total in sums.items():
                total.add_(gradient_of(named[name]))
            for name, correction in corrections.items():
                gradient_of(named[name]).add_(correction)
            if recipe.proximal is not None:
                proximal_term(parameters, start, recipe.proximal).backward()  # type: ignore[no-untyped-call]
            if recipe.max_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(parameters, recipe.max_grad_norm)
            optimizer.step()
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(recipe) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "can't allocate memory" in str(error):
            raise _out_of_memory(recipe) from error
        raise
    finally:
        # Gradients must not outlive the message: the next one may be another client's.
        model.zero_grad(set_to_none=True)
        for name in recipe.frozen:
            every[name].requires_grad_(True)
    mean = {name: (total / recipe.steps).cpu().numpy().astype(numpy.float32) for name, total in sums.items()}
    return Outcome(math.fsum(losses) / len(losses), ordered(mean) if recipe.wants_gradient else None)


def gradient_of(parameter: torch.nn.Parameter) -> torch.Tensor:
    """The gradient; zeros, put in place, where no example reached the parameter."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def accumulate(model: torch.nn.Module, batch: Sequence[Any], micro_batch: int, objective: Objective) -> float:
    """Add the batch's gradient to the parameters' and return its loss."""
    weights = objective.weights(batch)
    size = micro_batch or len(batch)
    total = []
    for start in range(0, len(batch), size):
        loss = objective.loss(model, batch[start : start + size], weights[start : start + size])
        loss.backward()  # type: ignore[no-untyped-call]
        total.append(loss.item())
    return math.fsum(total)


def proximal_term(parameters: Sequence[torch.Tensor], start: Sequence[torch.Tensor], proximal: float) -> torch.Tensor:
    """(mu / 2) · ‖w − w_start‖² (arXiv 1812.06127), once for each effective batch, not for each pass."""
    squares = [((now - then) ** 2).sum() for now, then in zip(parameters, start, strict=True)]
    return proximal / 2 * torch.stack(squares).sum()


def _set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> None:
    if recipe.factors:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * recipe.factors[step]


def _optimizer(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    block = recipe.optimizer
    if block["kind"] == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=float(block["momentum"]),
            weight_decay=float(block["weight_decay"]),
            foreach=False,
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
        return torch.optim.AdamW(parameters, **settings, foreach=False)
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


def _out_of_memory(recipe: Recipe) -> AppError:
    size = min(recipe.micro_batch or recipe.batch_size, recipe.batch_size)
    if size > 1:
        hint = f"set `micro-batch` to {max(1, size // 2)} (`--micro-batch`): the effective batch stays the same"
    else:
        hint = "the smallest micro-batch is in use: a lower adapter.rank, a smaller base model or more memory is needed"
    return AppError(OUT_OF_MEMORY, f"out of memory with {size} examples in one pass", hint)
