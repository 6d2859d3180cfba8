"""What a decoder's shape is: the facts from which every count and byte follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block

Size = Annotated[int, Field(ge=1)]


class CountedLinear(Block):
    """A linear layer of a model that was counted rather than computed."""

    name: str
    """Full module name."""
    inputs: Size
    outputs: Size
    bias: bool = False
    head: bool = False
    """Whether it is the output head."""


class Counted(Block):
    """What a model of a family without arithmetic of its own has, counted on the model itself or its files' headers."""

    parameters: Size
    """Number of parameters, a tied head counted once."""
    linears: list[CountedLinear]
    """Every linear layer."""


class Architecture(Block):
    """A decoder-only transformer as `transformers` builds it: RMSNorm, rotary positions, gated MLP, grouped queries.

    The names of fields in the hub's `config.json` stand in parentheses. Where `counted` is there, parameters and linear
    layers are what it says, whatever the family; the sizes then serve the estimate of activations alone.
    """

    model_type: str
    """Which class of `transformers` builds it (`model_type`)."""
    hidden: Size
    """Width of the residual stream (`hidden_size`)."""
    layers: Size
    """Number of decoder layers (`num_hidden_layers`)."""
    heads: Size
    """Query heads of a layer (`num_attention_heads`)."""
    kv_heads: Size
    """Key and value heads of a layer (`num_key_value_heads`)."""
    head_dim: Size
    """Width of one head (`head_dim`, else hidden / heads)."""
    intermediate: Size
    """Inner width of the MLP (`intermediate_size`)."""
    vocabulary: Size
    """Rows of the embedding, padding rows included (`vocab_size`)."""
    tied: bool
    """Whether the output head is the embedding (`tie_word_embeddings`)."""
    attention_bias: Literal["none", "qkv", "qkvo"] = "none"
    """Which attention projections have a bias: Qwen2 has it on q, k and v whatever its config says."""
    mlp_bias: bool = False
    """Whether the MLP's projections have a bias (`mlp_bias`)."""
    fused: bool = False
    """Whether q, k, v are one layer `qkv_proj` and gate, up one layer `gate_up_proj`, as Phi-3 has it."""
    norms: Literal[2, 4] = 2
    """RMSNorms in a layer; Gemma 2 and 3 have two more, after attention and after the MLP."""
    qk_norm: bool = False
    """Whether each head's queries and keys are normed, with one weight for all heads, as in Qwen3 and Gemma 3."""
    context: Size
    """Most positions (`max_position_embeddings`)."""
    counted: Annotated[Counted | None, Field(exclude=True, repr=False)] = None
    """Set for a family that has no arithmetic here; not shown, as it may be thousands of layers."""

    @property
    def q_width(self) -> int:
        """Outputs of the query projection; differs from `hidden` in Gemma 2 and Mistral Small."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Outputs of the key projection, and of the value projection."""
        return self.kv_heads * self.head_dim
