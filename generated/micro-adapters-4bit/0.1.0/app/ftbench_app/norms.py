"""RMSNorm in few operators, its weight frozen: y = w ∘ x / √(mean x² + ε), the quotient in float32.

Forward it is transformers' own sequence of operators, so the values are the same; backward it keeps x and one number a
row, where autograd would keep three float32 copies of x.
"""

from __future__ import annotations

from typing import Any

import torch

CLASSES = frozenset(
    {
        "GraniteRMSNorm",
        "LlamaRMSNorm",
        "MistralRMSNorm",
        "Phi3RMSNorm",
        "Qwen2RMSNorm",
        "Qwen3RMSNorm",
        "SmolLM3RMSNorm",
    }
)
"""transformers' classes that compute this; a test holds each to it."""


def install(base: torch.nn.Module) -> None:
    """Put it into the model's norms of these classes."""
    for module in base.modules():
        if type(module).__name__ in CLASSES and not any(p.requires_grad for p in module.parameters()):
            _put(module)


def _put(module: Any) -> None:
    def forward(hidden_states: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _Norm.apply(hidden_states, module.weight, module.variance_epsilon)  # type: ignore[no-untyped-call]
        return found

    module.forward = forward


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, epsilon: float) -> Any:
        wide = x.to(torch.float32)
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True).add_(epsilon))
        ctx.save_for_backward(x, scale, weight)
        return weight * (wide * scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grown: Any) -> Any:
        x, scale, weight = ctx.saved_tensors
        slope = (grown * weight).to(torch.float32)
        unit = x * scale
        share = (slope * unit).mean(-1, keepdim=True)
        return torch.addcmul(slope, unit, share, value=-1).mul_(scale).to(x.dtype), None, None
