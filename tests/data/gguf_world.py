"""A small GGUF file as llama.cpp's converter writes it: the micro model's weights, an alphabet for a tokenizer."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file
from transformers import AutoConfig

PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Layer of a Llama model: transformers' name → GGUF's."""


def bytes_as_letters() -> list[str]:
    """GPT-2's letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(rest)) for byte in range(256)]


def write(model: Path, path: Path, quantised: gguf.GGMLQuantizationType | None = None) -> dict[str, np.ndarray]:
    """Write `model`, a folder, to `path`; matrices as `quantised` codes them, or as they are. The weights, by name."""
    config = AutoConfig.from_pretrained(model)
    weights = load_file(model / "model.safetensors")
    tokens = ["<bos>", "<eos>", *bytes_as_letters(), "an", "th"]
    tokens += [f"<unused{n}>" for n in range(config.vocab_size - len(tokens))]
    special = [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * (len(tokens) - 2)
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("small")
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    file.add_rope_freq_base(10000.0)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_vocab_size(config.vocab_size)
    file.add_tokenizer_model("gpt2")
    file.add_token_list(tokens)
    file.add_token_types(special)
    file.add_token_merges(["a n", "t h"])
    file.add_bos_token_id(0)
    file.add_eos_token_id(1)
    for name, value in weights.items():
        array = value.astype(np.float32)
        if ".q_proj" in name or ".k_proj" in name:  # llama.cpp turns neighbours together, transformers halves
            heads = config.num_attention_heads
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        if quantised is None or array.ndim == 1:
            file.add_tensor(_named(name), array)
        else:
            file.add_tensor(_named(name), gguf.quants.quantize(array, quantised), raw_dtype=quantised)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return weights


def _named(name: str) -> str:
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.weight"
