"""A client's steps: a plain loop over effective batches, each split into micro-batches by gradient accumulation.

Every token's loss is weighted by what its *effective* batch says (one over its tokens, or over its examples and their
tokens), so that summing the micro-batches' gradients gives the full batch's gradient. With dropout above 0 the masks
are drawn per micro-batch, and the two agree in distribution only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from .errors import AppError
from .tokens import IGNORED, Example

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
    reduction: str
    """`token-mean` or `example-mean`."""
    max_grad_norm: float | None
    proximal: float | None = None
    """FedProx's mu: the loss has (mu / 2) · ‖w − w_start‖² over the trained tensors; None: it has no such term."""


def train(model: torch.nn.Module, examples: Sequence[Example], order: Iterator[int], recipe: Recipe) -> float:
    """Take the steps, changing the trainable parameters in place.

    Returns the mean over steps of the batch's loss, without the proximal term: it compares across strategies.

    Raises AppError when memory runs out, naming the setting to change.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    start = [] if recipe.proximal is None else [parameter.detach().clone() for parameter in parameters]
    optimizer = _optimizer(parameters, recipe)
    model.train()
    losses = []
    try:
        for _ in range(recipe.steps):
            batch = [examples[next(order)] for _ in range(recipe.batch_size)]
            optimizer.zero_grad(set_to_none=True)
            losses.append(accumulate(model, batch, recipe.micro_batch, recipe.reduction))
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
        optimizer.zero_grad(set_to_none=True)
    return math.fsum(losses) / len(losses)


def accumulate(model: torch.nn.Module, batch: Sequence[Example], micro_batch: int, reduction: str) -> float:
    """Add the batch's gradient to the parameters' and return its loss."""
    weights = token_weights(batch, reduction)
    size = micro_batch or len(batch)
    total = []
    for start in range(0, len(batch), size):
        loss = weighted_loss(model, batch[start : start + size], weights[start : start + size])
        loss.backward()  # type: ignore[no-untyped-call]
        total.append(loss.item())
    return math.fsum(total)


def proximal_term(parameters: Sequence[torch.Tensor], start: Sequence[torch.Tensor], proximal: float) -> torch.Tensor:
    """(mu / 2) · ‖w − w_start‖² (arXiv 1812.06127), once for each effective batch, not for each pass."""
    squares = [((now - then) ** 2).sum() for now, then in zip(parameters, start, strict=True)]
    return proximal / 2 * torch.stack(squares).sum()


def token_weights(batch: Sequence[Example], reduction: str) -> list[float]:
    """For each example the weight of each of its counted tokens in the loss of the whole batch."""
    if reduction == "token-mean":
        return [1 / sum(example.counted for example in batch)] * len(batch)
    if reduction == "example-mean":
        return [1 / (len(batch) * example.counted) for example in batch]
    raise ValueError(f"unknown loss reduction {reduction!r}")


def weighted_loss(model: torch.nn.Module, part: Sequence[Example], weights: Sequence[float]) -> torch.Tensor:
    """Σ over the part's counted tokens of weight × cross entropy."""
    device = next(model.parameters()).device
    ids, mask, labels = collate(part)
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
    wanted = labels[:, 1:]
    counted = wanted != IGNORED
    # At least in float32, whatever the model computes in: bfloat16 has 8 bits for a sum over the vocabulary.
    precision = torch.promote_types(logits.dtype, torch.float32)
    scale = torch.tensor(weights, dtype=precision)[:, None].expand(wanted.shape)[counted]
    chosen = logits[:, :-1][counted.to(device)].to(precision)
    losses = cross_entropy(chosen, wanted[counted].to(device), reduction="none")
    return (losses * scale.to(device)).sum()


def collate(part: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and labels, padded on the right to the longest: a causal model never looks right."""
    longest = max(len(example.ids) for example in part)
    ids = torch.zeros((len(part), longest), dtype=torch.long)
    mask = torch.zeros((len(part), longest), dtype=torch.long)
    labels = torch.full((len(part), longest), IGNORED, dtype=torch.long)
    for row, example in enumerate(part):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        labels[row, :length] = torch.tensor(example.labels)
    return ids, mask, labels


def _optimizer(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    block = recipe.optimizer
    if block["kind"] != "adamw":
        raise ValueError(f"unknown optimiser {block['kind']!r}")
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(float(block["beta1"]), float(block["beta2"])),
        eps=float(block["epsilon"]),
        weight_decay=float(block["weight_decay"]),
        foreach=False,
    )


def _out_of_memory(recipe: Recipe) -> AppError:
    size = min(recipe.micro_batch or recipe.batch_size, recipe.batch_size)
    if size > 1:
        hint = f"set `micro-batch` to {max(1, size // 2)} (`--micro-batch`): the effective batch stays the same"
    else:
        hint = "the smallest micro-batch is in use: a lower adapter.rank, a smaller base model or more memory is needed"
    return AppError(OUT_OF_MEMORY, f"out of memory with {size} examples in one pass", hint)
