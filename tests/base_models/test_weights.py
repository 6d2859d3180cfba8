"""Bytes of quantised weights against the tensors that bitsandbytes itself keeps."""

from __future__ import annotations

import pytest

from ftbench.base_models.catalogue import find_base_model
from ftbench.base_models.shapes import Linear, linears
from ftbench.base_models.weights import base_bytes, quantised, scale_bytes, weight_bytes


@pytest.mark.parametrize("double_quant", [False, True])
@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize(("outputs", "inputs"), [(576, 192), (1536, 576), (64, 64), (3, 5), (2048, 2048)])
def test_four_bits_as_bitsandbytes_keeps_them(outputs: int, inputs: int, kind: str, double_quant: bool) -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("bitsandbytes.functional")
    weight = torch.zeros(outputs, inputs, dtype=torch.bfloat16) + 0.5
    packed, state = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=double_quant)
    kept = [state.absmax, state.code]
    if double_quant:
        kept += [state.offset, state.state2.absmax, state.state2.code]
    linear = Linear("x", inputs, outputs)
    assert weight_bytes(linear, 4) == packed.nbytes
    assert scale_bytes(linear, 4, double_quant) == sum(tensor.nbytes for tensor in kept)


def test_eight_bits_keep_a_scale_an_output() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("bitsandbytes.functional")
    packed, scales, _ = functional.int8_vectorwise_quant(torch.ones(48, 80, dtype=torch.float16))
    linear = Linear("x", 80, 48)
    assert weight_bytes(linear, 8) == packed.nbytes
    assert scale_bytes(linear, 8) == scales.nbytes


@pytest.mark.parametrize("name", ["Qwen2.5-0.5B", "Qwen2.5-7B", "phi-4", "gemma-2-9b"])
def test_what_stays_in_full_precision(name: str) -> None:
    """Everything but the linear layers of the decoder; a tied head is the embedding and counts once."""
    architecture = find_base_model(name).architecture
    assert all(not linear.head for linear in quantised(architecture, 4))
    assert len(quantised(architecture, 8)) == len(linears(architecture)) - 1
    embedding = architecture.vocabulary * architecture.hidden * (1 if architecture.tied else 2)
    rest = base_bytes(architecture, 4)[2] // 2
    assert embedding < rest < embedding * 1.01
    assert base_bytes(architecture, 16) == (0, 0, 2 * find_base_model(name).parameters)


def test_the_layers_left_out_are_those_that_transformers_leaves_out() -> None:
    torch = pytest.importorskip("torch")
    base = pytest.importorskip("transformers.quantizers.base")
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    for tied in (False, True):
        config = transformers.LlamaConfig(**sizes, vocab_size=8, tie_word_embeddings=tied)
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(config)
        left = set(base.get_keys_to_not_convert(model))
        linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
        assert left & linear == {"lm_head"}
