"""A runner whose outer parts are fakes: an engine and an evaluation that only write what the real ones write."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.compile.compiler import Compiled
from ftbench.data.store import Store
from ftbench.errors import RunFailed
from ftbench.result import ledger, samples
from ftbench.result.documents import Answer, Sample
from ftbench.result.references import due_references
from ftbench.run import runner, views
from ftbench.run.engines.engine import RunConfig, TrainJob
from ftbench.run.processes.tree import MARKER
from ftbench.run.progress import Progress
from ftbench.run.rundir import RunDir
from ftbench.spec.canonical import canonical, sha256
from ftbench.spec.entries import entry_digest, load_resolved
from ftbench.spec.entry import ResolvedEntry

ZERO = "0" * 64


class FakeEngine:
    """Writes a ledger of two rounds; `before` is called ahead of each line and may raise."""

    name = "inline"

    def __init__(self) -> None:
        self.jobs: list[TrainJob] = []
        self.before: Callable[[str], None] = lambda event: None

    def train(self, job: TrainJob, on_tick: Callable[[], None]) -> None:
        self.jobs.append(job)
        for body in due_lines(job.run_dir, started(job)):
            self.before(str(body["event"]))
            append(job.run_dir, spec_hash(job), body)
            on_tick()
        write_adapter(job.run_dir)
        measured = {"round": 2, "seconds": 1.0, "peak_memory_bytes": 12345}
        early = {"clients": {"growth_bytes": 70, "micro_batch": 8}}
        late = {**measured, "clients": {"growth_bytes": 90, "micro_batch": 4}}
        lines = [json.dumps(one) + "\n" for one in (early, late)]
        (job.run_dir / "measurements.jsonl").write_text("".join(lines))


class FakeApp:
    """Stands for `launch`: a process that writes one line of the references' ledgers each time it is looked at."""

    def __init__(self) -> None:
        self.starts: list[list[RunConfig]] = []
        self.clients: list[int] = []
        """Clients of each run of the last start."""
        self.running = 0
        self.fails = False
        """Whether the next process ends with status 1 after its first line."""

    def launch(
        self, compiled: Path, runs: Sequence[tuple[RunConfig, int]], log: Path, marker: str = "", processes: int = 1
    ) -> FakeProcess:
        assert all(clients == 1 or config["reference"] == "fault-free" for config, clients in runs)
        self.clients = [clients for _, clients in runs]
        self.starts.append([config for config, _ in runs])
        self.running += 1
        return FakeProcess(self, [config for config, _ in runs])


class FakeProcess:
    """What the runner knows of a process."""

    stdin = None

    def __init__(self, app: FakeApp, configs: list[RunConfig]) -> None:
        self.app = app
        self.returncode: int | None = None
        self.steps = self.work(configs)

    def work(self, configs: list[RunConfig]) -> Iterator[None]:
        for config in configs:
            folder = Path(str(config["run-dir"]))
            assert config["resume"] is (folder / "ledger.jsonl").exists()
            first = {**STARTED, "spec_hash": config["spec-hash"], "clients": 1}
            for body in due_lines(folder, first):
                if body["event"] == "finished":
                    write_adapter(folder)
                append(folder, str(config["spec-hash"]), body)
                yield

    def poll(self) -> int | None:
        if self.returncode is None and (next(self.steps, "end") == "end" or self.app.fails):
            self.ended(1 if self.app.fails else 0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            raise subprocess.TimeoutExpired("app", timeout or 0)
        return self.returncode

    def kill(self) -> None:
        self.ended(-9)

    def ended(self, status: int) -> None:
        self.returncode = status
        self.app.running -= 1


def due_lines(folder: Path, first: dict[str, object]) -> list[dict[str, object]]:
    """The events that are still to be written."""
    path = folder / "ledger.jsonl"
    data = path.read_bytes() if path.exists() else b""
    present = [json.loads(line)["body"]["event"] for line in data.splitlines()]
    lines = [first] if not present else [{"event": "resumed", "after_round": present.count("round")}]
    lines += [round_line(number) for number in range(present.count("round") + 1, 3)]
    ended = {"event": "finished", "rounds": 2, "round": 2, "adapter": ZERO}
    return [*lines, {**ended, "bytes_down": 200, "bytes_up": 100}]


def append(folder: Path, spec_hash: str, body: dict[str, object]) -> None:
    """Write one event at the end of a ledger."""
    path = folder / "ledger.jsonl"
    data = path.read_bytes() if path.exists() else b""
    before = sha256(data.splitlines(keepends=True)[-1]) if data else ledger.genesis(spec_hash)
    path.write_bytes(data + canonical({"seq": data.count(b"\n"), "prev": before, "body": body}) + b"\n")


def write_adapter(folder: Path) -> None:
    adapter = folder / "adapter"
    adapter.mkdir(exist_ok=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    (adapter / "adapter_config.json").write_bytes(b"{}")


def spec_hash(job: TrainJob) -> str:
    return str(job.run_config["spec-hash"])


STARTED: dict[str, object] = {
    "event": "started",
    "entry": ZERO,
    "base_model": ZERO,
    "seed": 1,
    "rounds": 2,
    "trainable_parameters": 10,
    "adapter": ZERO,
}


def started(job: TrainJob) -> dict[str, object]:
    entry = entry_digest(load_resolved(job.run_dir / "entry.yaml"))
    return {**STARTED, "spec_hash": spec_hash(job), "entry": entry, "clients": job.clients}


def round_line(number: int) -> dict[str, object]:
    return {
        "event": "round",
        "round": number,
        "learning_rate": 0.01,
        "sampled": [0, 1],
        "replies": [{"partition": 0, "examples": 4, "steps": 2, "loss": 1.5, "update": ZERO}],
        "excluded": [{"partition": 1, "reason": "missing", "detail": ""}],
        "bytes_down": 100,
        "bytes_up": 50,
        "adapter": ZERO,
        "strategy_state": None,
        "client_states": {},
    }


class World:
    """A runner whose outer parts are fakes."""

    def __init__(self, tmp_path: Path, compiled: Compiled, entry: ResolvedEntry) -> None:
        self.engine = FakeEngine()
        self.app = FakeApp()
        self.evaluations: list[int | None] = []
        self.evaluation_fails = False
        self.marks: list[str | None] = []
        self.out = tmp_path / "runs"
        self.compiled, self.entry = compiled, entry
        self.tasks = [task.name for task in compiled.plan.typed_spec().evaluation.tasks]

    def evaluate(
        self,
        run_dir: Path,
        *,
        store: Store,
        limit: int | None,
        on_progress: Any,
        unsafe_no_sandbox: bool,
        workers: int = 1,
    ) -> dict[str, list[Sample]]:
        self.evaluations.append(limit)
        self.marks.append(os.environ.get(MARKER))
        if self.evaluation_fails:
            raise RunFailed([])
        on_progress("untuned", 1, 1)
        wrong, right = Answer(loglikelihoods=[-2.0, -1.0]), Answer(loglikelihoods=[-1.0, -2.0])
        due = due_references(RunDir(run_dir).plan().typed_spec())
        sample = Sample(
            index=0,
            item=ZERO,
            prompt="?",
            options=[" a", " b"],
            target=0,
            untuned=wrong,
            tuned=right,
            references=dict.fromkeys(due, right),
        )
        target = run_dir / "evaluation" / "samples"
        target.mkdir(parents=True, exist_ok=True)
        for task in self.tasks:
            (target / f"{task}.jsonl.gz").write_bytes(samples.dump([sample]))
        (run_dir / "evaluation" / "measured.json").write_text('{"peak_memory_bytes": 99999, "seconds": 1.0}')
        return {task: [sample] for task in self.tasks}

    def start(self, **options: Any) -> runner.RunOutcome:
        source = options.pop("compiled", self.compiled)
        entry = options.pop("entry", self.entry)
        store = options.pop("store", Store([self.out.parent / "store", builtin.store()]))
        return runner.start(source, entry, out=self.out, store=store, engine="inline", **options)

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace what the runner would call."""
        monkeypatch.setattr(runner, "_engine", lambda name: self.engine)
        monkeypatch.setattr("ftbench.run.references.launch", self.app.launch)
        monkeypatch.setattr("ftbench.run.evaluation.evaluate.evaluate_run", self.evaluate)
        monkeypatch.setattr(runner._Start, "_workers", lambda start, sampled: 1)
        monkeypatch.setattr("ftbench.run.preflight.check_before_run", lambda *args, **options: None)
        monkeypatch.setattr("ftbench.run.preflight.look_ahead", lambda *args, **options: None)
        monkeypatch.setattr("ftbench.run.engines.devices.found", list)


class Watcher:
    """A listener that keeps what it is shown, and interrupts where it is told to."""

    def __init__(self, stop: Callable[[Progress], bool] = lambda progress: False) -> None:
        self.stop = stop
        self.lines: list[str] = []
        self.notes: list[str] = []

    def show(self, progress: Progress) -> None:
        self.lines.append(views.line(progress))
        if self.stop(progress):
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)
