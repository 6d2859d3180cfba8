"""The folder of a run: where everything lies, who may write to it, and what is needed to go on with it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.compile.plan import PLAN, Plan
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.result import names
from ftbench.result.documents import Selection
from ftbench.run.engines.engine import EngineName
from ftbench.spec.canonical import pretty
from ftbench.spec.entries import dump_resolved, load_resolved
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.lock import Lock
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block

M = TypeVar("M", bound=Block)
LOCK = ".lock"
"""Whoever works in a run's folder holds this file of it."""
BEGINNINGS = {"compiled", "logs", "entry.yaml", *(name.partition("/")[0] for name in names.OPEN.values())}
"""What the folder of a run may hold whose start was killed before `run.json` was written."""


class Limits(Block):
    """What the operator allows a run beside the spec's budgets. Reaching one ends it as incomplete."""

    max_seconds: Annotated[float, Field(gt=0)] | None = None
    """Wall time of all starts together, from the first to the bundle; null: no limit."""
    max_memory_gib: Annotated[float, Field(gt=0)] | None = None
    """GiB resident in all processes of the run together; null: no limit."""
    max_device_memory_gib: Annotated[float, Field(gt=0)] | None = None
    """GiB that one training process has allocated on its accelerator, measured round by round; null: no limit."""

    def raised(self, given: Limits) -> Limits:
        """These with those given in their place."""
        return self.model_copy(update=given.model_dump(exclude_none=True))


class RunSettings(Block):
    """`run.json`: how the run was asked for, so that it can go on alike."""

    format: Literal["ftbench/run/v1"] = "ftbench/run/v1"
    """Format of this file."""
    spec_hash: Sha256
    """Of the compiled benchmark in `compiled/`."""
    engine: EngineName
    """Who trains."""
    stores: list[str]
    """Roots of the store, absolute."""
    micro_batch: int
    """Examples in one pass; 0: the whole batch; -1: as many as fit."""
    smoke: bool
    """A shortened trial run."""
    unpinned: bool
    """Whether other package versions than the plan's are let through."""
    unsafe_no_sandbox: bool = False
    """Whether programs that models wrote may be run without a sandbox where there is none."""
    allow_local_users: bool = False
    """Whether Flower's engine may run where other users of the machine reach it."""
    round_timeout: float
    """Seconds to wait for a round."""
    superlink: str = ""
    """With flower-deployment: the connection in the user's Flower configuration."""
    secret: str = ""
    """With flower-deployment: file with the secret that lets the ServerApp run here; empty: the SuperLink runs it."""
    client_cpus: int = 1
    """CPUs of a simulated client."""
    client_gpus: float | None = None
    """CUDA devices of a simulated client, or the share of one; null: one each where there are several."""
    clients_at_once: int = 0
    """Clients of a round that train at once; 0: on a CPU as many as cores and memory allow, on a CUDA device one;
    -1: as many as memory allows on either."""
    eval_workers: int | None = None
    """Processes that evaluate at once; null: on a CPU as many as cores and memory allow, else one."""
    keep: int = -1
    """Every so manieth round is kept in the archive; 0: none; -1: all where they are small (`run.keep`)."""
    os_noise: bool = False
    """Whether noise of differential privacy comes from the operating system; nothing is kept in the archive then."""
    limits: Limits = Limits()
    """What the operator allows."""
    selection: Selection | None = None
    """How a sweep chose the entry's knobs."""
    token: str
    """Marks the processes of this run."""
    spec: str = ""
    """How the spec was named: a built-in's name, an absolute path, or a compiled folder. For verify's command."""


class RunDir:
    """One run's folder; its layout is the same for every engine."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @classmethod
    def create(cls, out: Path, name: str) -> RunDir:
        """A new folder `out/name`, or `out/name-2` and so on where that is taken; what a start left there that was
        killed before it had begun goes. Raises MissingResource (FTB501)."""
        try:
            out.mkdir(parents=True, exist_ok=True)
            number = 1
            while True:
                made = cls(out / (name if number == 1 else f"{name}-{number}"))
                try:
                    made.path.mkdir(mode=0o700)  # what a run writes is its owner's
                    break
                except FileExistsError:
                    if not made._cleared():
                        number += 1
        except OSError as error:
            raise MissingResource(
                Diagnostic(codes.NOT_A_RUN, f"cannot make a run folder: {error.strerror}", Place(str(out)))
            ) from error
        return made

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """An existing run folder. Raises InvalidInput (FTB501)."""
        made = cls(path)
        if not made.settings_file.is_file():
            hint = "give the folder that `ftbench run` made, for example runs/quickstart-default-s1"
            raise InvalidInput(Diagnostic(codes.NOT_A_RUN, "no run.json in this folder", Place(str(path)), hint))
        return made

    # --- where things lie ---------------------------------------------------------------------------------------------

    @property
    def settings_file(self) -> Path:
        """How the run was asked for."""
        return self.path / "run.json"

    @property
    def compiled(self) -> Path:
        """The run's own copy of the compiled benchmark."""
        return self.path / "compiled"

    @property
    def entry_file(self) -> Path:
        """The resolved entry."""
        return self.path / "entry.yaml"

    @property
    def model(self) -> Path:
        """What there is to know of the base model without its weights."""
        return self.path / "model.json"

    @property
    def ledger(self) -> Path:
        """The hash-chained record."""
        return self.path / "ledger.jsonl"

    @property
    def archive(self) -> Path:
        """What is kept of rounds, beside the bundle."""
        return self.path / "archive"

    @property
    def measurements(self) -> Path:
        """Seconds and memory of each round."""
        return self.path / "measurements.jsonl"

    @property
    def timings(self) -> Path:
        """Seconds of each start's phases."""
        return self.path / "timings.jsonl"

    @property
    def error(self) -> Path:
        """What the app says when it refuses or fails."""
        return self.path / "error.json"

    @property
    def evaluation(self) -> Path:
        """Answers and their cache."""
        return self.path / "evaluation"

    @property
    def logs(self) -> Path:
        """What engines and evaluation print."""
        return self.path / "logs"

    @property
    def tried(self) -> Path:
        """There once the trial of items and rows has passed (`run.beside`)."""
        return self.path / "tried"

    @property
    def scratch(self) -> Path:
        """Temporary files of a phase; it is not there between phases."""
        return self.path / "tmp"

    @property
    def bundle(self) -> Path:
        """What is submitted."""
        return self.path / "bundle"

    # --- what stands there --------------------------------------------------------------------------------------------

    def fill(self, files: dict[str, bytes], entry: ResolvedEntry, settings: RunSettings) -> None:
        """Write what a run begins with; `run.json` last, so that a folder that has one is whole."""
        for name, data in sorted(files.items()):
            target = self.compiled / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_file(target, data)
        self.logs.mkdir(exist_ok=True)
        write_file(self.entry_file, dump_resolved(entry))
        self.change(settings)

    def change(self, settings: RunSettings) -> None:
        """Put other settings in the place of those the run began with."""
        write_file(self.settings_file, pretty(settings.model_dump(mode="json")))

    def _cleared(self) -> bool:
        """Whether a start that nobody carries out any more had not begun here, and is gone now."""
        import fcntl

        try:
            found = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
            if self.compiled.name not in found or found - BEGINNINGS:
                return False
            with (self.path / LOCK).open("r+b") as file:  # ours: whoever fills a folder holds it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.settings_file.exists():  # it was filled in between
                    return False
                shutil.rmtree(self.path)
        except OSError:
            return False
        return True

    def discard(self) -> None:
        """Remove a folder whose run never began."""
        shutil.rmtree(self.path, ignore_errors=True)

    def settings(self) -> RunSettings:
        """How the run was asked for. Raises InvalidInput (FTB501)."""
        return self._model(self.settings_file, RunSettings)

    def plan(self) -> Plan:
        """The plan of the run's copy. Raises InvalidInput (FTB501)."""
        return self._model(self.compiled / PLAN, Plan)

    def lock_file(self) -> Lock:
        """The lock of the run's copy. Raises InvalidInput (FTB501)."""
        return self._model(self.compiled / "ftbench.lock", Lock)

    def entry(self) -> ResolvedEntry:
        """The resolved entry. Raises InvalidInput."""
        return load_resolved(self.entry_file)

    def marker(self) -> str:
        """Marks this run's processes: the token with the folder's identity, so that a copied folder has another."""
        info = self.path.stat()
        return f"{self.settings().token}-{info.st_dev}-{info.st_ino}"

    # --- who may write ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder's lock; the system lets go of it when this process ends. Raises RunFailed (FTB500)."""
        import fcntl

        with (self.path / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                hint = "wait until it is done, or stop it"
                raise RunFailed(
                    Diagnostic(codes.BUSY, "another ftbench works in this folder", Place(str(self.path)), hint)
                ) from None
            yield

    def add_timing(self, start: str, phase: Literal["train", "references", "evaluate"], seconds: float) -> None:
        """Note how long a phase of one start has taken so far; of several notes the longest counts."""
        with self.timings.open("a") as file:
            file.write(json.dumps({"start": start, "phase": phase, "seconds": round(seconds, 3)}) + "\n")

    def _model(self, path: Path, model: type[M]) -> M:
        try:
            return model.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            what = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
            hint = "this folder is damaged: start a new run"
            raise InvalidInput(
                Diagnostic(codes.NOT_A_RUN, f"{path.name} cannot be read: {what}", Place(str(path)), hint)
            ) from error
