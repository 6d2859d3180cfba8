"""Every parameter of a model, by name and shape, from its architecture alone: no weights, no torch."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from ftbench.base_models.architecture import Architecture


class Linear(NamedTuple):
    """A linear layer: its full module name in `transformers`, its width in and out."""

    name: str
    inputs: int
    outputs: int
    bias: bool = False
    head: bool = False
    """Whether it is the output head, which `all-linear` and quantisation leave alone."""

    @property
    def elements(self) -> int:
        """Elements of the weight matrix."""
        return self.inputs * self.outputs


class Parameter(NamedTuple):
    """A parameter: its full name in `transformers` and its shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


GROUPS = {
    "attention": ("q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj"),
    "mlp": ("gate_proj", "up_proj", "gate_up_proj", "down_proj"),
}
"""What `adapter.targets: attention` and `mlp` mean in a model of any family, as the app has it."""


def families(architecture: Architecture) -> dict[str, list[str]]:
    """Names that adapters may target, by the part of a layer they belong to; none where a counted family has none of
    the names by which `attention` and `mlp` are known to the app."""
    if architecture.counted is not None:
        here = {linear.name.rpartition(".")[2] for linear in architecture.counted.linears}
        return {part: [name for name in names if name in here] for part, names in GROUPS.items()}
    if architecture.fused:
        return {"attention": ["qkv_proj", "o_proj"], "mlp": ["gate_up_proj", "down_proj"]}
    return {"attention": ["q_proj", "k_proj", "v_proj", "o_proj"], "mlp": ["gate_proj", "up_proj", "down_proj"]}


def layer_linears(architecture: Architecture, layer: int) -> list[Linear]:
    """The linear layers of one decoder layer, in the order in which `transformers` makes them."""
    a = architecture
    attention, mlp = f"model.layers.{layer}.self_attn.", f"model.layers.{layer}.mlp."
    qkv, out = a.attention_bias != "none", a.attention_bias == "qkvo"
    o_proj = Linear(attention + "o_proj", a.q_width, a.hidden, out)
    down = Linear(mlp + "down_proj", a.intermediate, a.hidden, a.mlp_bias)
    if a.fused:
        return [
            o_proj,
            Linear(attention + "qkv_proj", a.hidden, a.q_width + 2 * a.kv_width, qkv),
            Linear(mlp + "gate_up_proj", a.hidden, 2 * a.intermediate, a.mlp_bias),
            down,
        ]
    return [
        Linear(attention + "q_proj", a.hidden, a.q_width, qkv),
        Linear(attention + "k_proj", a.hidden, a.kv_width, qkv),
        Linear(attention + "v_proj", a.hidden, a.kv_width, qkv),
        o_proj,
        Linear(mlp + "gate_proj", a.hidden, a.intermediate, a.mlp_bias),
        Linear(mlp + "up_proj", a.hidden, a.intermediate, a.mlp_bias),
        down,
    ]


def linears(architecture: Architecture) -> list[Linear]:
    """Every linear layer, the output head last; a tied head is here too, though its weight is the embedding."""
    if architecture.counted is not None:
        return [Linear(x.name, x.inputs, x.outputs, x.bias, x.head) for x in architecture.counted.linears]
    found = [linear for layer in range(architecture.layers) for linear in layer_linears(architecture, layer)]
    return [*found, Linear("lm_head", architecture.hidden, architecture.vocabulary, head=True)]


def parameters(architecture: Architecture) -> list[Parameter]:
    """Every parameter once: a tied head is not counted again. Of a computed family only."""
    return list(_parameters(architecture))


def count(architecture: Architecture) -> int:
    """Number of parameters."""
    if architecture.counted is not None:
        return architecture.counted.parameters
    return sum(parameter.elements for parameter in _parameters(architecture))


def _parameters(a: Architecture) -> Iterator[Parameter]:
    yield Parameter("model.embed_tokens.weight", (a.vocabulary, a.hidden))
    for linear in linears(a):
        if linear.head and a.tied:
            continue
        yield Parameter(f"{linear.name}.weight", (linear.outputs, linear.inputs))
        if linear.bias:
            yield Parameter(f"{linear.name}.bias", (linear.outputs,))
    norms = ["input_layernorm", "post_attention_layernorm"]
    if a.norms == 4:
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    for layer in range(a.layers):
        for norm in norms:
            yield Parameter(f"model.layers.{layer}.{norm}.weight", (a.hidden,))
        for norm in ("q_norm", "k_norm") if a.qk_norm else ():
            yield Parameter(f"model.layers.{layer}.self_attn.{norm}.weight", (a.head_dim,))
    yield Parameter("model.norm.weight", (a.hidden,))
