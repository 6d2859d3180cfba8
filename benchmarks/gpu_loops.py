"""What `gpu.py` times: models with random weights in published shapes, their examples, a bare loop and our own."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import torch

from ftbench.app import captured, loading, model, objective, training
from ftbench.app.tokens import IGNORED, Example

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"model_type": "llama", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128}
    | {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "135M": {"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536}
    | {"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True},
    "0.5B": {"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864}
    | {"num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "1.5B": {"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960}
    | {"num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "7B": {"model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944}
    | {"num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "tie_word_embeddings": False},
}
"""SmolLM2-135M, Qwen2.5-0.5B, -1.5B and -7B as their config.json has them."""
RANK = 32
OPTIMIZER = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0}
RATE = 1e-4
SPEC = {"objective": {"kind": "sft"}, "data": {"loss_reduction": "token-mean"}, "training": {"sequence_length": 512}}


def cuda() -> bool:
    return torch.cuda.is_available()


def wait() -> None:
    if cuda():
        torch.cuda.synchronize()


def clean() -> None:
    gc.collect()
    if cuda():
        torch.cuda.empty_cache()


# --- a model and its examples -----------------------------------------------------------------------------------------


def build(shape: str, kind: str, bits: int, checkpointing: bool, dropout: float = 0.0) -> torch.nn.Module:
    """A base model with random weights and an adapter on it, on the device."""
    from transformers import AutoConfig, AutoModelForCausalLM

    device = loading.device()
    block = dict(SHAPES[shape])
    config = AutoConfig.for_model(block.pop("model_type"), **block, max_position_embeddings=2048)
    dtype = torch.float32 if bits == 32 else torch.bfloat16
    torch.manual_seed(1)
    with torch.device(device):
        base: Any = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
    base.to(dtype)
    if bits == 4:
        quantise(base, device)
    if checkpointing:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapter = {"kind": kind, "rank": RANK, "alpha": 2 * RANK, "dropout": dropout, "targets": "all-linear"}
    net = model.attach(base, adapter, 3).to(device)
    with torch.no_grad():  # away from B = 0, where half of the gradients vanish
        for name, parameter in model.trainable(net).items():
            if name.endswith("lora_B.weight"):
                parameter.normal_(std=0.01)
    return net


def quantise(base: Any, device: torch.device) -> None:
    """Every linear layer but the head in nf4 with double quantisation, as transformers has it."""
    import bitsandbytes

    base.is_loaded_in_4bit = True
    head = base.get_output_embeddings()
    for module in list(base.modules()):
        for name, child in list(module.named_children()):
            if type(child) is not torch.nn.Linear or child is head:
                continue
            made = bitsandbytes.nn.Linear4bit(
                child.in_features,
                child.out_features,
                bias=child.bias is not None,
                compute_dtype=torch.bfloat16,
                compress_statistics=True,
                quant_type="nf4",
                device="meta",
            )
            made.weight = bitsandbytes.nn.Params4bit(
                child.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4", module=made
            ).to(device)
            if child.bias is not None:
                made.bias = torch.nn.Parameter(child.bias.data, requires_grad=False)
            if hasattr(made, "support_avx512bf16_for_cpu"):
                made.support_avx512bf16_for_cpu = False
            setattr(module, name, made)


def examples(count: int, tokens: int, lengths: str, vocabulary: int) -> list[Example]:
    """Random tokens, the second half of each example learnt."""
    generator = torch.Generator().manual_seed(2)
    found = []
    for _ in range(count):
        length = tokens
        if lengths == "lognormal":  # median 120
            length = int(min(tokens, max(16, 120 * torch.randn((), generator=generator).mul(0.8).exp())))
        ids = torch.randint(3, vocabulary, (length,), generator=generator).tolist()
        found.append(Example(ids, [IGNORED] * (length // 2) + ids[length // 2 :]))
    return found


# --- the sides --------------------------------------------------------------------------------------------------------


def bare(net: torch.nn.Module, made: list[Example], batch: int, steps: int, times: list[float]) -> list[float]:
    """The loop that somebody writes with transformers and peft."""
    device = loading.device()
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    net.train()
    losses = []
    for step in range(steps):
        wait()
        start = perf_counter()
        part = [made[(step * batch + n) % len(made)] for n in range(batch)]
        longest = max(len(one.ids) for one in part)
        ids = torch.tensor([one.ids + [0] * (longest - len(one.ids)) for one in part], device=device)
        mask = torch.tensor([[1] * len(one.ids) + [0] * (longest - len(one.ids)) for one in part], device=device)
        labels = torch.tensor([one.labels + [IGNORED] * (longest - len(one.ids)) for one in part], device=device)
        loss = net(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        wait()
        times.append(perf_counter() - start)
    return losses


def ours(net: torch.nn.Module, made: list[Example], batch: int, steps: int) -> float:
    """A client's steps as the app takes them; their mean loss."""
    recipe = training.Recipe(
        learning_rate=RATE,
        optimizer=OPTIMIZER,
        steps=steps,
        batch_size=batch,
        micro_batch=0,
        objective=objective.find_objective(SPEC),
        max_grad_norm=1.0,
    )
    return training.train(net, made, (n % len(made) for n in range(10**9)), recipe).loss


@contextlib.contextmanager
def operators() -> Iterator[None]:
    """Without captured steps."""
    captured.ENABLED = False
    try:
        yield
    finally:
        captured.ENABLED = True


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    wait()
    start = perf_counter()
    found = work()
    wait()
    return perf_counter() - start, found


def peaks(base: int) -> dict[str, float]:
    """MiB that were allocated and reserved at most, and allocated beyond `base` bytes."""
    if not cuda():
        return {}
    allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return {"allocated": mib(allocated), "reserved": mib(reserved), "beyond_weights": mib(allocated - base)}


def mib(number: float) -> float:
    return round(number / 2**20, 1)


def reset() -> None:
    clean()
    if cuda():
        torch.cuda.reset_peak_memory_stats()


def recipe(steps: int = 1, batch: int = 1) -> training.Recipe:
    return training.Recipe(RATE, OPTIMIZER, steps, batch, 0, objective.find_objective(SPEC), 1.0)
