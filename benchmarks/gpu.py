"""A client's step on the card at hand: ours captured, ours operator by operator, and a bare transformers + peft loop.

    python benchmarks/gpu.py --check            what works on this card and stack, in under a minute
    python benchmarks/gpu.py --out gpu.json     the rows, in under 6 minutes

Offline, with random weights in published shapes; nothing is installed and nothing of ftbench but its folder is needed:
the stack is the card's own, and is printed. Each row is written as soon as it is measured. Both loops train the same
model object from the same adapter on the same examples; the bare one goes first, as somebody writes it with the two
libraries: loss from the model, AdamW with defaults, clipping, `loss.item()` each step.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import statistics
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from ftbench.app import captured, flat, layers, loading, model, objective, prepared, training
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
ROWS: list[tuple[str, str, int, bool, int, int, str, float]] = [
    # shape, adapter, bits, checkpointing, batch, tokens, lengths, seconds that the row may take
    ("135M", "dora", 4, True, 16, 64, "whole", 40),
    ("135M", "lora", 16, False, 16, 64, "whole", 25),
    ("1.5B", "dora", 4, True, 16, 512, "whole", 60),
    ("135M", "dora", 4, True, 16, 512, "whole", 35),
    ("0.5B", "dora", 4, True, 16, 512, "whole", 45),
    ("1.5B", "lora", 16, True, 16, 512, "whole", 40),
    ("1.5B", "dora", 4, True, 16, 512, "lognormal", 60),
    ("7B", "dora", 4, True, 16, 512, "whole", 90),
]
OPTIMIZER = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0}
RATE = 1e-4
SPEC = {"objective": {"kind": "sft"}, "data": {"loss_reduction": "token-mean"}, "training": {"sequence_length": 512}}
STARTED = perf_counter()


def main() -> int:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say what works, on tiny models, and end")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="where the rows are written (gpu.json)")
    parser.add_argument("--seconds", type=float, default=340, help="begin no row after so many (default: 340)")
    parser.add_argument("--rows", default="", help="numbers of rows from 0, with commas; all where left out")
    parser.add_argument("--no-bare", action="store_true", help="leave the bare loop out")
    parser.add_argument("--shape", default="", help="one row with this shape, for a try: tiny")
    asked = parser.parse_args()
    torch.manual_seed(1)
    say(f"stack {json.dumps(stack())}")
    if asked.check:
        return check()
    rows = [ROWS[int(n)] for n in asked.rows.split(",")] if asked.rows else ROWS
    if asked.shape:
        rows = [(asked.shape, kind, bits, True, 4, 32, "whole", 30.0) for kind in ("dora", "lora") for bits in (4, 16)]
    found: list[dict[str, Any]] = []
    for row in rows:
        left = asked.seconds - (perf_counter() - STARTED)
        if left < row[-1] / 2:
            found.append({"row": list(row), "skipped": f"{left:.0f} s left"})
        else:
            say(f"row {row}")
            start = perf_counter()
            try:
                found.append(measure(*row[:-1], budget=min(row[-1], left), bare=not asked.no_bare))
            except Exception as error:
                traceback.print_exc()
                found.append({"row": list(row), "failed": f"{type(error).__name__}: {error}"[:500]})
            found[-1]["row_seconds"] = round(perf_counter() - start, 1)
        say(json.dumps(found[-1]))
        write(asked.out, {"benchmark": "gpu", "stack": stack(), "rows": found})
        clean()
    table(found)
    return 0


def say(text: str) -> None:
    print(f"[{perf_counter() - STARTED:6.1f} s] {text}", flush=True)


def write(path: Path, document: dict[str, Any]) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(document, indent=1) + "\n")
    beside.replace(path)


def stack() -> dict[str, str]:
    """Card and versions: the card's own, whatever the benchmarks pin."""
    found = {"device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"}
    for name in ("torch", "transformers", "peft", "bitsandbytes", "triton", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


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


def measure(  # noqa: PLR0917
    shape: str,
    kind: str,
    bits: int,
    checkpointing: bool,
    batch: int,
    tokens: int,
    lengths: str,
    *,
    budget: float,
    bare: bool,
) -> dict[str, Any]:
    """One row: the bare loop, ours by operators and ours captured, on one model object from one adapter."""
    began = perf_counter()
    found: dict[str, Any] = {"row": [shape, kind, bits, checkpointing, batch, tokens, lengths]}
    net = build(shape, kind, bits, checkpointing)
    start = model.get_arrays(net)
    weights = torch.cuda.memory_allocated() if cuda() else 0
    found["weights_and_adapter_mib"] = mib(weights)
    made = examples(batch if lengths == "whole" else 6 * batch, tokens, lengths, SHAPES[shape]["vocab_size"])
    say(f"  built in {perf_counter() - began:.1f} s, {mib(weights)} MiB")

    if bare:
        reset()
        found["bare"] = theirs(net, made, batch, budget)
        found["bare"]["peak_mib"] = peaks(weights)
        say(f"  bare {found['bare']}")
        model.set_arrays(net, start)
        net.zero_grad(set_to_none=True)

    loading.make_deterministic() if cuda() else None
    if why := prepared.prepare(net):
        raise RuntimeError(f"our layers are not in use: {why}")
    with operators():
        reset()
        first, loss = timed(lambda: ours(net, made, batch, 1))
        steps = max(1, min(4, int(budget / 5 / max(first, 1e-3))))
        seconds, _ = timed(lambda: ours(net, made, batch, steps))
        found["operators"] = {"seconds": round(seconds / steps, 4), "first_loss": loss, "peak_mib": peaks(weights)}
    if bare:
        found["losses_apart"] = abs(loss - found["bare"]["first_loss"])
    say(f"  operators {found['operators']}")

    if cuda():
        found["captured"] = replayed(net, start, made, batch, budget, lengths)
        found["captured"]["peak_mib"] = peaks(weights)
        say(f"  captured {found['captured']}")
    if bare:
        for name in ("operators", "captured"):
            if name in found and "seconds" in found[name]:
                found[f"ratio_{name}"] = round(found[name]["seconds"] / found["bare"]["seconds"], 3)
    found["estimate_mib"] = estimated(net, kind, bits, checkpointing, batch, tokens)
    if cuda() and lengths == "whole":
        with contextlib.suppress(Exception):
            found["profile"] = profiled(net, made, batch)
    say(f"  ratios {found.get('ratio_operators')} {found.get('ratio_captured')}, estimate {found['estimate_mib']}")
    return found


def theirs(net: torch.nn.Module, made: list[Example], batch: int, budget: float) -> dict[str, Any]:
    times: list[float] = []
    losses = bare(net, made, batch, 1, times)
    steps = max(2, min(5, int(budget / 4 / max(times[0], 1e-3))))
    times.clear()
    bare(net, made, batch, steps, times)
    return {"seconds": round(statistics.median(times), 4), "all": [round(t, 4) for t in times], "first_loss": losses[0]}


def replayed(  # noqa: PLR0917
    net: torch.nn.Module, start: Any, made: list[Example], batch: int, budget: float, lengths: str
) -> dict[str, Any]:
    """Captured steps, and whether three of them end where three steps by operators end."""
    model.set_arrays(net, start)
    with operators():
        ours(net, made, batch, 3)
    due = flat.of(net).values.clone()
    began = flat.of(net).values.clone()
    model.set_arrays(net, start)
    began.copy_(flat.of(net).values)
    reset()
    warm = 3 if lengths == "whole" else 13
    first, _ = timed(lambda: ours(net, made, batch, warm))
    graphs = captured.of(net)
    if graphs is None:
        return {"failed": captured._known[net].reason if net in captured._known else captured._hindered(net)}
    model.set_arrays(net, start)
    ours(net, made, batch, 3)
    apart = float((flat.of(net).values - due).norm() / (due - began).norm())
    steps = max(3, min(30, int(budget / 4 / max(first / warm, 1e-3))))
    steps = steps if lengths == "whole" else max(6, steps // 6 * 6)
    all_ = [timed(lambda: ours(net, made, batch, steps))[0] / steps for _ in range(3)]
    outcome = passes_alone(net, made, batch)
    return {
        "seconds": round(statistics.median(all_), 4),
        "all": [round(one, 4) for one in all_],
        "steps": steps,
        "shapes": graphs.captured,
        "capture_seconds": round(graphs.seconds, 2),
        "adapters_apart_of_moved": apart,
        **outcome,
    }


def passes_alone(net: torch.nn.Module, made: list[Example], batch: int) -> dict[str, float]:
    """Seconds of the refresh and of the optimiser alone, where they are to be had."""
    graphs = captured.of(net)
    if graphs is None:
        return {}
    layers.known(net).refresh()
    refresh = min(timed(graphs.refresh)[0] for _ in range(3))
    whole = flat.of(net)
    piece = torch.nn.Parameter(whole.values.clone())
    piece.grad = torch.zeros_like(whole.values)
    optimizer = training._optimizer([piece], _recipe())
    optimizer.step()
    moved = min(timed(optimizer.step)[0] for _ in range(3))
    return {"refresh_seconds": round(refresh, 5), "optimiser_seconds": round(moved, 5)}


def _recipe() -> training.Recipe:
    return training.Recipe(RATE, OPTIMIZER, 1, 1, 0, objective.find_objective(SPEC), 1.0)


def profiled(net: torch.nn.Module, made: list[Example], batch: int) -> dict[str, Any]:
    """Time of kernels in three captured steps, a step: in all and the largest."""
    from torch.profiler import ProfilerActivity, profile

    ours(net, made, batch, 1)
    wait()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        ours(net, made, batch, 3)
        wait()
    kernels = [(event.self_device_time_total, event.count, event.key) for event in seen.key_averages()]
    kernels = sorted((one for one in kernels if one[0] > 0), reverse=True)
    return {
        "busy_seconds": round(sum(time for time, _, _ in kernels) / 3e6, 5),
        "kernels": sum(count for _, count, _ in kernels) // 3,
        "largest": [[round(time / 3e3, 3), count // 3, key[:90]] for time, count, key in kernels[:14]],
    }


def estimated(  # noqa: PLR0917
    net: Any, kind: str, bits: int, checkpointing: bool, batch: int, tokens: int
) -> dict[str, float] | str:
    """What `ftbench estimate` says, in MiB by part; a text where its packages are missing."""
    try:
        from ftbench.base_models import estimate, hub_config
        from ftbench.base_models.catalogue import BaseModel
    except ImportError as error:
        return f"no estimate: {error}"
    architecture = hub_config.from_config(net.get_base_model().config.to_dict())
    parameters = sum(p.numel() for p in net.get_base_model().parameters())
    plain = BaseModel(
        name="random",
        variant=None,
        pair=None,
        licence=None,
        parameters=max(1, parameters),
        revision=None,
        stored="bfloat16",
        architecture=architecture,
        sources={},
    )
    setting = estimate.Setting(
        kind=kind,  # type: ignore[arg-type]
        rank=RANK,
        targets="all-linear",
        clients_per_round=1,
        rounds=1,
        sequence_length=tokens,
        micro_batch=batch,
        bits=bits,  # type: ignore[arg-type]
        double_quant=True,
        learnt=0.5,
        gradient_checkpointing=checkpointing,
    )
    made = estimate.estimate(plain, setting)
    parts = {part.name: mib(part.bytes) for part in made.memory}
    without = sum(part.bytes for part in made.memory if part.name != "runtime")
    return {"allocated": mib(without), **parts}


# --- check ------------------------------------------------------------------------------------------------------------


def check() -> int:
    """Every kind of step on a tiny model: captured or not, and why."""
    wrong = 0
    for kind in ("dora", "lora"):
        for bits in (4, 16, 32):
            for checkpointing in (False, True):
                for dropout in (0.0, 0.1):
                    name = f"{kind} {bits} bits, checkpointing {checkpointing}, dropout {dropout}"
                    try:
                        told = tried(kind, bits, checkpointing, dropout)
                    except Exception as error:
                        traceback.print_exc()
                        told = f"FAILED {type(error).__name__}: {error}"[:300]
                        wrong += 1
                    say(f"{name}: {told}")
                    clean()
    say("all work" if not wrong else f"{wrong} do not work")
    return 1 if wrong else 0


def tried(kind: str, bits: int, checkpointing: bool, dropout: float) -> str:
    net = build("tiny", kind, bits, checkpointing, dropout)
    made = examples(8, 32, "whole", 500)
    start = model.get_arrays(net)
    if cuda():
        loading.make_deterministic()
    times: list[float] = []
    reference = bare(net, made, 8, 1, times)[0]
    model.set_arrays(net, start)
    net.zero_grad(set_to_none=True)
    if why := prepared.prepare(net):
        return f"peft's own layers: {why}"
    with operators():
        first = ours(net, made, 8, 1)
        model.set_arrays(net, start)
        torch.manual_seed(7)
        ours(net, made, 8, 4)
    due = flat.of(net).values.clone()
    model.set_arrays(net, start)
    began = flat.of(net).values.clone()
    torch.manual_seed(7)
    ours(net, made, 8, 4)
    apart = float((flat.of(net).values - due).norm() / (due - began).norm())
    graphs = captured.of(net)
    if graphs is not None:
        told = f"captured {graphs.captured}"
    elif net in captured._known:
        told = f"NOT CAPTURED: {captured._known[net].reason}"
    else:
        told = f"not captured: {captured._hindered(net) or 'no CUDA device'}"
    with operators():
        seconds = timed(lambda: ours(net, made, 8, 5))[0] / 5
    fast = timed(lambda: ours(net, made, 8, 5))[0] / 5
    return (
        f"{told}; loss {first:.4f}, bare {reference:.4f}; four steps {apart:.1e} apart; "
        f"{1e3 * seconds:.1f} ms by operators, {1e3 * fast:.1f} ms now, bare {1e3 * times[0]:.0f} ms (first)"
    )


def table(found: list[dict[str, Any]]) -> None:
    """Short, last."""
    print(
        f"{'row':<46} {'bare':>8} {'oper.':>8} {'capt.':>8} {'ratio':>6} {'peak':>8} {'bare peak':>9} {'estimate':>8}"
    )
    for one in found:
        name = " ".join(map(str, one["row"]))[:46]
        if "failed" in one or "skipped" in one:
            print(f"{name:<46} {one.get('failed', one.get('skipped'))}")
            continue
        side = one.get("captured", {})
        cells = [
            one.get("bare", {}).get("seconds"),
            one["operators"]["seconds"],
            side.get("seconds", side.get("failed", "-")),
            one.get("ratio_captured"),
            one["operators"]["peak_mib"].get("allocated"),
            one.get("bare", {}).get("peak_mib", {}).get("allocated"),
            one["estimate_mib"]["allocated"] if isinstance(one["estimate_mib"], dict) else "-",
        ]
        print(f"{name:<46} " + " ".join(f"{cell!s:>8}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
