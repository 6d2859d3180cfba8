"""Bytes of a frozen base model's weights at 32, 16, 8 and 4 bits."""

from __future__ import annotations

from typing import Literal

from ftbench.base_models.architecture import Architecture
from ftbench.base_models.shapes import Linear, count, linears

Bits = Literal[4, 8, 16, 32]

BLOCK = 64
"""Elements that share a scale in 4-bit quantisation (QLoRA, arXiv 2305.14314; bitsandbytes' default)."""
OUTER_BLOCK = 256
"""Scales that share a scale where they are quantised too (double quantisation)."""


def compute_bytes(bits: Bits) -> int:
    """Bytes of an element in computation: float32 under 32-bit weights, else bfloat16."""
    return 4 if bits == 32 else 2


def quantised(architecture: Architecture, bits: Bits) -> list[Linear]:
    """The layers that are quantised: every linear layer but the output head (`transformers` leaves it out)."""
    return [linear for linear in linears(architecture) if not linear.head] if bits < 16 else []


def weight_bytes(linear: Linear, bits: Bits) -> int:
    """Bytes of one layer's weight matrix, without scales."""
    return -(-linear.elements // 2) if bits == 4 else linear.elements * bits // 8


def scale_bytes(linear: Linear, bits: Bits, double_quant: bool = False) -> int:
    """Bytes of what is kept beside one layer's quantised weight to undo the quantisation.

    4 bits: a float32 scale a block of 64 and the table of 16 values; with double quantisation a byte a block, a
    float32 scale for 256 blocks, their table of 256 values and their mean. 8 bits (LLM.int8, arXiv 2208.07339): a
    float32 scale for each output. Equal to the tensors that bitsandbytes keeps.
    """
    if bits == 8:
        return 4 * linear.outputs
    if bits != 4:
        return 0
    blocks = -(-linear.elements // BLOCK)
    table = 4 * 16
    if not double_quant:
        return 4 * blocks + table
    return blocks + 4 * -(-blocks // OUTER_BLOCK) + 4 * 256 + 4 + table


def base_bytes(architecture: Architecture, bits: Bits, double_quant: bool = False) -> tuple[int, int, int]:
    """Bytes of (quantised weights, their scales, everything else).

    Everything else, embedding, norms, biases and head, stays in the computation's type. Without quantisation all
    of it is in the third.
    """
    layers = quantised(architecture, bits)
    rest = count(architecture) - sum(linear.elements for linear in layers)
    return (
        sum(weight_bytes(linear, bits) for linear in layers),
        sum(scale_bytes(linear, bits, double_quant) for linear in layers),
        rest * compute_bytes(bits),
    )
