"""What a decoder's shape is: the facts from which every count and byte follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block

Size = Annotated[int, Field(ge=1)]


class Architecture(Block):
    """A decoder-only transformer as `transformers` builds it: RMSNorm, rotary positions, gated MLP, grouped queries.

    The names of fields in the hub's `config.json` stand in parentheses.
    """

    model_type: Literal["llama", "mistral", "qwen2", "gemma2", "phi3"]
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
    """RMSNorms in a layer; Gemma 2 has two more, after attention and after the MLP."""
    context: Size
    """Most positions (`max_position_embeddings`)."""

    @property
    def q_width(self) -> int:
        """Outputs of the query projection; differs from `hidden` in Gemma 2 and Mistral Small."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Outputs of the key projection, and of the value projection."""
        return self.kv_heads * self.head_dim
