"""Supervised fine-tuning: cross entropy of the completions.

Every token's loss is weighted by what its *effective* batch says (one over its tokens, or over its examples and their
tokens), so that summing the micro-batches' gradients gives the full batch's gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        self._learnt: list[int] = []
        if self.data["loss_reduction"] not in ("token-mean", "example-mean"):
            raise ValueError(f"unknown loss reduction {self.data['loss_reduction']!r}")

    def encode(self, row: Mapping[str, Any], tokenizer: Any) -> Example | str:
        """Prompt and completion of the row, or why it is left out."""
        return tokens.encode(row, self.data, self.sequence_length, tokenizer)

    def ready(self, examples: list[Example], model: torch.nn.Module) -> list[Example]:
        """As they are."""
        return examples

    def length(self, example: Example) -> int:
        """Prompt and completion."""
        return len(example.ids)

    def weights(self, batch: Sequence[Example]) -> list[float]:
        """For each example the weight of each of its counted tokens in the loss of the whole batch."""
        if self.data["loss_reduction"] == "token-mean":
            return [1 / sum(example.counted for example in batch)] * len(batch)
        return [1 / (len(batch) * example.counted) for example in batch]

    def loss(self, model: torch.nn.Module, part: Sequence[Example], weights: Sequence[float]) -> torch.Tensor:
        """Σ over the part's counted tokens of weight × cross entropy."""
        losses, counted = token_losses(model, part)
        if model.training:
            self._learnt += [example.counted for example in part]
        scale = torch.tensor(weights, dtype=losses.dtype)[:, None].expand(counted.shape)[counted]
        return (losses * scale.to(losses.device)).sum()

    def units(self, example: Example) -> int:
        """Counted tokens: the validation loss is a mean over tokens, whatever the reduction."""
        return example.counted

    def told(self) -> str:
        """How many tokens were learnt, in how many examples."""
        count = len(self._learnt)
        return f"{sum(self._learnt)} tokens learnt in {count} examples" if count else ""
