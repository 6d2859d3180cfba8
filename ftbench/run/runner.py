"""A run from its beginning, or from wherever it was left, to its bundle.

Each step leaves its outcome on disk before the next begins, so that a run killed at any moment goes on with `resume`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ftbench import codes, parallel
from ftbench.atomic import write_file
from ftbench.compile.compiler import Compiled
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, RunFailed, RunIncomplete
from ftbench.interrupts import in_order
from ftbench.result import ledger
from ftbench.result.documents import Finished, Selection
from ftbench.result.references import due_references
from ftbench.run import beside, conclude, keep, knowable, noise, open_division, preflight, together
from ftbench.run import start as marks
from ftbench.run.base_model import bring
from ftbench.run.beside import Beside
from ftbench.run.engines import devices, private, resources
from ftbench.run.engines.engine import ENGINES, Engine, EngineName, RunConfig, TrainJob, knob_config
from ftbench.run.evaluation.programs import check_sandbox
from ftbench.run.kernels import check_attention, model_in_force
from ftbench.run.processes.guarded import clear_leftovers
from ftbench.run.processes.limits import Guard
from ftbench.run.processes.tree import MARKER, new_token
from ftbench.run.progress import SMOKE_ITEMS, Follower, Listener, Silent, begin
from ftbench.run.progress_file import Keeping
from ftbench.run.references import train_references
from ftbench.run.rundir import Limits, RunDir, RunSettings
from ftbench.run.summary import RunOutcome
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry

__all__ = ["RunOutcome", "resume", "start"]


def start(
    compiled: Compiled | Path,
    entry: ResolvedEntry,
    *,
    out: Path,
    store: Store,
    engine: str = "flower-simulation",
    superlink: str = "",
    secret: Path | None = None,
    client_cpus: int = 1,
    client_gpus: float | None = None,
    eval_workers: int | None = None,
    clients_at_once: int = 0,
    micro_batch: int = 0,
    smoke: bool = False,
    unpinned: bool = False,
    unsafe_no_sandbox: bool = False,
    allow_local_users: bool = False,
    round_timeout: float = 3600.0,
    limits: Limits | None = None,
    keep_every: int = keep.AUTO,
    os_noise: bool = False,
    listener: Listener | None = None,
    spec: str = "",
    modules: Mapping[str, bytes] | None = None,
    train_only: bool = False,
    selection: Selection | None = None,
) -> RunOutcome:
    """A new run in a new folder below `out`, named for benchmark, entry and seed.

    A base model of the hub that the store lacks is fetched first. `spec` is how the user named the benchmark; the
    commands that are recommended name it too. `keep_every`: see `run.keep`. `os_noise`:
    see `run.noise`. `modules`: the
    code that an entry in the open division names, which is carried out. `train_only`: end when it has trained, by
    RunIncomplete (FTB914), before the test set is read. `selection`: how a sweep chose the entry's knobs.
    Raises InvalidInput, MissingResource (nothing is left then), RunFailed, RunIncomplete (`resume` goes on then).
    """
    began = time.time()
    files, plan, spec_hash = conclude.read_compiled(compiled)
    open_division.check_modules(entry, modules or {})
    told = listener or Silent()
    # Before a hub is asked for weights, and before there is a folder.
    knowable.check_choice(plan, entry, store, told.note)
    settings = RunSettings(
        spec_hash=spec_hash,
        engine=_engine_name(engine),
        superlink=superlink,
        secret="" if secret is None else str(secret.absolute()),
        client_cpus=client_cpus,
        client_gpus=client_gpus,
        eval_workers=eval_workers,
        clients_at_once=clients_at_once,
        stores=[str(root) for root in store.roots],
        micro_batch=micro_batch,
        smoke=smoke,
        unpinned=unpinned,
        unsafe_no_sandbox=unsafe_no_sandbox,
        allow_local_users=allow_local_users,
        round_timeout=round_timeout,
        limits=limits or Limits(),
        selection=selection,
        keep=noise.keeping(plan, keep_every, _engine_name(engine), asked=os_noise),
        os_noise=os_noise,
        token=new_token(),
        spec=str(Path(spec).absolute()) if spec and Path(spec).exists() else spec,
    )
    with in_order():
        run = RunDir.create(out, f"{plan.metadata.name}-{entry.metadata.name}-s{entry.seed}")
        with run.alone():
            try:
                open_division.keep(run.path, modules or {})
                run.fill(files, entry, settings)
                # Asked now, not when the model has been fetched and the training has been paid for.
                check_sandbox(run.compiled, plan, unsafe=unsafe_no_sandbox)
                trial = _preflight(plan, run, store, told, spec=spec)
            except BaseException:
                run.discard()
                raise
            with beside.ending(trial, run, new=True):
                return _Start(run, store, told, began, train_only=train_only, trial=trial).conduct()


def resume(
    run_dir: Path,
    listener: Listener | None = None,
    *,
    store: Store | None = None,
    limits: Limits | None = None,
    allow_local_users: bool = False,
    train_only: bool = False,
    selection: Selection | None = None,
) -> RunOutcome:
    """Go on with a run that was stopped or killed, from its last commit; a whole one is only reported.

    `store` replaces the roots that the run began with, `limits` those of its limits that are given;
    `allow_local_users` allows what the first start did not, `selection` is what a sweep chose it by. Raises as `start`.
    """
    run = RunDir.open(run_dir)
    with in_order(), run.alone():
        left = clear_leftovers(run.marker())
        if left:
            hint = "end them by hand, then resume again"
            raise RunFailed(
                Diagnostic(codes.LEFTOVERS, f"processes of an earlier start live on: {left}", Place(str(run_dir)), hint)
            )
        settings = run.settings()
        _, plan, spec_hash = conclude.read_compiled(run.compiled)
        if spec_hash != settings.spec_hash:
            raise InvalidInput(
                Diagnostic(
                    codes.NOT_A_RUN, "compiled/ is another benchmark than the run began with", Place(str(run_dir))
                )
            )
        whole = conclude.finished(run)
        if whole is not None:
            return whole
        if limits is not None or allow_local_users:
            more = {"limits": settings.limits.raised(limits or Limits())}
            allowed = settings.allow_local_users or allow_local_users
            settings = settings.model_copy(update={**more, "allow_local_users": allowed})
            run.change(settings)
        if selection is not None and selection != settings.selection:
            settings = settings.model_copy(update={"selection": selection})
            run.change(settings)
        roots, told = store or Store([Path(root) for root in settings.stores]), listener or Silent()
        check_sandbox(run.compiled, plan, unsafe=settings.unsafe_no_sandbox)
        trial = _preflight(plan, run, roots, told, spec=settings.spec)
        with beside.ending(trial, run, new=False):
            return _Start(run, roots, told, train_only=train_only, trial=trial).conduct()


def _preflight(plan: Plan, run: RunDir, store: Store, told: Listener, *, spec: str) -> Beside | None:
    """All that is looked at before a run; what goes on beside the engine's start is returned."""
    settings = run.settings()
    if settings.engine == "flower-simulation":
        private.check_private(allowed=settings.allow_local_users)
    resources.check_resources(settings, devices.found)
    apart = settings.engine == "flower-deployment"
    if not apart:  # there clients have machines of their own, which say it themselves
        check_attention(model_in_force(plan.typed_spec(), run.entry()).attention, devices.found)
    fetch = functools.partial(bring, store=store, tell=told.note)
    preflight.check_before_run(
        plan,
        run.entry(),
        store,
        run.path,
        unpinned=settings.unpinned,
        spec=spec,
        apart=apart,
        bring=fetch,
    )
    # Before any training: a model that a bundle cannot describe is found now.
    outline = store.outline(store.model_digest(run.entry().model))
    write_file(run.model, outline.to_bytes())
    if run.tried.exists():
        return None  # a run that has begun was looked at when it did
    told.note("trying the base model's tokenizer on items and rows")
    trial = preflight.look_ahead(
        run,
        plan,
        run.entry(),
        store,
        outline=outline,
        apart=settings.engine == "flower-deployment",
        limit=SMOKE_ITEMS if settings.smoke else None,
        say=told.note,
    )
    if apart and trial is not None:  # whose SuperLink and clients are others' too: nothing is started there in vain
        with beside.ending(trial, run, new=False):
            trial.passed()
        return None
    return trial


class _Start:
    """One start of a run whose folder is filled and locked."""

    def __init__(
        self,
        run: RunDir,
        store: Store,
        listener: Listener,
        began: float | None = None,
        *,
        train_only: bool = False,
        trial: Beside | None = None,
    ) -> None:
        """`began`: when this start began, in seconds since 1970; None: now. `trial`: what has yet to pass."""
        self.began = time.time() if began is None else began
        self.run = run
        self.train_only = train_only
        self.trial = trial
        self.store = store
        self.settings = run.settings()
        self.plan = run.plan()
        self.entry = run.entry()
        self.devices = devices.found()
        self.id = secrets.token_hex(4)
        progress = begin(
            self.plan,
            self.entry.metadata.name,
            self.entry.seed,
            self.settings.engine,
            run.path,
            smoke=self.settings.smoke,
        )
        self.follower = Follower(progress, Keeping(listener))
        self.guard = Guard(run, self.settings.limits, conclude.spent_seconds(run))

    def conduct(self) -> RunOutcome:
        """Train, evaluate, score, bundle; what is done already is not done again."""
        self.follower.phase("prepare")
        self.guard.begin()
        if not self.trained():
            with self._timed("train"):
                self._train()
        if self.trial is not None:
            self.trial.passed()
        if self.train_only:
            message = "this run has trained; it is not scored, as asked"
            hint = f"score it with `ftbench run --resume {self.run.path}`"
            raise RunIncomplete(Diagnostic(codes.TRAINED_ONLY, message, Place(str(self.run.path)), hint))
        if due_references(self.plan.typed_spec()):
            with self._timed("references"):
                self._train_references()
        self.follower.phase("evaluate")
        with self._timed("evaluate"):
            samples = self._evaluate()
        self.follower.phase("bundle")
        outcome = conclude.conclude(self.run, samples, self.devices)
        self.follower.phase("done")
        return outcome

    def trained(self) -> bool:
        """Whether the ledger ends with `finished`."""
        if not self.run.ledger.is_file():
            return False
        lines = ledger.read(self.run.ledger, drop_torn=True)
        return bool(lines) and isinstance(lines[-1].body, Finished) and (self.run.path / "adapter").is_dir()

    def _train(self) -> None:
        self.run.logs.mkdir(exist_ok=True)
        self.run.error.unlink(missing_ok=True)
        self.follower.phase("train")
        marks.begin(self.run.logs)
        marks.mark(self.run.logs, "checks", self.began)
        job = self._job()
        began, committed = time.monotonic(), self.follower.progress.round

        def tick() -> None:
            nonlocal committed
            if self.trial is not None:
                self.trial.look()
            self.follower.tick()
            self.guard.check(orderly=True)
            if self.follower.progress.round != committed:  # so that a killed start's time counts as well
                if not committed:
                    marks.mark(self.run.logs, "")
                committed = self.follower.progress.round
                self.run.add_timing(self.id, "train", time.monotonic() - began)

        # Flower's engine has a temporary folder of its own, with a path that is short enough for Ray.
        inline = self.settings.engine == "inline"
        try:
            with _scratch(self.run) if inline else contextlib.nullcontext():
                _engine(self.settings.engine).train(job, tick)
        except FtbenchError as error:
            if self.trial is not None:
                self.trial.passed()  # what it refuses is the cause of whatever else went wrong
            raise self.guard.ended(error) from error
        self.follower.tick()

    def _train_references(self) -> None:
        """Train what the spec compares the run with; what is whole already is not trained again."""
        names = due_references(self.plan.typed_spec())
        self.run.logs.mkdir(exist_ok=True)
        self.follower.references(names)
        with _scratch(self.run):
            train_references(self._job(), names, self._tick)
        self.follower.tick()

    def _tick(self) -> None:
        """Past the run's own training there is no round of it to wait for."""
        self.follower.tick()
        self.guard.check(orderly=False)

    def _say(self, what: str) -> None:
        marks.mark(self.run.logs, what.partition(",")[0])
        self.follower.say(what)

    def _scored(self, phase: str, done: int, total: int) -> None:
        self.follower.scored(phase, done, total)
        self.guard.check(orderly=False)

    def _job(self) -> TrainJob:
        spec = self.plan.typed_spec()
        compiled, fab_hash = self.run.compiled, self.run.lock_file().fab_hash
        if self.entry.open:
            compiled, fab_hash = open_division.prepare(self.run.path, compiled, self.entry)
        sampled = max(1, math.floor(spec.federation.sampling.fraction * spec.federation.clients + 0.5))
        return TrainJob(
            compiled=compiled,
            run_config=self._run_config(),
            run_dir=self.run.path,
            logs=self.run.logs,
            clients=spec.federation.clients,
            workers=self._workers(sampled),
            client_cpus=self.settings.client_cpus,
            client_gpus=resources.client_gpus(self.settings, self.devices),
            gpus=resources.gpus(self.settings, self.devices),
            superlink=self.settings.superlink,
            secret=self.settings.secret,
            fab_hash=fab_hash,
            round_timeout=self.settings.round_timeout,
            marker=self.run.marker(),
            more=noise.variables(asked=self.settings.os_noise),
            say=self._say,
        )

    def _evaluate(self) -> conclude.Samples:
        from ftbench.run.evaluation.evaluate import evaluate_run

        limit = SMOKE_ITEMS if self.settings.smoke else None
        with _marked(self.run.marker()), _scratch(self.run):
            return evaluate_run(
                self.run.path,
                store=self.store,
                limit=limit,
                on_progress=self._scored,
                unsafe_no_sandbox=self.settings.unsafe_no_sandbox,
                workers=self.settings.eval_workers,
            )

    def _run_config(self) -> RunConfig:
        return {
            **knob_config(self.entry),
            "store": self.store.joined(),
            "run-dir": str(self.run.path),
            "base-model": f"{self.entry.model.name}@{self.entry.model.revision}",
            "spec-hash": self.settings.spec_hash,
            "seed": self.entry.seed,
            "resume": self.run.ledger.exists(),
            "unpinned": self.settings.unpinned,
            "smoke": self.settings.smoke,
            "micro-batch": self.settings.micro_batch,
            "round-timeout": self.settings.round_timeout,
            "keep-every": conclude.kept(self.run),
            "reference": "",
            "reference-client": 0,
            "open-code": open_division.setting(self.entry),
        }

    def _workers(self, sampled: int) -> int:
        """Clients that train at once: no more than are asked, have a core, and fit beside the server in memory."""
        import psutil

        asked = max(0, self.settings.clients_at_once)
        if self.devices and self.settings.engine == "inline":
            wanted, chosen = self.settings.clients_at_once, apply(self.plan.typed_spec(), self.entry)
            return together.clients(wanted, chosen, self.settings.micro_batch, self.store, self.follower.say)
        if self.devices:
            return min(sampled, resources.places(self.settings, self.devices))
        folder = self.store.model_path(self.store.model_digest(self.entry.model))
        weights = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        # A worker holds the weights and, beside libraries, about as much again while it trains.
        each = 2 * weights + 700 * 2**20
        fitting = int(psutil.virtual_memory().available * 0.8 / each) - 1
        cores = parallel.cores() // self.settings.client_cpus
        return max(1, min(sampled, asked or min(cores, fitting)))

    @contextlib.contextmanager
    def _timed(self, phase: conclude.TimedPhase) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.run.add_timing(self.id, phase, time.monotonic() - began)


def _engine_name(name: str) -> EngineName:
    for known in ENGINES:
        if name == known:
            return known
    raise InvalidInput(Diagnostic(codes.NO_ENGINE, f"no engine `{name}`", hint=f"choose one of {', '.join(ENGINES)}"))


def _engine(name: EngineName) -> Engine:
    if name == "inline":
        from ftbench.run.engines.inline import InlineEngine

        return InlineEngine()
    if name == "flower-deployment":
        from ftbench.run.engines.flower_deployment import FlowerDeployment

        return FlowerDeployment()
    from ftbench.run.engines.flower import FlowerSimulation

    return FlowerSimulation()


@contextlib.contextmanager
def _scratch(run: RunDir) -> Iterator[None]:
    """What libraries leave in the temporary folder, they leave in the run's; it goes at the end of its phase."""
    before = os.environ.get("TMPDIR")
    shutil.rmtree(run.scratch, ignore_errors=True)
    run.scratch.mkdir(mode=0o700)
    os.environ["TMPDIR"], tempfile.tempdir = str(run.scratch), None
    try:
        yield
    finally:
        tempfile.tempdir = None
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before
        shutil.rmtree(run.scratch, ignore_errors=True)


@contextlib.contextmanager
def _marked(marker: str) -> Iterator[None]:
    """Processes started inside carry the run's marker."""
    before = os.environ.get(MARKER)
    os.environ[MARKER] = marker
    try:
        yield
    finally:
        if before is None:
            del os.environ[MARKER]
        else:
            os.environ[MARKER] = before
