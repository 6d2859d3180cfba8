"""The output head only where something is learnt, and its loss without keeping logits.

Logits of a batch are most of a small model's memory, and those of prompt tokens are thrown away. Here the hidden states
of the counted tokens alone go through the head, some rows at a time; each row's loss is kept, and its gradient with
respect to the hidden state, which is all that the backward pass needs, as the head is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

CHUNK = 2**25
"""Most logits that are there at once."""
LEAST = 16
"""Least rows of a chunk."""


@dataclass(frozen=True)
class Head:
    """The frozen head of a model: logits = cap(scale · W h)."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    scale: float
    cap: float | None
    """Logits x become cap · tanh(x / cap)."""

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """At least in float32, whatever the model computes in: bfloat16 has 8 bits for a sum over the vocabulary."""
        made = torch.nn.functional.linear(hidden, self.weight, self.bias)
        if made.dtype in (torch.bfloat16, torch.float16):
            made = made.float()
        if self.scale != 1:
            made = made.mul_(self.scale)
        return made if self.cap is None else made.div_(self.cap).tanh_().mul_(self.cap)


def find(base: torch.nn.Module) -> Head | None:
    """The head of a model of a known family; None where it is trained, adapted or more than a matrix."""
    layer: Any = base.get_output_embeddings()  # type: ignore[operator]
    if type(layer) is not torch.nn.Linear or any(p.requires_grad for p in layer.parameters()):
        return None
    config: Any = base.config
    scale = float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)
    cap = getattr(config, "final_logit_softcapping", None)
    return Head(layer.weight.detach(), layer.bias, scale, None if cap is None else float(cap))


def losses(
    head: Head, hidden: torch.Tensor, where: torch.Tensor, wanted: torch.Tensor, back: torch.Tensor
) -> torch.Tensor:
    """Cross entropy in nats of the tokens `wanted` predicted from the rows `where` of `hidden` [positions, width].

    `back`: for each row of `hidden` its place in `where`, or their number where it is not among them: gradients are
    gathered by it, which has one order on every device, as scattering has not.
    """
    graded = torch.is_grad_enabled()
    found: torch.Tensor = _Losses.apply(hidden, where, wanted, back, head, graded)  # type: ignore[no-untyped-call]
    return found


class _Losses(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  (autograd knows no keywords)
        ctx: Any, hidden: Any, where: Any, wanted: Any, back: Any, head: Head, graded: bool
    ) -> Any:
        rows = hidden.index_select(0, where)
        targets = wanted[:, None]
        graded = graded and hidden.requires_grad
        size = max(LEAST, CHUNK // head.weight.shape[0])
        kept, slopes = [], []
        for start in range(0, len(rows), size):
            whole = len(rows) <= size
            part, target = (rows, targets) if whole else (rows[start : start + size], targets[start : start + size])
            logits = head.logits(part)
            logs = torch.log_softmax(logits, 1)
            if head.cap is None:
                del logits
            kept.append(logs.gather(1, target))
            if graded:
                slope = _less_one(logs.exp_(), target)
                if head.cap is not None:
                    slope.mul_(logits.div_(head.cap).square_().neg_().add_(1))
                    del logits
                if head.scale != 1:
                    slope.mul_(head.scale)
                slopes.append(torch.mm(slope.to(head.weight.dtype), head.weight))
                del slope
            del logs
        if graded:
            ctx.save_for_backward(back, slopes[0] if len(slopes) == 1 else torch.cat(slopes))
        return (kept[0] if len(kept) == 1 else torch.cat(kept)).squeeze(1).neg_()

    @staticmethod
    def backward(ctx: Any, grown: Any) -> Any:
        back, slopes = ctx.saved_tensors
        each = torch.nn.functional.pad(slopes * grown[:, None].to(slopes.dtype), (0, 0, 0, 1))
        return each.index_select(0, back), None, None, None, None, None


def _less_one(shares: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The shares with 1 taken from each row's target, in place."""
    if not shares.is_cuda:
        return shares.scatter_add_(1, target, shares.new_full(target.shape, -1))
    # Scattering counts as not deterministic there, though no place is named twice.
    return shares.sub_((torch.arange(shares.shape[1], device=shares.device)[None, :] == target).to(shares.dtype))
