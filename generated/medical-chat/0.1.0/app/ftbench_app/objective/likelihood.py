"""How likely a model finds the learnt tokens of examples: what every objective here is made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy

from ..tokens import IGNORED, Example


def token_losses(model: torch.nn.Module, part: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross entropy in nats of every counted token, in order, and (on the CPU) which tokens after the first count."""
    device = next(model.parameters()).device
    ids, mask, labels = collate(part)
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
    wanted = labels[:, 1:]
    counted = wanted != IGNORED
    # At least in float32, whatever the model computes in: bfloat16 has 8 bits for a sum over the vocabulary.
    precision = torch.promote_types(logits.dtype, torch.float32)
    chosen = logits[:, :-1][counted.to(device)].to(precision)
    return cross_entropy(chosen, wanted[counted].to(device), reduction="none"), counted


def log_probabilities(model: torch.nn.Module, part: Sequence[Example]) -> torch.Tensor:
    """For each example the sum of its counted tokens' log-probabilities."""
    losses, counted = token_losses(model, part)
    each = torch.split(losses, counted.sum(dim=1).tolist())
    return -torch.stack([tokens.sum() for tokens in each])


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
