"""`ftbench run`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench import codes
from ftbench.cli.options import (
    MOST_PROCESSES,
    SPEC,
    ExistingFolder,
    entry_options,
    eval_workers_option,
    example,
    json_option,
    keep_option,
    limit_options,
    limits_of,
    local_users_option,
    out_option,
    store_option,
    unsafe_option,
)
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled
    from ftbench.compile.plan import Plan
    from ftbench.result.documents import Result
    from ftbench.run.loggers import Logging, Tool
    from ftbench.run.progress import Listener, Progress
    from ftbench.run.summary import RunOutcome
    from ftbench.spec.entry import Entry

ENGINES = {"flower": "flower-simulation", "inline": "inline"}
"""Name on the command line → the engine's own."""
QUICKSTART = "quickstart"


def _micro_batch(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """A whole number from 1 on, or -1 for `auto`, as the app takes it."""
    if text is None or text == "auto":
        return None if text is None else -1
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a whole number from 1 on nor `auto`")
    return int(text)


def _timeout(_context: click.Context, _option: click.Parameter, seconds: float | None) -> float | None:
    """Finite: every comparison with NaN is false, so such a watchdog would never bark."""
    if seconds is not None and not math.isfinite(seconds):
        raise click.BadParameter("it must be a finite number")
    return seconds


def _share(_context: click.Context, _option: click.Parameter, share: float | None) -> float | None:
    """A part of one device, or whole ones: Ray has no one and a half."""
    if share is not None and not (0 < share <= 1 or (share > 1 and share.is_integer() and math.isfinite(share))):
        raise click.BadParameter("it must be a share from above 0 to 1, or a whole number")
    return share


def _clients_at_once(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if text == "auto":
        from ftbench.run.together import AUTO

        return AUTO
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PROCESSES:
        raise click.BadParameter(f"it must be a whole number from 1 to {MOST_PROCESSES}, or auto")
    return int(text)


@click.command(
    "run",
    epilog=example(
        "ftbench run quickstart --set adapter.rank=4 --seed 2",
        "ftbench run specs/mine.yaml --entry entries/mine.yaml",
        "ftbench run --resume runs/quickstart-default-s1",
    ),
)
@click.argument("spec", required=False, type=SPEC)
@entry_options
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    help="Flower's simulation (default where it can have a network of its own), or one process after another.",
)
@local_users_option
@click.option(
    "--superlink",
    metavar="NAME",
    help="Run on a SuperLink and SuperNodes of your own: a connection in Flower's config.toml.",
)
@click.option(
    "--secret",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --superlink: what it was started with as --superexec-auth-secret-file; the ServerApp then runs here.",
)
@click.option(
    "--client-cpus",
    metavar="N",
    type=click.IntRange(1, MOST_PROCESSES),
    help="Simulation: CPUs of a client, so how many train at once (default: 1).",
)
@click.option(
    "--client-gpus",
    metavar="SHARE",
    callback=_share,
    type=float,
    help="Simulation: CUDA devices of a client, 0.5 for half of one (default: 1 where there are several).",
)
@click.option(
    "--clients-at-once",
    metavar="N|auto",
    callback=_clients_at_once,
    help="Clients of a round that train at once. CPU: the result is the same (default: auto). One CUDA device, "
    "--engine inline: in shared passes, near the same, and the ledger says so (default: 1).",
)
@eval_workers_option
@out_option("Folder for runs; each makes a folder of its own there (default: runs).")
@store_option
@click.option(
    "--resume",
    metavar="RUN",
    type=ExistingFolder(),
    help="Go on with a run that was stopped or killed.",
)
@click.option("--smoke", is_flag=True, help="1 round, 2 steps, 8 items: shows that it works; cannot be submitted.")
@click.option(
    "--micro-batch",
    metavar="N|auto",
    callback=_micro_batch,
    help="Examples in one pass; the batch stays whole. auto: all, halved whenever memory runs out.",
)
@keep_option
@click.option(
    "--os-noise",
    is_flag=True,
    help="Take the noise of differential privacy from the operating system: it protects, and nobody can do it again.",
)
@click.option("--unpinned", is_flag=True, help="Let other package versions through; the result will not conform.")
@unsafe_option
@click.option("--open-code", is_flag=True, help="Carry out the code that an open entry brings. It may do all you may.")
@click.option(
    "--round-timeout",
    metavar="SECONDS",
    callback=_timeout,
    type=click.FloatRange(min=0, min_open=True),
    help="Longest time without progress (default: 3600).",
)
@limit_options
@click.option(
    "--log", type=click.Choice(["tensorboard", "wandb"]), help="Send rounds and scores there too, by its own package."
)
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    spec: str | None,
    entry: Path | None,
    sets: tuple[str, ...],
    model: str | None,
    seed: int | None,
    engine: str | None,
    allow_local_users: bool,
    superlink: str | None,
    secret: Path | None,
    client_cpus: int | None,
    client_gpus: float | None,
    clients_at_once: int | None,
    eval_workers: int | None,
    out: Path | None,
    store: str | None,
    resume: Path | None,
    smoke: bool,
    micro_batch: int | None,
    keep: int | None,
    os_noise: bool,
    unpinned: bool,
    unsafe_no_sandbox: bool,
    open_code: bool,
    round_timeout: float | None,
    max_seconds: float | None,
    max_memory: float | None,
    max_device_memory: float | None,
    log: Tool | None,
) -> None:
    """Run a benchmark: train, score the model before and after, write the result bundle.

    SPEC is a spec, the name of a built-in one, or the folder of a compiled benchmark; without it the quickstart is
    run. Ctrl-C stops a run in order; --resume goes on with it at its last round. A run that reaches a limit of the
    operator's ends as incomplete; --resume with a higher one goes on.
    """
    ui.note(f"reading {resume or spec or QUICKSTART}", "dim")
    from ftbench.cli.benchmark import commit_of
    from ftbench.data.store import Store
    from ftbench.run import runner
    from ftbench.run import start as marks
    from ftbench.run.keep import AUTO
    from ftbench.run.preflight import check_resolved
    from ftbench.spec.entries import load_entry, resolve_entry

    limits = limits_of(max_seconds, max_memory, max_device_memory)
    if resume is not None:
        asked = (spec, entry, sets, model, seed, out, micro_batch, keep, round_timeout)
        means = (engine, superlink, secret, client_cpus, client_gpus, clients_at_once, eval_workers)
        flags = (smoke, os_noise, unpinned, unsafe_no_sandbox, open_code)
        if any(flags) or any(value is not None and value != () for value in (*asked, *means)):
            raise click.UsageError(
                "--resume goes on as the run began; only --store, --allow-local-users and limits can be given"
            )
        with _following(ui, log) as listener:
            outcome = runner.resume(
                resume,
                listener,
                store=Store.default(store) if store else None,
                limits=limits,
                allow_local_users=allow_local_users,
            )
            listener.finished(outcome.result)
        _show(ui, outcome)
        return
    if secret is not None and superlink is None:
        raise click.UsageError("--secret is for a run with --superlink")
    if superlink is not None and engine is not None:
        raise click.UsageError("--superlink is an engine of its own: leave out --engine")
    if (superlink is not None or engine == "inline") and (client_cpus or client_gpus):
        raise click.UsageError("--client-cpus and --client-gpus are for Flower's simulation")
    if superlink is not None:
        from ftbench.run.engines import flower_connection

        flower_connection.check_connection(superlink)
    if spec is None:
        spec = QUICKSTART
        ui.note("running the quickstart; `ftbench run SPEC` runs another, `ftbench list specs` lists them", "note")
    compiled, plan = _benchmark(ui, spec)
    check_resolved(plan, spec)
    found = Store.default(store)
    given = load_entry(entry) if entry else None
    resolved = resolve_entry(plan.typed_spec(), given, sets, model, seed, commit_of=commit_of(ui, found))
    modules = _modules(ui, given, allowed=open_code)
    with _following(ui, log) as listener:
        outcome = runner.start(
            compiled,
            resolved,
            out=out or Path("runs"),
            store=found,
            engine="flower-deployment" if superlink is not None else engine_of(ui, engine, allowed=allow_local_users),
            superlink=superlink or "",
            secret=secret,
            allow_local_users=allow_local_users,
            client_cpus=client_cpus or 1,
            client_gpus=client_gpus,
            clients_at_once=clients_at_once or 0,
            eval_workers=eval_workers,
            micro_batch=micro_batch or 0,
            smoke=smoke,
            unpinned=unpinned,
            unsafe_no_sandbox=unsafe_no_sandbox,
            round_timeout=3600.0 if round_timeout is None else round_timeout,
            limits=limits,
            keep_every=AUTO if keep is None else keep,
            os_noise=os_noise,
            listener=listener,
            spec=spec,
            modules=modules,
        )
        listener.finished(outcome.result)
    if told := marks.told(outcome.run_dir / "logs"):
        ui.note(told, "dim")
    _show(ui, outcome)


def engine_of(ui: Ui, engine: str | None, *, allowed: bool) -> str:
    """The engine's own name; the default is told where it is not Flower's."""
    from ftbench.run.engines.private import default_engine
    from ftbench.run.processes.network import why_not

    if engine is not None or allowed:
        return ENGINES[engine or "flower"]
    found = default_engine()
    if found != ENGINES["flower"]:
        ui.note(f"the inline engine is used: Flower's cannot have a network of its own here: {why_not()}", "note")
    return found


def _modules(ui: Ui, entry: Entry | None, *, allowed: bool) -> dict[str, bytes]:
    """The code that the entry brings; none in the closed division. Raises InvalidInput where it is not allowed."""
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import InvalidInput
    from ftbench.spec.entries import open_modules

    found = open_modules(entry)
    if found and not allowed:
        message = (
            "the entry is in the open division and brings Python code of its own, which a run carries out with all "
            "that you may do: no sandbox holds it"
        )
        hint = "read the modules that its `open` names; if you trust them, give --open-code"
        raise InvalidInput(Diagnostic(codes.OPEN_NOT_ALLOWED, message, hint=hint))
    if found:
        ui.note(f"open division: the entry's own {' and '.join(found)} will be carried out", "note")
    return found


class _Remembering:
    """Passes on what a run tells, and remembers where it lies."""

    def __init__(self, listener: Listener, logging: Logging | None) -> None:
        self._listener = listener if logging is None else logging
        self._logging = logging
        self.run_dir: Path | None = None

    def show(self, progress: Progress) -> None:
        """Pass it on."""
        self.run_dir = progress.run_dir
        self._listener.show(progress)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._listener.note(text)

    def finished(self, result: Result) -> None:
        """What it came to."""
        if self._logging is not None:
            self._logging.finished(result)


@contextlib.contextmanager
def _following(ui: Ui, log: Tool | None) -> Iterator[_Remembering]:
    """Live progress. Who stops a run with Ctrl-C is told how to go on with it."""
    from ftbench.cli.benchmark import shell
    from ftbench.run.views import view

    remembered: _Remembering | None = None
    logging: Logging | None = None
    try:
        with view() as listener:
            if log is not None:
                from ftbench.run.loggers import Logging

                logging = Logging(listener, log)
            remembered = _Remembering(listener, logging)
            yield remembered
    except KeyboardInterrupt:
        if remembered is not None and remembered.run_dir is not None:
            ui.note(f"stopped; go on with: {shell('ftbench', 'run', '--resume', str(remembered.run_dir))}", "note")
        raise
    finally:
        if logging is not None:
            logging.close()


def _benchmark(ui: Ui, spec: str) -> tuple[Compiled | Path, Plan]:
    """What to run, with its plan: a spec compiled in memory, or a compiled folder as it is."""
    from ftbench.compile.plan import PLAN  # not at the top: it brings the models, which `run --help` does not need

    folder = Path(spec)
    if (folder / PLAN).is_file():
        from ftbench.cli.benchmark import read_plan

        return folder, read_plan(folder / PLAN)
    from ftbench.cli.benchmark import compiled
    from ftbench.data.at_hand import changed_files
    from ftbench.spec.load import load_pins

    loaded, made = compiled(ui, spec)
    ui.diagnostics(changed_files(loaded, load_pins(loaded.path)))
    return made, made.plan


def _show(ui: Ui, outcome: RunOutcome) -> None:
    from ftbench.cli.outputs.result import RunOutput
    from ftbench.run.summary import rows

    report = _report(ui, outcome)
    found = rows(outcome) + ([("report", str(report))] if report is not None else [])
    width = max(len(name) for name, _ in found)
    for name, value in found:
        ui.line(f"{name:<{width}}  {value}")
    ui.answer(
        RunOutput(
            run_dir=str(outcome.run_dir),
            bundle=None if outcome.bundle is None else str(outcome.bundle),
            verify=outcome.verify_command or None,
            report=None if report is None else str(report),
            result=outcome.result,
        )
    )


def _report(ui: Ui, outcome: RunOutcome) -> Path | None:
    """The page that says what the run came to. A run is no worse for a page that could not be written."""
    from ftbench.cli.report import write
    from ftbench.data.store import Store
    from ftbench.errors import FtbenchError

    here = Path.cwd()
    run = outcome.run_dir.relative_to(here) if outcome.run_dir.is_relative_to(here) else outcome.run_dir
    try:
        return write(run, run, Store.default(None))[0]
    except (FtbenchError, OSError) as error:
        ui.note(f"no report could be written: {error}", "warning")
        return None
