"""A thousand clients, one in a hundred asked each round: seconds and memory of whole runs by both local engines.

    python benchmarks/many_clients.py --limit-mib 4096

The quickstart's model and data, two steps a client. All that a run starts is pinned to `--cores` cores. Memory is
the proportional set size of all its processes together (shared pages are shared out), looked at four times a second;
a run that goes beyond the limit is stopped. Both engines must end at the same adapter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common
import psutil

from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.data.pinning import lock
from ftbench.data.store import Store
from ftbench.run import runner
from ftbench.run.progress import Silent
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_spec

MIB = 2**20
ENGINES = ("flower-simulation", "inline")
SPEC = """\
ftbench: spec/v1
extends: quickstart.yaml
metadata: {{name: many-clients, title: Many clients}}
federation: {{clients: {clients}, rounds: {rounds}, sampling: {{fraction: {fraction}}}}}
training: {{local_steps: 2}}
budget: {{communication_mib: 100000}}
knobs: {{federation.rounds: {{min: 1, max: {rounds}}}}}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000, help="default: 1000, of 1,600 rows in all")
    parser.add_argument("--rounds", type=int, default=20, help="default: 20")
    parser.add_argument("--fraction", type=float, default=0.01, help="share asked each round (default: 0.01)")
    parser.add_argument("--cores", type=int, default=2, help="cores for everything (default: 2)")
    parser.add_argument("--limit-mib", type=int, default=4096, help="memory for everything (default: 4096)")
    parser.add_argument("--engine", choices=ENGINES, help="only this one")
    asked = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    with tempfile.TemporaryDirectory() as folder:
        store = Store([Path(folder) / "store", *Store.default(None).roots])
        compiled = _compiled(Path(folder), store, asked)
        engines = [asked.engine] if asked.engine else list(ENGINES)
        found = {engine: _measured(engine, compiled, store, Path(folder), asked.limit_mib) for engine in engines}
    assert len({one["adapter"] for one in found.values()}) == 1, "the engines end at different adapters"
    for engine, one in found.items():
        print(f"{engine:<18} " + ", ".join(f"{name} {value}" for name, value in one.items() if name != "adapter"))
    told = {"clients": asked.clients, "rounds": asked.rounds, "fraction": asked.fraction, "engines": found}
    print(json.dumps({"benchmark": "many_clients", **told, "machine": common.machine()}))


def _compiled(folder: Path, store: Store, asked: argparse.Namespace) -> Compiled:
    base = common.find_spec("quickstart")
    (folder / "quickstart.yaml").write_bytes(base.read_bytes())
    path = folder / "many.yaml"
    path.write_text(SPEC.format(clients=asked.clients, rounds=asked.rounds, fraction=asked.fraction))
    spec = load_spec(path).spec
    return compile_spec(spec, lock(spec, store))


def _measured(engine: str, compiled: Compiled, store: Store, folder: Path, limit_mib: int) -> dict[str, Any]:
    memory = Memory(limit_mib)
    entry = resolve_entry(compiled.plan.typed_spec(), None)
    began = perf_counter()
    with memory:
        outcome = runner.start(compiled, entry, out=folder / engine, store=store, engine=engine, listener=memory)
    seconds = perf_counter() - began
    ledger = outcome.run_dir / "ledger.jsonl"
    rounds = [json.loads(line) for line in (outcome.run_dir / "measurements.jsonl").read_bytes().splitlines()]
    last = json.loads(ledger.read_bytes().splitlines()[-1])["body"]
    assert last["event"] == "finished", last
    return {
        "seconds_of_the_run": round(seconds, 1),
        "seconds_of_training": round(memory.trained - began, 1),
        "seconds_of_a_round": round(sorted(one["seconds"] for one in rounds)[len(rounds) // 2], 2),
        "peak_mib_of_training": memory.training // MIB,
        "peak_mib": memory.peak // MIB,
        "processes": memory.processes,
        "ledger_kib": ledger.stat().st_size // 1024,
        "run_dir_mib": sum(p.stat().st_size for p in outcome.run_dir.rglob("*") if p.is_file()) // MIB,
        "adapter": last["adapter"],
    }


@dataclass
class Memory(Silent):
    """Looks at the memory of this process and all below it, and stops a run that takes too much."""

    limit_mib: int
    peak: int = 0
    """Bytes, of a whole run."""
    training: int = 0
    """Bytes, until the evaluation began."""
    processes: int = 0
    """Most at once."""
    trained: float = 0.0
    """When the evaluation began."""
    _over: threading.Event = field(default_factory=threading.Event)
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Memory:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def show(self, progress: Any) -> None:
        """A listener: told five times a second how the run goes."""
        if self._over.is_set():
            raise SystemExit(f"the run takes more than {self.limit_mib} MiB")
        if progress.phase == "evaluate" and not self.trained:
            self.trained, self.training = perf_counter(), self.peak

    def _look(self) -> None:
        while not self._done.wait(0.25):
            sizes = [size for process in self._all() if (size := _pss(process)) is not None]
            self.peak = max(self.peak, sum(sizes))
            self.processes = max(self.processes, len(sizes))
            if sum(sizes) > self.limit_mib * MIB:
                self._over.set()

    def _all(self) -> list[psutil.Process]:
        own = psutil.Process()
        return [own, *own.children(recursive=True)]


def _pss(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, OSError):
        return None


if __name__ == "__main__":
    main()
