"""A client's step on the card at hand: ours captured, ours operator by operator, and a bare transformers + peft loop.

    python benchmarks/gpu.py --check            what works on this card and stack, in under a minute
    python benchmarks/gpu.py --out gpu.json     the rows, in under 6 minutes
    python benchmarks/gpu.py --together 4       a round of 4 clients together against one after another, likewise

Offline, with random weights in published shapes; nothing is installed and nothing of ftbench but its folder is needed:
the stack is the card's own, and is printed. Each row is written as soon as it is measured. Both loops train the same
model object from the same adapter on the same examples; the bare one goes first, as somebody writes it with the two
libraries: loss from the model, AdamW with defaults, clipping, `loss.item()` each step.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import statistics
import sys
import traceback
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gpu_together
import torch
from gpu_loops import (
    RANK,
    SHAPES,
    bare,
    build,
    clean,
    cuda,
    examples,
    mib,
    operators,
    ours,
    peaks,
    recipe,
    reset,
    timed,
    wait,
)

from ftbench.app import captured, flat, layers, loading, model, prepared, training
from ftbench.app.tokens import Example

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
    parser.add_argument("--together", type=int, default=0, metavar="K", help="K clients together against in turn")
    asked = parser.parse_args()
    torch.manual_seed(1)
    say(f"stack {json.dumps(stack())}")
    if asked.check:
        return check()
    rows = [ROWS[int(n)] for n in asked.rows.split(",")] if asked.rows else ROWS
    if asked.shape:
        rows = [(asked.shape, kind, bits, True, 4, 32, "whole", 30.0) for kind in ("dora", "lora") for bits in (4, 16)]
    if asked.together:
        return together(asked)
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


def together(asked: argparse.Namespace) -> int:
    """Rows of clients together, each written as soon as it is measured."""
    every = gpu_together.TINY if asked.shape else gpu_together.ROWS
    rows = [every[int(n)] for n in asked.rows.split(",")] if asked.rows else every
    found: list[dict[str, Any]] = []
    for row in rows:
        left = asked.seconds - (perf_counter() - STARTED)
        say(f"row {row}")
        try:
            if left < row[-1] / 2:
                found.append({"row": list(row), "skipped": f"{left:.0f} s left"})
            else:
                found.append(gpu_together.measure(row, asked.together, left))
        except Exception as error:
            traceback.print_exc()
            found.append({"row": list(row), "failed": f"{type(error).__name__}: {error}"[:500]})
        say(json.dumps(found[-1]))
        write(asked.out, {"benchmark": "gpu-together", "stack": stack(), "rows": found})
        clean()
    return 1 if any("failed" in one for one in found) else 0


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
    optimizer = training.optimizer_of([piece], recipe())
    optimizer.step()
    moved = min(timed(optimizer.step)[0] for _ in range(3))
    return {"refresh_seconds": round(refresh, 5), "optimiser_seconds": round(moved, 5)}


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
    for kind, bits, checkpointing, dropout in gpu_together.CHECKED:
        name = f"{kind} {bits} bits, checkpointing {checkpointing}, dropout {dropout}, together"
        try:
            told = gpu_together.checked(kind, bits, checkpointing, dropout)
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
