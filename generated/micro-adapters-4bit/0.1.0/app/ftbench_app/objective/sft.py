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
from .likelihood import Tensors, batch, token_losses


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

    def tokens(self, example: Example) -> int:
        """Prompt and completion."""
        return len(example.ids)

    def weights(self, batch: Sequence[Example]) -> list[float]:
        """For each example the weight of each of its counted tokens in the loss of the whole batch."""
        if self.data["loss_reduction"] == "token-mean":
            return [1 / sum(example.counted for example in batch)] * len(batch)
        return [1 / (len(batch) * example.counted) for example in batch]

    def batch(self, part: Sequence[Example], weights: Sequence[float], length: int = 0, counted: int = 0) -> Tensors:
        """The examples with a scale for each counted token, zero where it is there to fill up."""
        tensors = batch(part, length, counted)
        scales = [weight for example, weight in zip(part, weights, strict=True) for _ in range(example.counted)]
        scales += [0.0] * (len(tensors["where"]) - len(scales))
        return {**tensors, "scale": torch.tensor(scales, dtype=torch.float64)}

    def compute(self, model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, None]:
        """Σ over counted tokens of weight × cross entropy."""
        losses = token_losses(model, tensors)
        return (losses * tensors["scale"].to(losses.dtype)).sum(), None

    def constants(self) -> tuple[object, ...]:
        """Nothing: the reduction is in each batch's scales."""
        return ("sft",)

    def note(self, part: Sequence[Example], more: torch.Tensor | None) -> None:
        """Counts the tokens learnt."""
        self._learnt += [example.counted for example in part]

    def units(self, example: Example) -> int:
        """Counted tokens: the validation loss is a mean over tokens, whatever the reduction."""
        return example.counted

    def told(self) -> str:
        """How many tokens were learnt, in how many examples."""
        count = len(self._learnt)
        return f"{sum(self._learnt)} tokens learnt in {count} examples" if count else ""
