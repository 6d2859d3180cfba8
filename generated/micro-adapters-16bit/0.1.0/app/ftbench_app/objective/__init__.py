"""What a client minimises: one module an objective, found here by the spec's `objective.kind`.

A compiled benchmark holds the objective of its spec only, so each is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch


class Objective(Protocol):
    """How rows become examples and a batch of them a loss. An example is whatever the objective makes of a row."""

    def encode(self, row: Mapping[str, Any], tokenizer: Any) -> Any:
        """The example of a row, or (a str) why the row is left out: a reason that is the same for many rows."""

    def ready(self, examples: list[Any], model: torch.nn.Module) -> list[Any]:
        """The examples with whatever the frozen base model has to say of them. They are made once in a process."""

    def length(self, example: Any) -> int:
        """Most tokens of it that go through the model in one sequence."""

    def tokens(self, example: Any) -> int:
        """Tokens of it that go through the model in all."""

    def weights(self, batch: Sequence[Any]) -> list[float]:
        """For each example of an effective batch its weight in the batch's loss, so that micro-batches add up."""

    def batch(
        self, part: Sequence[Any], weights: Sequence[float], length: int = 0, counted: int = 0
    ) -> dict[str, torch.Tensor]:
        """What a pass over the part needs, on the CPU: its shapes follow from the part, or from `length` (of padded
        sequences) and `counted` (tokens) where these are larger."""

    def compute(
        self, model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Σ over the part's examples of weight × loss, a scalar to go backward from; and what `note` is told of the
        pass. On the model's device, and nothing in it waits for that: it may be captured."""

    def constants(self) -> tuple[object, ...]:
        """What `compute` goes by beside its tensors: a pass is captured for these."""

    def note(self, part: Sequence[Any], more: torch.Tensor | None) -> None:
        """A pass in training was made of that part, and `more` is what it told."""

    def units(self, example: Any) -> int:
        """How much an example counts in the validation loss, which is the loss with weights 1 over the sum of these."""

    def told(self) -> str:
        """What the passes noted so far are worth telling in the log; empty: nothing."""


def loss(
    objective: Objective, model: torch.nn.Module, part: Sequence[Any], weights: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`compute` of the part on the model's device."""
    device = next(model.parameters()).device
    made = objective.batch(part, weights)
    return objective.compute(model, {name: tensor.to(device) for name, tensor in made.items()})


def find_objective(spec: Mapping[str, Any]) -> Objective:
    """The objective of a spec: the class `Objective` of the module here with its name. Raises ValueError where there is
    none of that kind."""
    kind = spec["objective"]["kind"]
    if not (Path(__file__).parent / f"{kind}.py").is_file():
        raise ValueError(f"there is no objective {kind!r}")
    found: Objective = importlib.import_module(f".{kind}", __name__).Objective(spec)
    return found
