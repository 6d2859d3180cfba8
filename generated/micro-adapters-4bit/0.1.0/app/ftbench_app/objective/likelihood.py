"""How likely a model finds the learnt tokens of examples: what every objective here is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch.nn.functional import cross_entropy

from .. import head, prepared
from ..tokens import IGNORED, Example

Tensors: TypeAlias = dict[str, torch.Tensor]
"""A batch's tensors by name: what a pass needs of it, all made before it begins."""


def batch(part: Sequence[Example], length: int = 0, counted: int = 0) -> Tensors:
    """`ids` and `mask` [rows, length], padded on the right to the longest: a causal model never looks right. `where`:
    positions, row after row, from which a counted token is predicted; `wanted`: these tokens; `row`: their rows.
    `back`: for each position its place in `where`, or their number.

    `length`, `counted`: at least so long and so many. What fills up is the last position of the first row, from which
    nothing is predicted.
    """
    length = max(length, *(len(example.ids) for example in part))
    learnt = [
        (row * length + place, label, row)
        for row, example in enumerate(part)
        for place, label in enumerate(example.labels[1:])
        if label != IGNORED
    ]
    real = len(learnt)
    learnt += [(length - 1, 0, 0)] * (counted - len(learnt))
    where, wanted, rows = torch.tensor(learnt, dtype=torch.long).reshape(-1, 3).t().contiguous()
    ids = torch.tensor([example.ids + [0] * (length - len(example.ids)) for example in part], dtype=torch.long)
    mask = torch.tensor([[1] * len(e.ids) + [0] * (length - len(e.ids)) for e in part], dtype=torch.long)
    back = torch.full((len(part) * length,), len(where), dtype=torch.long)
    back[where[:real]] = torch.arange(real)
    return {"ids": ids, "mask": mask, "where": where, "wanted": wanted, "row": rows, "back": back}


def to_model(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """The same on the model's device."""
    device = next(model.parameters()).device
    return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}


def token_losses(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Cross entropy in nats of every counted token, in the order of `where`."""
    made = prepared.of(model)
    ids, where, wanted = tensors["ids"], tensors["where"], tensors["wanted"]
    if made.head is not None:
        more = {} if made.unmasked else {"attention_mask": tensors["mask"]}
        hidden = prepared.hidden(model, ids, **more).flatten(0, 1)
        return head.losses(made.head, hidden, where, wanted, tensors["back"])
    mask = None if made.unmasked else tensors["mask"]
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    # At least in float32, whatever the model computes in: bfloat16 has 8 bits for a sum over the vocabulary.
    precision = torch.promote_types(logits.dtype, torch.float32)
    return cross_entropy(logits.flatten(0, 1).index_select(0, where).to(precision), wanted, reduction="none")


def log_probabilities(model: torch.nn.Module, part: Sequence[Example]) -> torch.Tensor:
    """For each example the sum of its counted tokens' log-probabilities."""
    tensors = to_model(model, batch(part))
    return row_sums(token_losses(model, tensors), tensors["row"], len(part)).neg()


def row_sums(values: torch.Tensor, row: torch.Tensor, rows: int) -> torch.Tensor:
    """Sums of the values of each row: a product with zeros and ones, in one order on every device."""
    member = row[None, :] == torch.arange(rows, device=row.device)[:, None]
    return member.to(values.dtype) @ values
