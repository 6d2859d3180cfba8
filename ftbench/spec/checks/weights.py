"""Base weights, attention and adapters that work together. What does not is refused here, with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.model import Choices, Free, Spec
from ftbench.spec.problems import Problem

HEADS = frozenset({"lm_head", "embed_out"})
"""Output heads by the names that `transformers` gives them."""
EMBEDDINGS = frozenset({"embed_tokens", "embed_in", "wte"})
"""Embeddings, likewise."""
_INT8_DORA = (
    "DoRA does not work on 8-bit weights: it needs the norm of each adapted weight, which `int8` does not give without "
    "rounding again"
)
FLASH = "flash-attention-2"
_BITS = {"nf4": 4, "fp4": 4, "int8": 8}


def quantization(spec: Spec) -> Iterator[Problem]:
    """Number format and bits are one thing said twice; only 4-bit blocks have scales to quantise once more."""
    held = spec.model.quantization
    if held is None:
        return
    at = ("model", "quantization")
    bits = _BITS[held.kind]
    if held.bits != bits:
        message = f"`model.quantization.kind: {held.kind}` has {bits} bits, and `bits` is {held.bits}"
        yield Problem(codes.CONTRADICTION, (*at, "bits"), message, f"write `bits: {bits}`")
    elif held.double and bits != 4:
        message = "`model.quantization.double` has no effect: `int8` has no scales of blocks to quantise"
        yield Problem(codes.NO_EFFECT, (*at, "double"), message, "leave it out, or use `nf4` or `fp4`")

    if bits != 4 and held.compute_dtype is not None:
        message = "`model.quantization.compute_dtype` has no effect: `int8` multiplies in whole numbers"
        yield Problem(codes.NO_EFFECT, (*at, "compute_dtype"), message, "leave it out, or use `nf4` or `fp4`")


def choosable(spec: Spec) -> Iterator[Problem]:
    """What knobs over the weights allow can be chosen: formats of the spec's own bits, kernels of its precision."""
    kinds, kernels = spec.knobs.get("model.quantization.kind"), spec.knobs.get("model.attention")
    held = spec.model.quantization
    for number, kind in enumerate(kinds.choices if isinstance(kinds, Choices) and held is not None else ()):
        if held is not None and _BITS.get(str(kind), held.bits) != held.bits:
            at = ("knobs", "model.quantization.kind", "choices", number)
            yield Problem(codes.CONTRADICTION, at, f"`{kind}` has {_BITS[kind]} bits, and `bits` is {held.bits}")
    for number, kernel in enumerate(kernels.choices if isinstance(kernels, Choices) else ()):
        if kernel == FLASH and spec.model.dtype != "bfloat16":
            message = f"`{FLASH}` computes in 16 bits, and `model.dtype` is {spec.model.dtype}"
            yield Problem(codes.CONTRADICTION, ("knobs", "model.attention", "choices", number), message)


def dora(spec: Spec) -> Iterator[Problem]:
    """DoRA needs weights whose norm can be had; also where a knob allows it."""
    held = spec.model.quantization
    if held is None or held.bits != 8:
        return
    hint = "use `lora`, or hold the weights in 4 bits"
    if spec.adapter.kind == "dora":
        yield Problem(codes.CONTRADICTION, ("adapter", "kind"), _INT8_DORA, hint)
        return
    knob = spec.knobs.get("adapter.kind")
    if isinstance(knob, Free):
        yield Problem(codes.CONTRADICTION, ("knobs", "adapter.kind"), _INT8_DORA, hint)
    elif isinstance(knob, Choices) and "dora" in knob.choices:
        at = ("knobs", "adapter.kind", "choices", knob.choices.index("dora"))
        yield Problem(codes.CONTRADICTION, at, _INT8_DORA, hint)


def attention(spec: Spec) -> Iterator[Problem]:
    """FlashAttention-2 has no float32 kernel."""
    if spec.model.attention == FLASH and spec.model.dtype != "bfloat16":
        message = f"`{FLASH}` computes in 16 bits, and `model.dtype` is {spec.model.dtype}"
        yield Problem(codes.CONTRADICTION, ("model", "attention"), message, "use `dtype: bfloat16`, or `sdpa`")


def heads(spec: Spec) -> Iterator[Problem]:
    """An adapter on head or embedding would make peft send the whole of it with every update."""
    targets = spec.adapter.targets
    lists: list[tuple[tuple[str | int, ...], object]] = [(("adapter", "targets"), targets)]
    knob = spec.knobs.get("adapter.targets")
    if isinstance(knob, Choices):
        lists += [(("knobs", "adapter.targets", "choices", i), choice) for i, choice in enumerate(knob.choices)]
    for at, named in lists:
        for number, name in enumerate(named if isinstance(named, list) else ()):
            last = name.rpartition(".")[2] if isinstance(name, str) else ""
            if last in HEADS | EMBEDDINGS:
                what = "output head" if last in HEADS else "embedding"
                message = f"`{name}` is the {what}: with an adapter on it peft sends the whole of it in every update"
                yield Problem(codes.CONTRADICTION, (*at, number), message, "name linear layers of the decoder")
