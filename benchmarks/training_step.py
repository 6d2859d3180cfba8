"""A client's step and a round of clients against a bare transformers + peft loop, on a CPU.

    python benchmarks/training_step.py                     operators, seconds of a step and of a round, by adapter
    python benchmarks/training_step.py --memory            peak memory of a step with a vocabulary of 150,000

The bare loop is what somebody writes with the two libraries: loss from the model, AdamW with defaults, clipping. Both
sides train the quickstart's model from the same adapter on the same examples in the same order, in turn, and must end
at the same adapter. A round is 4 clients of 10 steps: ours in as many processes as there are cores, made of one that
holds the model, as the inline engine has it; the bare loop's one after another, with one thread or all cores, whichever
is faster; the public template's with base model, adapter and Trainer made anew for each client.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common
import numpy
import torch
import training_loop
import transformers
from torch.utils._python_dispatch import TorchDispatchMode

from ftbench.app import loading, model, objective, prepared, training
from ftbench.app.tokens import IGNORED, Example, encode_all

RATE = 1e-3
CLIENTS, STEPS = 4, 10
TOLERANCE = 1e-4


class Count(TorchDispatchMode):
    """ATen operators at the top level, views among them, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.names: collections.Counter[str] = collections.Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names[str(func)] += 1
        return func(*args, **(kwargs or {}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="times that each side is measured (default: 7)")
    parser.add_argument("--memory", action="store_true", help="peak memory instead")
    parser.add_argument("--rows", type=int, default=4, help="examples of 512 tokens for --memory (default: 4)")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if asked.one:
        return one_peak(*asked.one.split(","), asked.rows)
    if asked.memory:
        return memory(asked.rows)
    torch.set_num_threads(1)
    for kind in ("dora", "lora"):
        compare(kind, asked.repeats)
    return None


class Sides:
    """The quickstart's model twice, as peft has it and as the app prepares it, and examples for every client."""

    def __init__(self, kind: str) -> None:
        world = common.world()
        self.folder = world.model
        self.spec = world.spec.model_dump(mode="json")
        self.adapter = {**self.spec["adapter"], "kind": kind}
        digest = world.pins.sources["train"].digest
        assert digest is not None
        tokenizer = model.load_tokenizer(world.model)
        data, length = self.spec["data"], self.spec["training"]["sequence_length"]
        examples = encode_all(world.store.rows(digest), data, length, tokenizer)
        self.batch = self.spec["training"]["batch_size"]
        many = STEPS * self.batch
        self.clients = [(examples * 40)[n * many : (n + 1) * many] for n in range(CLIENTS)]
        self.theirs, self.ours = self.made(), self.made()
        if why := prepared.prepare(self.ours):
            sys.exit(f"our layers are not in use: {why}")
        self.start = model.get_arrays(self.ours)

    def made(self) -> torch.nn.Module:
        """A model with its adapter."""
        return model.attach(loading.load_base(self.folder, self.spec["model"]), self.adapter, 7)

    def bare(self, net: torch.nn.Module, examples: list[Example], steps: int) -> None:
        """The loop that somebody writes."""
        trained = [p for p in net.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
        net.train()
        for step in range(steps):
            part = examples[step * self.batch : (step + 1) * self.batch]
            loss = net(**training_loop.collate(part), use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()

    def our(self, examples: list[Example], steps: int) -> None:
        """A client's steps as the app takes them."""
        recipe = training.Recipe(
            RATE, self.spec["training"]["optimizer"], steps, self.batch, 0, objective.find_objective(self.spec), 1.0
        )
        training.train(self.ours, examples, iter(range(len(examples))), recipe)

    def client(self, number: int) -> Any:
        """A whole round of one client of ours."""
        model.set_arrays(self.ours, self.start)
        self.our(self.clients[number], STEPS)
        return model.get_arrays(self.ours)

    def bare_round(self, threads: int) -> None:
        """All clients by the bare loop on the model that is there."""
        torch.set_num_threads(threads)
        for examples in self.clients:
            model.set_arrays(self.theirs, self.start)
            self.bare(self.theirs, examples, STEPS)
            model.get_arrays(self.theirs)
        torch.set_num_threads(1)

    def template_round(self) -> None:
        """All clients as the public template has them: everything made anew."""
        for examples in self.clients:
            net = self.made()
            model.set_arrays(net, self.start)
            with tempfile.TemporaryDirectory() as folder:
                training_loop.trainer(net, examples, self.spec, STEPS, folder)
            model.get_arrays(net)


def compare(kind: str, repeats: int) -> None:
    """All rows of one adapter."""
    sides = Sides(kind)
    sides.bare(sides.theirs, sides.clients[0], 2)
    sides.our(sides.clients[0], 2)
    counts = {}
    for name, work in (("bare", lambda n: sides.bare(sides.theirs, sides.clients[0], n)),
                       ("ours", lambda n: sides.our(sides.clients[0], n))):  # fmt: skip
        totals = []
        for steps in (2, 3):
            with Count() as seen:
                work(steps)
            totals.append(sum(seen.names.values()))
        counts[name] = totals[1] - totals[0]
    told(f"{kind}: operators of a step", counts["ours"], counts["bare"], [counts["ours"] / counts["bare"]])
    for net, work in ((sides.theirs, lambda: sides.bare(sides.theirs, sides.clients[0], STEPS)),
                      (sides.ours, lambda: sides.our(sides.clients[0], STEPS))):  # fmt: skip
        model.set_arrays(net, sides.start)
        work()
    ends = [model.get_arrays(net) for net in (sides.theirs, sides.ours)]
    apart = max(float(numpy.abs(ends[0][name] - ends[1][name]).max()) for name in ends[0])
    if apart > TOLERANCE:
        sys.exit(f"the two sides are no comparison: adapters {apart:.2e} apart")
    found = common.in_turn(
        {
            "ours": lambda: common.timed(lambda: sides.our(sides.clients[0], STEPS)),
            "bare": lambda: common.timed(lambda: sides.bare(sides.theirs, sides.clients[0], STEPS)),
        },
        repeats,
    )
    ratio(f"{kind}: seconds of {STEPS} steps, 1 thread each", found["ours"], found["bare"])
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("fork").Pool(cores, initializer=_inherit, initargs=(sides,)) as crew:
        found = common.in_turn(
            {
                "ours": lambda: common.timed(lambda: crew.map(_client, range(CLIENTS), chunksize=1)),
                "ours, one after another": lambda: common.timed(lambda: [sides.client(n) for n in range(CLIENTS)]),
                "bare, 1 thread": lambda: common.timed(lambda: sides.bare_round(1)),
                f"bare, {cores} threads": lambda: common.timed(lambda: sides.bare_round(cores)),
                "template": lambda: common.timed(sides.template_round),
            },
            max(3, repeats // 2),
        )
    bare = min((found["bare, 1 thread"], found[f"bare, {cores} threads"]), key=statistics.median)
    ratio(f"{kind}: a round of {CLIENTS} x {STEPS} against the bare loop", found["ours"], bare)
    ratio(f"{kind}: the same, ours in one process", found["ours, one after another"], bare)
    ratio(f"{kind}: the same against the template", found["ours"], found["template"])
    print(json.dumps({"adapters_apart": apart, "machine": common.machine()}))


_inherited: list[Sides] = []


def _inherit(sides: Sides) -> None:
    _inherited[:] = [sides]
    torch.set_num_threads(1)


def _client(number: int) -> Any:
    return _inherited[0].client(number)


def ratio(name: str, ours: list[float], theirs: list[float]) -> None:
    """Medians and the ratio with its spread, ours over theirs."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    told(name, statistics.median(ours), statistics.median(theirs), ratios)


def told(name: str, ours: float, theirs: float, ratios: list[float]) -> None:
    middle = statistics.median(ratios)
    print(
        f"{name:<52} {ours:10.4g} {theirs:10.4g}   x {middle:.3f} ({min(ratios):.3f} to {max(ratios):.3f})", flush=True
    )


# --- memory -----------------------------------------------------------------------------------------------------------


def memory(rows: int) -> None:
    """Peak resident memory that a step adds, each in a process of its own."""
    for learnt in ("half", "all"):
        found = {}
        for side in ("bare", "ours"):
            command = [sys.executable, __file__, "--one", f"{side},{learnt}", "--rows", str(rows)]
            found[side] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
        name = f"MiB of a step, {rows} x 512, vocabulary 150,000, {learnt}"
        told(name, found["ours"], found["bare"], [found["ours"] / found["bare"]])


def one_peak(side: str, learnt: str, rows: int) -> None:
    """Peak resident memory of a step beyond what the model needs, in MiB."""
    torch.set_num_threads(os.cpu_count() or 1)
    config = transformers.AutoConfig.for_model(
        "llama", vocab_size=150_000, hidden_size=256, intermediate_size=768, num_hidden_layers=4,
        num_attention_heads=8, num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(1)
    base = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    adapter = {"kind": "dora", "rank": 16, "alpha": 32, "dropout": 0.0, "targets": "all-linear"}
    net = model.attach(base, adapter, 1)
    ids = torch.randint(3, 150_000, (rows, 512)).tolist()
    skip = 256 if learnt == "half" else 0
    examples = [Example(one, [IGNORED] * skip + one[skip:]) for one in ids]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sides = Sides.__new__(Sides)
    sides.batch = rows
    sides.spec = {
        "training": {
            "optimizer": {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0},
            "sequence_length": 512,
        },
        "data": {"loss_reduction": "token-mean"},
        "objective": {"kind": "sft"},
    }
    if side == "bare":
        sides.bare(net, examples, 1)
    else:
        prepared.prepare(net)
        sides.ours = net
        sides.our(examples, 1)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


if __name__ == "__main__":
    main()
