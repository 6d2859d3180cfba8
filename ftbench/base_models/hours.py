"""About how long a run takes on a card: floating-point operations over what the card was seen to do.

An order of magnitude, and on the long side: every training row counts as if it filled the sequence length. A pass
forward takes 2 operations a parameter and token, one backward through frozen weights 2 more, and with gradient
checkpointing 2 for computing layers again (J. Kaplan et al., arXiv 2001.08361, §2.1); attention adds 4 × hidden ×
positions a layer and pass. What is written token by token waits for the weights to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.estimate import Setting
from ftbench.spec.model import Spec
from ftbench.spec.tasks import CodeTask

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Device:
    """A card for the estimate."""

    name: str
    gib: int
    """Its memory."""
    operations: float
    """Operations a second in bfloat16, by its maker, without sparsity."""
    bandwidth: float
    """Bytes a second from its memory, by its maker."""
    says: tuple[str, ...]
    """What CUDA's name of a card that computes as it has in it."""


DEVICES = (
    Device("80 GB (H100)", 80, 989e12, 3.35e12, ("H100", "H200")),
    Device("24 GB (RTX 4090)", 24, 165e12, 1.01e12, ("RTX 4090",)),
)
SHARE = {4: 0.26, 8: 0.2, 16: 0.33, 32: 0.1}
"""Bits of the weights → part of the maker's figure that training reaches: measured with 1.5B on an H200 for 4 and 16
(docs/performance.md), which computes as an H100; assumed for others."""
PROMPT_TOKENS = 200
"""Of a test item's prompt, assumed."""
AT_ONCE = 16
"""Items that are answered at once, assumed."""
START_SECONDS = 60.0
"""Loading packages and weights, for training and again for evaluation, assumed."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run asks of a card, in seconds."""

    train: float
    evaluate: float

    @property
    def seconds(self) -> float:
        """All of it, with both starts."""
        return self.train + self.evaluate + 2 * START_SECONDS


def work(spec: Spec, model: BaseModel, setting: Setting, device: Device, *, trained_only: bool = False) -> Work:
    """Of one run of `spec`, whose knobs are in force, with `setting` made from it. `trained_only`: a trial."""
    pace = device.operations * SHARE[setting.bits]
    clients = setting.clients_per_round + (1 if spec.evaluation.references.centralised else 0)
    train = operations(spec, model, setting, clients) / pace
    if trained_only:
        return Work(train, 0.0)
    models = 1 + int(spec.evaluation.references.untuned) + int(spec.evaluation.references.centralised)
    weights = model.parameters * setting.bits / 8
    evaluate = 0.0
    for task in spec.evaluation.tasks:
        items = getattr(task.source, "rows", None) or 1000
        prompts = items * PROMPT_TOKENS * _forward(model, PROMPT_TOKENS) / pace
        written = 0 if task.generation is None else task.generation.max_new_tokens
        passed = isinstance(task, CodeTask) or len(task.scoring) > 1
        evaluate += prompts * (2 if passed and not isinstance(task, CodeTask) else 1)
        evaluate += items / AT_ONCE * written * weights / device.bandwidth if passed else 0.0
    return Work(train, models * evaluate)


def operations(spec: Spec, model: BaseModel, setting: Setting, clients: int) -> float:
    """Of training by so many clients in each round."""
    length = setting.sequence_length
    tokens = setting.rounds * clients * spec.training.local_steps * spec.training.batch_size * length
    passes = 3 if setting.gradient_checkpointing else 2
    return tokens * passes * _forward(model, length)


def seconds(counted: float, setting: Setting, cards: Sequence[str]) -> float | None:
    """Of so many operations on the first of `cards`, as CUDA names them; None for one whose maker's figure is not
    here, and without any."""
    known = [device for device in DEVICES if cards and any(word in cards[0] for word in device.says)]
    return counted / (known[0].operations * SHARE[setting.bits]) if known else None


def _forward(model: BaseModel, length: int) -> float:
    """Operations a token of one pass forward."""
    shape = model.architecture
    return 2.0 * model.parameters + 4.0 * shape.layers * shape.hidden * length
