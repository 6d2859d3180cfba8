"""Where a strategy's run goes, round by round: losses, and the sizes of what moves the adapter.

    python benchmarks/strategies.py micro/finance-strategies fedavg --each \\
      fedadam:server_learning_rate=0.02,beta1=0.9,beta2=0.99,tau=0.001
    python benchmarks/strategies.py micro/strategies-iid fedprox:mu=1 --rates 1e-2,2e-2,4e-2 --rounds 24

The compiled benchmark's own app is carried out in this process, client after client, without ledger or evaluation. One
line a run, or with `--each` one a round:

  val     loss on the validation cut, or where the spec has none on the first 120 training rows
  right   share of those rows whose completion's first token is the likeliest
  |d|     norm of the weighted mean change that clients send; `step`: of what the server makes of it
  apart   1 − |mean change| / mean of |each client's change|: 0 where clients agree, near 1 where they cancel
  clip    mean factor by which clipping shortens what the optimiser is given (1: never)
  extra   mean norm of what the strategy adds to a gradient (SCAFFOLD's c − cₖ, FedProx's mu (w − start)) over the
          norm of the batch's own gradient
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import importlib
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common  # noqa: F401  (sets the environment before any library reads it)

APP = "ftbench_app"
CHECKED = 120
"""Training rows that stand in for a validation cut."""


class Probe:
    """A compiled benchmark's app in this process."""

    def __init__(self, spec: str, changes: Mapping[str, Any], seed: int, threads: int) -> None:
        import torch

        from ftbench.compile.compiler import compile_spec
        from ftbench.compile.folder import write
        from ftbench.data.store import Store
        from ftbench.run.engines.inline_worker import fused_config
        from ftbench.spec.load import find_spec, load_pins, load_spec

        torch.set_num_threads(threads)
        path = find_spec(spec)
        compiled = compile_spec(load_spec(path).spec, load_pins(path))
        self.folder = Path(tempfile.mkdtemp())
        app = write(compiled, self.folder) / "app"
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(app))
        self.app = {
            name: importlib.import_module(f"{APP}.{name}")
            for name in (
                "arrays",
                "client_round",
                "exchange",
                "initial",
                "in_force",
                "plan",
                "settings",
                "state",
                "store",
                "training",
                "worker",
                "model",
                "validation",
                "objective",
                "codec",
                "strategy",
            )
        }
        self.plan = self.app["plan"].load()
        self.store = [str(root) for root in Store.default(None).roots]
        self.config = fused_config(app, {})
        self.changes, self.seed = changes, seed
        self.config |= {"spec-hash": self.plan.spec_hash, "seed": seed, "store": ":".join(self.store)}

    def settings(self, strategy: Mapping[str, Any], rate: float | None) -> Any:
        """As a run's, with what the probe changes written into the spec."""
        made = self.app["settings"].read({**self.config, "run-dir": str(self.folder / "run")}, self.plan)
        spec = copy.deepcopy(dict(made.spec))
        spec["strategy"] = dict(strategy)
        for path, value in self.changes.items():
            *blocks, last = path.split(".")
            block = spec
            for name in blocks:
                block = block[name]
            block[last] = value
        if rate is not None:
            schedule = spec["training"]["schedule"]
            ratio = schedule.get("final_learning_rate", 0.0) / schedule["learning_rate"]
            schedule |= {"learning_rate": rate, "final_learning_rate": rate * ratio}
        return dataclasses.replace(made, spec=spec)

    def run(self, strategy: Mapping[str, Any], rate: float | None, each: bool) -> dict[str, Any]:
        """One run. Returns its last line."""
        app, settings = self.app, self.settings(strategy, rate)
        kind = app["in_force"].strategy_of(settings)
        folder = app["store"].model(settings.roots, settings.model["name"], settings.model["revision"])
        current = kind.start(app["initial"].arrays(folder, settings.spec, settings.seed))
        run_dir = Path(tempfile.mkdtemp(dir=self.folder))
        settings = dataclasses.replace(settings, run_dir=run_dir)
        kept, states, line, best = None, {}, {}, (math.inf, 0, 0.0)
        noted = _Noted(app["training"])
        began = perf_counter()
        for number in range(1, settings.rounds + 1):
            asked = app["exchange"].begin(settings, number, current, kept, run_dir)
            noted.clear()
            replies, losses = [], []
            for partition in asked.sampled:
                task = app["client_round"].Task(partition, number, asked.learning_rate, states.get(partition, ""))
                reply = app["client_round"].carry_out(settings, task, asked.sent(partition))
                states[partition] = reply.state
                made = app["codec"].decode_up(settings, reply.arrays, asked.awaited(partition))
                replies.append((float(_rows(app, settings, partition)), made))
                losses.append(reply.loss)
            new, kept = app["exchange"].aggregate(asked, replies)
            line = {"round": number, "rate": asked.learning_rate, "loss": statistics.fmean(losses)}
            line |= _moved(current, new, replies) | noted.told() | self._look(settings, new)
            best = min(best, (line["val"], number, line["right"]))
            current = new
            if each or number == settings.rounds:
                name = _shown(strategy, rate)
                values = "  ".join(f"{key} {value:.4g}" for key, value in line.items())
                print(f"{name:<44} {values}  best {best[0]:.4f} at {best[1]} right {best[2]:.3f}", flush=True)
        noted.stop()
        return {
            "strategy": dict(strategy),
            "learning_rate": rate,
            **line,
            "best": best[0],
            "best_round": best[1],
            "best_right": best[2],
            "seconds": round(perf_counter() - began, 1),
        }

    def _look(self, settings: Any, arrays: Mapping[str, Any]) -> dict[str, float]:
        """Validation loss and share of first tokens that are right."""
        import torch

        app = self.app
        worker = app["worker"].find_worker(settings)
        if "validation" in settings.spec["data"]:
            loss = app["worker"].validation_loss(settings, arrays)
            examples = worker.validation
        else:
            found = [e for k in range(settings.clients) for e in app["worker"].examples_of(worker, settings, k)]
            examples = found[:: max(1, len(found) // CHECKED)][:CHECKED]
            kind = app["in_force"].strategy_of(settings)
            app["model"].set_arrays(worker.net, kind.begin(arrays, lambda: app["worker"].drawn(worker, settings)))
            loss = app["validation"].loss(worker.net, examples, app["objective"].find_objective(settings.spec))
        right = 0
        worker.net.eval()
        with torch.no_grad():
            for one in examples:
                at = next(i for i, label in enumerate(one.labels) if label >= 0)
                logits = worker.net(input_ids=torch.tensor([one.ids])).logits[0, at - 1]
                right += int(logits.argmax()) == one.labels[at]
        return {"val": loss, "right": right / len(examples)}


class _Noted:
    """What becomes of gradients, noted at every step of every client."""

    def __init__(self, training: Any) -> None:
        self.training, self.plain = training, training._Terms.apply
        self.own: list[float] = []
        self.extra: list[float] = []
        self.short: list[float] = []
        noted = self

        def apply(terms: Any) -> None:
            gradients, before = terms._trained.gradients, terms._trained.gradients.clone()
            added = before.clone()
            if terms._correction is not None:
                added.add_(terms._correction)
            if terms._start is not None:
                added.add_(terms._trained.values - terms._start, alpha=terms._recipe.proximal)
            noted.plain(terms)
            own, whole = float(before.norm()), float(added.norm())
            noted.own.append(own)
            noted.extra.append(float((added - before).norm()) / max(own, 1e-12))
            noted.short.append(float(gradients.norm()) / max(whole, 1e-12))

        training._Terms.apply = apply

    def clear(self) -> None:
        for found in (self.own, self.extra, self.short):
            found.clear()

    def stop(self) -> None:
        self.training._Terms.apply = self.plain

    def told(self) -> dict[str, float]:
        return {
            "grad": statistics.fmean(self.own),
            "extra": statistics.fmean(self.extra),
            "clip": statistics.fmean(self.short),
        }


def _rows(app: Mapping[str, Any], settings: Any, partition: int) -> int:
    return int(settings.pins["partition"]["sizes"][partition])


def _moved(current: Mapping[str, Any], new: Mapping[str, Any], replies: list[tuple[float, Any]]) -> dict[str, float]:
    import numpy

    names = [name for name in current if name in new and current[name].shape == new[name].shape]
    total = sum(weight for weight, _ in replies)

    def flat(arrays: Mapping[str, Any]) -> Any:
        return numpy.concatenate([arrays[name].astype(numpy.float64).ravel() for name in names])

    if not all(name in arrays and arrays[name].shape == current[name].shape for _, arrays in replies for name in names):
        return {}
    old, after = flat(current), flat(new)
    changes = [(weight / total, flat(arrays) - old) for weight, arrays in replies]
    mean = sum(share * change for share, change in changes)
    each = sum(share * numpy.linalg.norm(change) for share, change in changes)
    size = float(numpy.linalg.norm(mean))
    return {"|d|": size, "step": float(numpy.linalg.norm(after - old)), "apart": 1 - size / max(each, 1e-12)}


def _strategy(text: str) -> dict[str, Any]:
    kind, _, rest = text.partition(":")
    given = (pair.split("=") for pair in rest.split(",") if pair)
    return {"kind": kind, **{name: json.loads(value) for name, value in given}}


def _shown(strategy: Mapping[str, Any], rate: float | None) -> str:
    rest = ",".join(f"{k}={v:g}" for k, v in strategy.items() if k != "kind")
    return f"{strategy['kind']}{':' if rest else ''}{rest}{'' if rate is None else f' lr {rate:g}'}"


def main() -> None:
    """Probe and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec")
    parser.add_argument("strategies", nargs="+", metavar="KIND[:NAME=VALUE,…]")
    parser.add_argument("--rates", default="", help="learning rates, parted by commas (default: the spec's)")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="PATH=JSON", help="change the spec")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--each", action="store_true", help="a line a round")
    asked = parser.parse_args()
    changes = {path: json.loads(value) for path, _, value in (item.partition("=") for item in asked.sets)}
    if asked.rounds:
        changes["federation.rounds"] = asked.rounds
    probe = Probe(asked.spec, changes, asked.seed, asked.threads)
    rates = [float(rate) for rate in asked.rates.split(",") if rate] or [None]
    found = [probe.run(_strategy(text), rate, asked.each) for text in asked.strategies for rate in rates]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
