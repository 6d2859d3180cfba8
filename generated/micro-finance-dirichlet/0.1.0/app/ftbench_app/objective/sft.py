"""Supervised fine-tuning: cross entropy of the completions.

Every token's loss is weighted by what its *effective* batch says (one over its tokens, or over its examples and their
tokens), so that summing the micro-batches' gradients gives the full batch's gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from .. import tokens
from ..tokens import Example
from .likelihood import token_losses


class Objective:
    """Cross entropy over counted tokens, by the spec's `data.loss_reduction`."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        """Raises ValueError for an unknown reduction."""
        self.data = spec["data"]
        self.sequence_length = int(spec["training"]["sequence_length"])
        if self.data["loss_reduction"] not in ("token-mean", "example-mean"):
            raise ValueError(f"unknown loss reduction {self.data['loss_reduction']!r}")

    def examples(self, rows: Iterable[Mapping[str, Any]], model: torch.nn.Module, tokenizer: Any) -> list[Example]:
        """Prompt and completion of each row."""
        return tokens.encode_all(rows, self.data, self.sequence_length, tokenizer)

    def weights(self, batch: Sequence[Example]) -> list[float]:
        """For each example the weight of each of its counted tokens in the loss of the whole batch."""
        if self.data["loss_reduction"] == "token-mean":
            return [1 / sum(example.counted for example in batch)] * len(batch)
        return [1 / (len(batch) * example.counted) for example in batch]

    def loss(self, model: torch.nn.Module, part: Sequence[Example], weights: Sequence[float]) -> torch.Tensor:
        """Σ over the part's counted tokens of weight × cross entropy."""
        losses, counted = token_losses(model, part)
        scale = torch.tensor(weights, dtype=losses.dtype)[:, None].expand(counted.shape)[counted]
        return (losses * scale.to(losses.device)).sum()

    def units(self, example: Example) -> int:
        """Counted tokens: the validation loss is a mean over tokens, whatever the reduction."""
        return example.counted

    def told(self) -> str:
        """Nothing: the loss says it."""
        return ""
