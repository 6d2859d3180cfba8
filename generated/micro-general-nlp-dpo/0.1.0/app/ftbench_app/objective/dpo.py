"""Direct preference optimisation (Rafailov et al., arXiv 2305.18290) on pairs of a preferred and another answer.

The loss of a pair is −log sigmoid(beta · m) with m = (log p(y_w) − log p_ref(y_w)) − (log p(y_l) − log p_ref(y_l)),
where log p sums over an answer's learnt tokens, EOS among them. The reference p_ref is the frozen base model: the
adapter switched off, which is what a run's first adapter computes, as B = 0. So the reference is the same for every
client and round, and its log-probabilities are computed once and kept with the pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import logsigmoid

from .. import tokens
from ..tokens import Example
from .likelihood import Tensors, batch, log_probabilities, row_sums, token_losses

BATCH = 2
"""Pairs in one pass of the reference: fixed, so that it does not depend on the operator's micro-batch."""
EQUAL = "two equal answers"


@dataclass(frozen=True)
class Pair:
    """The two answers to one prompt, each with its prompt, and what the reference finds of them."""

    chosen: Example
    rejected: Example
    reference: tuple[float, float] = (0.0, 0.0)
    """Log-probability of the chosen and of the rejected answer under the frozen base model."""


class Objective:
    """Mean over the pairs of the effective batch."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        """Raises ValueError for another loss than the sigmoid."""
        block = spec["objective"]
        if block["loss"] != "sigmoid":
            raise ValueError(f"unknown loss {block['loss']!r}")
        self.beta = float(block["beta"])
        self.data = spec["data"]
        self.sequence_length = int(spec["training"]["sequence_length"])
        self._margins: list[torch.Tensor] = []

    def encode(self, row: Mapping[str, Any], tokenizer: Any) -> Pair | str:
        """The pair of a row without its reference, or why the row is left out.

        Both answers have the same prompt: the over-length rule holds for the longer one. A row is left out where either
        answer leaves nothing to learn, and where both come to the same tokens, of which neither can be preferred.
        """
        answers = [self.data["completion"], self.data["rejected"]]
        made = tokens.encode_answers(row, self.data, answers, self.sequence_length, tokenizer)
        if isinstance(made, str):
            return made
        return EQUAL if made[0] == made[1] else Pair(made[0], made[1])

    def ready(self, examples: list[Pair], model: torch.nn.Module) -> list[Pair]:
        """The pairs with their reference."""
        return referred(model, examples)

    def length(self, example: Pair) -> int:
        """The longer of the two."""
        return max(len(example.chosen.ids), len(example.rejected.ids))

    def tokens(self, example: Pair) -> int:
        """Both answers, each with the prompt."""
        return len(example.chosen.ids) + len(example.rejected.ids)

    def weights(self, batch: Sequence[Pair]) -> list[float]:
        """One over the pairs of the batch."""
        return [1 / len(batch)] * len(batch)

    def batch(self, part: Sequence[Pair], weights: Sequence[float], length: int = 0, counted: int = 0) -> Tensors:
        """Both answers of every pair, the chosen ones first; they go through the model in one pass."""
        tensors = batch(both(part), length, counted)
        expected = [pair.reference[0] - pair.reference[1] for pair in part]
        # What is there to fill up belongs to no answer.
        real = sum(one.counted for one in both(part))
        tensors["row"][real:] = -1
        return {
            **tensors,
            "expected": torch.tensor(expected, dtype=torch.float64),
            "scale": torch.tensor(weights, dtype=torch.float64),
        }

    def compute(self, model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Σ over pairs of weight × −log sigmoid(beta · margin); and beta · margin of every pair."""
        pairs = len(tensors["scale"])
        found = row_sums(token_losses(model, tensors), tensors["row"], 2 * pairs).neg()
        margins = self.beta * (found[:pairs] - found[pairs:] - tensors["expected"].to(found.dtype))
        return -(logsigmoid(margins) * tensors["scale"].to(found.dtype)).sum(), margins.detach()

    def constants(self) -> tuple[object, ...]:
        """Beta."""
        return "dpo", self.beta

    def note(self, part: Sequence[Pair], more: torch.Tensor | None) -> None:
        """Keeps the margins, on their device: reading them here would make it wait."""
        if more is not None:
            self._margins.append(more)

    def units(self, example: Pair) -> int:
        """A pair is one: the validation loss is a mean over pairs."""
        return 1

    def told(self) -> str:
        """How often the implicit reward ranked the preferred answer above the other, and by how much on average."""
        if not self._margins:
            return ""
        margins = torch.cat(self._margins).tolist()
        count = len(margins)
        right = sum(margin > 0 for margin in margins) / count
        return f"reward accuracy {right:.3f}, mean margin {sum(margins) / count:.4f} over {count} pairs"


def both(part: Sequence[Pair]) -> list[Example]:
    """The chosen answers, then the rejected ones."""
    return [*(pair.chosen for pair in part), *(pair.rejected for pair in part)]


def referred(model: torch.nn.Module, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with the reference's log-probabilities: of the model in evaluation mode, its adapter switched off."""
    model.eval()
    found = []
    with torch.no_grad(), model.disable_adapter():  # type: ignore[operator]
        for start in range(0, len(pairs), BATCH):
            part = pairs[start : start + BATCH]
            logs = log_probabilities(model, both(part)).tolist()
            references = zip(logs[: len(part)], logs[len(part) :], strict=True)
            found += [Pair(one.chosen, one.rejected, told) for one, told in zip(part, references, strict=True)]
    return found
