"""The micro model: a byte-level BPE tokenizer and a Llama-shaped causal language model, trained from nothing.

Importing this module imports neither torch nor transformers; its functions do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

BOS, EOS, PAD = "<bos>", "<eos>", "<pad>"


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the model and of its pre-training."""

    vocabulary: int = 1024
    """Tokens, the 256 bytes and 3 special ones among them."""
    hidden: int = 128
    layers: int = 2
    heads: int = 4
    intermediate: int = 256
    positions: int = 256
    """Most tokens in a sequence."""
    block: int = 64
    """Tokens in a pre-training sequence: whole lines, then padding."""
    batch: int = 32
    """Sequences in a step."""
    steps: int = 2000
    learning_rate: float = 4e-3
    warmup: int = 100
    """Steps over which the learning rate rises; then it falls as a cosine to a tenth."""
    seed: int = 20261120


def train_tokenizer(lines: Sequence[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer learnt from `lines`. It adds BOS where special tokens are asked for."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return tokenizer


def config(shape: Shape, tokenizer: Tokenizer) -> dict[str, Any]:
    """What `config.json` holds: only what makes the model, so that no library version is in the file."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": tokenizer.token_to_id(BOS),
        "dtype": "float32",
        "eos_token_id": tokenizer.token_to_id(EOS),
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.positions,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "pad_token_id": tokenizer.token_to_id(PAD),
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "vocab_size": tokenizer.get_vocab_size(),
    }


def pack(tokenizer: Tokenizer, lines: Sequence[str], block: int) -> list[list[int]]:
    """Token blocks of equal length, each made of whole lines between BOS and EOS and then padding."""
    special = {token: tokenizer.get_vocab()[token] for token in (BOS, EOS, PAD)}
    blocks: list[list[int]] = [[]]
    for encoding in tokenizer.encode_batch(list(lines), add_special_tokens=False):
        ids = [special[BOS], *encoding.ids[: block - 2], special[EOS]]
        if len(blocks[-1]) + len(ids) > block:
            blocks.append([])
        blocks[-1].extend(ids)
    return [ids + [special[PAD]] * (block - len(ids)) for ids in blocks]


def pretrain(
    shape: Shape, tokenizer: Tokenizer, lines: Sequence[str], report: Callable[[int, float], None] = lambda *_: None
) -> LlamaForCausalLM:
    """A model trained on `lines` from a seeded start, on one thread. Calls `report(step, loss)` now and then."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(shape.seed)
    model = LlamaForCausalLM(LlamaConfig(**config(shape, tokenizer)))
    data = torch.tensor(pack(tokenizer, lines, shape.block))
    pad = tokenizer.get_vocab()[PAD]
    optimizer = torch.optim.AdamW(model.parameters(), lr=shape.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    order = torch.Generator().manual_seed(shape.seed)
    queue = torch.randperm(len(data), generator=order)
    model.train()
    for step in range(shape.steps):
        if len(queue) < shape.batch:
            queue = torch.randperm(len(data), generator=order)
        ids, queue = data[queue[: shape.batch]], queue[shape.batch :]
        share = min((step + 1) / shape.warmup, 1.0)
        fall = 0.1 + 0.9 * (1 + math.cos(math.pi * step / shape.steps)) / 2
        optimizer.param_groups[0]["lr"] = shape.learning_rate * share * fall
        loss = model(input_ids=ids, labels=torch.where(ids == pad, -100, ids)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == shape.steps - 1:
            report(step + 1, loss.item())
    model.eval()
    return model


def save(model: LlamaForCausalLM, shape: Shape, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the model's files. Weights are kept as float16 to stay small; config.json says to load them as float32."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in sorted(model.state_dict().items())
        if name != "lm_head.weight"  # tied to the embedding
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    _write_json(folder / "config.json", config(shape, tokenizer))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "bos_token": BOS,
            "eos_token": EOS,
            "pad_token": PAD,
            "clean_up_tokenization_spaces": False,
            "model_max_length": shape.positions,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
