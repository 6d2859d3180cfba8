"""What a training step keeps for its backward pass, counted tensor by tensor.

Two things are counted: the compiled app's own layers, head and norms (`ftbench/app/prepared.py`), and for families that
these do not cover what `transformers` and peft compute. The method is that of Korthikanti et al., "Reducing Activation
Recomputation in Large Transformer Models" (arXiv 2205.05198, section 4), which counts the tensors of a GPT layer. Here
it is applied to what `transformers` and peft compute: RMSNorm in float32, grouped queries, a gated MLP, and base
weights that are frozen, so that a linear layer without an adapter keeps nothing. On CPU the count of a layer equals the
bytes that autograd keeps (a test).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ftbench.base_models.adapters import AdapterKind
from ftbench.base_models.architecture import Architecture
from ftbench.base_models.shapes import Linear
from ftbench.base_models.weights import Bits, compute_bytes

Attention = Literal["sdpa", "eager"]
OURS = frozenset(
    {
        "cohere",
        "gemma",
        "gemma2",
        "gemma3_text",
        "granite",
        "llama",
        "mistral",
        "olmo2",
        "phi3",
        "qwen2",
        "qwen3",
        "smollm3",
    }
)
"""Families with adapter layers of our own: `FAMILIES` of `ftbench/app/layers.py`, which a test compares."""
NORMS = frozenset({"granite", "llama", "mistral", "phi3", "qwen2", "qwen3", "smollm3"})
"""Those of them whose norms are ours too."""
CHUNK = 2**25
"""Logits that are there at once: `CHUNK` of `ftbench/app/head.py`, which a test compares."""
LEAST = 16
"""Least rows of a chunk, as there."""
ADAPTER = 4
"""Bytes of an adapter's element: float32, to which peft also casts the adapter's input."""


@dataclass(frozen=True, slots=True)
class Step:
    """One forward and backward pass."""

    tokens: int
    """Tokens in it: micro-batch × sequence length."""
    sequence_length: int
    """Tokens of one example, padding included."""
    bits: Bits
    """Bits of the frozen weights."""
    kind: AdapterKind
    """Kind of adapter."""
    rank: int
    """Rank of the adapter."""
    dropout: float
    """Dropout on the adapter's input."""
    attention: Attention = "sdpa"
    """`sdpa` and FlashAttention keep no scores; `eager` keeps them, quadratic in the sequence length."""
    padded: bool = True
    """Whether the batch has a mask: keys and values are then repeated for every query head."""
    ours: bool = False
    """Whether the compiled app's own layers, head and norms are counted, or peft's and the model's."""
    learnt: float = 1.0
    """Share of the tokens that the loss counts."""
    mask_bytes: int = 1
    """Bytes of an element of a dropout mask: 1 on CUDA, 4 on CPU."""


def layer_bytes(architecture: Architecture, adapted: list[Linear], step: Step) -> int:
    """Bytes that one decoder layer keeps; `adapted` are its layers with an adapter."""
    a, element = architecture, compute_bytes(step.bits)
    wide = element if step.ours and a.model_type in NORMS else 4  # of a row, one number besides
    norms = a.norms * (wide * a.hidden + 4)
    if a.qk_norm:
        norms += wide * (a.q_width + a.kv_width) + 4 * (a.heads + a.kv_heads)
    mlp = 3 * element * a.intermediate
    token = norms + _attention(a, step) + mlp
    # Gemma scales by one plus the norm's weight: a float32 tensor of its own.
    own = a.model_type in {"gemma2", "gemma3_text"}
    fixed = 4 * (a.norms * a.hidden + (2 * a.head_dim if a.qk_norm else 0)) if own else 0
    return (
        fixed + step.tokens * token + sum(_adapter(x, step) for x in adapted) + step.tokens * _inputs(a, adapted, step)
    )


def logits_bytes(architecture: Architecture, step: Step) -> int:
    """Bytes of the logits, their float32 copy, its log-softmax and the gradient, at their highest.

    Gemma 2 keeps besides the tanh that caps its logits.
    """
    element = compute_bytes(step.bits)
    if step.ours:
        return _own_logits(architecture, step)
    capped = element if architecture.model_type == "gemma2" else 0
    return step.tokens * architecture.vocabulary * (element + capped + 3 * 4)


def _own_logits(a: Architecture, step: Step) -> int:
    """Logits and their log-softmax of one chunk of the counted tokens; hidden states and their gradients of all."""
    element = compute_bytes(step.bits)
    counted = math.ceil(step.learnt * step.tokens)
    rows = min(counted, max(LEAST, CHUNK // a.vocabulary))
    # In float32; on a CUDA device, where bfloat16 is, also which logit is wanted, as a truth value and as a number.
    chunk = rows * a.vocabulary * (8 if element == 4 else 9)
    copies = 2 if rows == counted else 3
    return copies * counted * a.hidden * element + max(chunk, step.tokens * a.hidden * element)


def backward_bytes(architecture: Architecture, step: Step) -> int:
    """Bytes of the gradients that flow back through the MLP, the widest part of a layer."""
    if step.ours and step.kind == "dora":
        # Beside them the gradient times g, and times the product for that of m.
        return step.tokens * compute_bytes(step.bits) * (5 * architecture.intermediate + architecture.hidden)
    return step.tokens * compute_bytes(step.bits) * (3 * architecture.intermediate + architecture.hidden)


def workspace_bytes(adapted: list[Linear], quantised: list[Linear], step: Step) -> int:
    """Bytes of the largest weight that is spelt out for a moment.

    Quantised weights are dequantised for the backward pass. DoRA computes the norm of W + BA: peft 0.21 makes the
    identity, the product BA, the scaled product and the sum as whole matrices, and a copy of W unless it is float32.
    """
    spelt = max((compute_bytes(step.bits) * x.elements for x in quantised), default=0)
    if step.kind == "dora" and not step.ours:
        copies = 3 if step.bits == 32 else 4
        matrices = (ADAPTER * (x.inputs * x.inputs + copies * x.elements) for x in adapted)
        spelt = max(spelt, max(matrices, default=0))
    return spelt


def _attention(a: Architecture, step: Step) -> int:
    """Bytes a token of queries, keys, values and output; of the scores too where they are kept."""
    element = compute_bytes(step.bits)
    repeated = (step.padded and not step.ours) or step.attention == "eager"
    kept = element * (2 * a.q_width + 2 * (a.q_width if repeated else a.kv_width))
    if a.fused and not repeated:
        kept += element * (a.q_width + a.kv_width)  # the values are a view, which keeps queries and keys with them
    if step.attention == "sdpa":
        return kept + 4 * a.heads
    scores = 4 + (element if element < 4 else 0) + (element if a.model_type == "gemma2" else 0)
    return kept + a.heads * step.sequence_length * scores


def _inputs(a: Architecture, adapted: list[Linear], step: Step) -> int:
    """Bytes a token of the adapters' inputs.

    In float32 without dropout layers that read the same tensor share it, and the output projection reads what
    attention keeps anyway. Otherwise each adapter keeps its own copy, and a mask where it drops out.
    """
    if step.ours:
        noise = compute_bytes(step.bits) * sum(x.inputs for x in adapted) if step.dropout else 0
        return noise + compute_bytes(step.bits) * _shared(a, adapted)
    if step.bits == 32 and step.dropout == 0:
        return ADAPTER * _shared(a, adapted)
    masks = step.mask_bytes if step.dropout else 0
    return sum((ADAPTER + masks) * x.inputs for x in adapted)


def _shared(a: Architecture, adapted: list[Linear]) -> int:
    """Elements a token of what adapted layers read, each tensor once, but what attention keeps anyway."""
    attention = any(x.name.endswith(("q_proj", "k_proj", "v_proj", "qkv_proj")) for x in adapted)
    mlp = any(x.name.endswith(("gate_proj", "up_proj")) for x in adapted)
    down = any(x.name.endswith(".down_proj") for x in adapted)
    return (attention + mlp) * a.hidden + down * a.intermediate


def _adapter(linear: Linear, step: Step) -> int:
    """Bytes that one adapter keeps besides its input."""
    if step.ours:
        return step.tokens * compute_bytes(step.bits) * (step.rank + (linear.outputs if step.kind == "dora" else 0))
    kept = step.tokens * ADAPTER * step.rank
    if step.kind == "dora":
        # Both results, of the base layer and of the factors, are multiplied by a trained magnitude.
        base = ADAPTER if step.dropout else compute_bytes(step.bits)
        kept += step.tokens * linear.outputs * (base + ADAPTER) + 3 * ADAPTER * linear.outputs
        if step.dropout and step.bits != 32:
            kept += ADAPTER * linear.elements  # peft computes the base layer again, with a float32 copy of its weight
    return kept
