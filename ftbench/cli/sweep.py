"""`ftbench sweep`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ftbench.cli import sweep_files
from ftbench.cli import trials as trials_of
from ftbench.cli.options import (
    SPEC,
    entry_option,
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
from ftbench.cli.run import ENGINES, _benchmark, _micro_batch, _timeout, engine_of
from ftbench.cli.sweep_job import Job
from ftbench.cli.ui import Ui


class VaryType(click.ParamType[str]):
    """`PATH=VALUE,VALUE`; completes the paths that the spec leaves open."""

    name = "vary"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Knobs of the spec that stands on the command line already."""
        from ftbench.errors import FtbenchError
        from ftbench.spec.load import find_spec, load_spec
        from ftbench.spec.vary import paths

        try:
            found = paths(load_spec(find_spec(str(ctx.params.get("spec") or ""))).spec)
        except FtbenchError:
            return []
        return [CompletionItem(f"{path}=") for path in found if path.startswith(incomplete)]


@click.command(
    "sweep",
    epilog=example(
        "ftbench sweep quickstart --vary adapter.rank=2,4,8 --seeds 3",
        "ftbench sweep finance --vary strategy.kind=fedavg,fedprox --set strategy.mu=0.1 --vary model=A,B",
    ),
)
@click.argument("spec", type=SPEC)
@click.option(
    "--vary",
    "varied",
    metavar="PATH=VALUE,VALUE",
    type=VaryType(),
    multiple=True,
    help="Values of one knob, or of `model`; may be given repeatedly: the product is run.",
)
@click.option(
    "--tune",
    "tuned",
    metavar="PATH=VALUE,VALUE",
    type=VaryType(),
    multiple=True,
    help="Values to choose from for each setting, with --select; may be given repeatedly.",
)
@click.option(
    "--select",
    type=click.Choice(["validation"]),
    help="Choose what --tune leaves open by the loss on the validation cut; the test set is read for the best alone.",
)
@click.option("--trials", type=click.IntRange(min=2), metavar="N", help="Candidates of each setting, with --select.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many of the spec's seeds, from the first.",
)
@entry_option
@click.option("--set", "sets", metavar="PATH=VALUE", multiple=True, help="Set one knob in every run; may be repeated.")
@click.option("--model", metavar="NAME[@REVISION]", help="Base model of every run, where the spec leaves it open.")
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    help="Flower's simulation (default where it can have a network of its own), or one process after another.",
)
@local_users_option
@out_option("Folder of the sweep (default: runs/sweep-NAME-DIGEST, the same for the same sweep).")
@store_option
@click.option("--smoke", is_flag=True, help="1 round, 2 steps, 8 items a run: shows that every setting works.")
@click.option("--micro-batch", metavar="N|auto", callback=_micro_batch, help="As `ftbench run` takes it.")
@click.option("--unpinned", is_flag=True, help="Let other package versions through; no result will conform.")
@keep_option
@unsafe_option
@click.option(
    "--round-timeout",
    metavar="SECONDS",
    callback=_timeout,
    type=click.FloatRange(min=0, min_open=True),
    help="Longest time without progress in a run (default: 3600).",
)
@limit_options
@eval_workers_option
@click.option(
    "--devices",
    "asked_devices",
    metavar="0-7|0,2|cpu,cpu",
    help="Several runs at once, one a device; `cpu,cpu`: two that part the cores.",
)
@click.option(
    "--emit",
    type=click.Choice(["slurm"]),
    help="Run nothing; write an array job, a task a run, that goes on after a time limit and needs no network.",
)
@click.option("--cell", metavar="N", type=click.IntRange(min=1), help="Only run number N, beside others of the sweep.")
@click.option("--tied", is_flag=True, hidden=True, help="End in order when standard input is closed.")
@click.option("--dry-run", is_flag=True, help="Only list the runs and how far each is.")
@json_option
@click.pass_obj
def command(ui: Ui, /, **options: Any) -> int:
    """Run every combination of values, each over several seeds, and compare the settings in one table.

    SPEC is a spec, or a sweep file (`ftbench: sweep/v1`) that says all of it. Every run lies in the sweep's folder with
    its own bundle. The same command goes on where it was stopped: whole runs are skipped, others resumed, failed ones
    tried again. A setting that the spec does not allow is refused before anything begins. Of a parameter that only some
    strategies use, the others' runs are made without it. The table (table.md, table.csv, sweep.json) compares each
    setting with the first on the same items. With --select, the values of --tune are chosen for each setting by the
    loss on the validation cut, among as many trials for each.
    """
    if options.pop("tied"):
        from ftbench.run.processes.tied import end_in_order_with_stdin
        from ftbench.run.sweep_many import GRACE

        end_in_order_with_stdin(GRACE)
    own = click.get_current_context().command
    if (file := sweep_files.of(options["spec"])) is None:
        return _sweep(ui, again(own, options), **options)
    if options["dry_run"]:
        return sweep_files.plan(ui, file, options)
    parts = sweep_files.parts(file, options)
    if len(parts) > 1 and (ui.json or options["cell"]):
        told = "each sweep's folder has its sweep.json" if ui.json else "name one of them and its settings"
        raise click.UsageError(f"{'--json' if ui.json else '--cell'}: the file sweeps {len(parts)} specs; {told}")
    return max([_sweep(ui, again(own, part), **part) for part in parts])


def _sweep(
    ui: Ui,
    command: Sequence[str],
    /,
    *,
    spec: str,
    varied: tuple[str, ...],
    tuned: tuple[str, ...],
    select: str | None,
    trials: int | None,
    seeds: int,
    entry: Path | None,
    sets: tuple[str, ...],
    model: str | None,
    engine: str | None,
    allow_local_users: bool,
    out: Path | None,
    store: str | None,
    smoke: bool,
    micro_batch: int | None,
    keep: int | None,
    unpinned: bool,
    unsafe_no_sandbox: bool,
    round_timeout: float | None,
    max_seconds: float | None,
    max_memory: float | None,
    max_device_memory: float | None,
    eval_workers: int | None,
    asked_devices: str | None,
    emit: str | None,
    cell: int | None,
    dry_run: bool,
) -> int:
    """The sweep of one spec; returns the exit code. `command`: makes the same sweep, where `--out` is added."""
    from ftbench.cli.benchmark import commit_of
    from ftbench.data.store import Store
    from ftbench.run import sweep
    from ftbench.run.conclude import read_compiled
    from ftbench.run.preflight import check_resolved
    from ftbench.spec import trials as made
    from ftbench.spec import vary
    from ftbench.spec.entries import load_entry

    compiled, plan = _benchmark(ui, spec)
    check_resolved(plan, spec)
    found = Store.default(store)
    given = load_entry(entry) if entry else None
    typed = plan.typed_spec()
    asked: dict[str, Any] = {"sets": sets, "model": model, "commit_of": commit_of(ui, found)}
    _check_selection(tuned, select, trials)
    contests = made.contests(typed, given, varied, tuned, seeds, trials, **asked) if trials else []
    settings = [one for contest in contests for one in contest.candidates] or vary.settings(
        typed, given, varied, seeds, **asked
    )
    spec_hash = read_compiled(compiled)[2]
    folder = out or Path("runs") / sweep.default_folder(plan, spec_hash, settings, smoke=smoke)
    options: dict[str, Any] = {
        "engine": engine_of(ui, engine, allowed=allow_local_users),
        "allow_local_users": allow_local_users,
        "micro_batch": micro_batch or 0,
        "eval_workers": eval_workers,
        "unpinned": unpinned,
        "unsafe_no_sandbox": unsafe_no_sandbox,
        "round_timeout": 3600.0 if round_timeout is None else round_timeout,
        "keep_every": keep or 0,  # a sweep is many runs
        "limits": limits_of(max_seconds, max_memory, max_device_memory),
    }
    sweep_plan = sweep.SweepPlan(compiled, plan, spec_hash, folder, smoke, spec, options)
    planned = sweep.cells(sweep_plan, settings)
    job = Job(ui, sweep_plan, settings, planned)
    here = [*command, "--out", str(folder.absolute())]
    if sum(map(bool, (asked_devices, emit, cell))) > 1:
        raise click.UsageError("give one of --devices, --emit and --cell")
    if dry_run and contests:
        return job.trials(trials_of.listed(ui, sweep_plan, contests))
    places = devices_of(asked_devices) if asked_devices and not dry_run else []
    if contests:
        tuned_by = made.tuned_paths(tuned)
        if cell or emit:  # one of several processes: they must all see the same winners
            won = trials_of.known(ui, sweep_plan, contests, tuned_by)
        else:
            with sweep.hold_sweep(folder):
                sweep.prepare(sweep_plan, planned, found, ui.note, unpinned=unpinned)
                won = trials_of.carry_out(ui, sweep_plan, contests, tuned_by, found)
        planned = sweep.cells(sweep_plan, won.settings)
        job = Job(ui, sweep_plan, won.settings, planned, won)
    if cell is not None and cell > len(planned):
        raise click.UsageError(f"--cell {cell}: the sweep has {len(planned)} runs")
    if dry_run:
        return job.show(sweep.look(sweep_plan, planned))
    with sweep.hold_sweep(folder, shared=bool(cell or places or emit)):
        states = sweep.look(sweep_plan, planned)
        due = [one for one, state in zip(planned, states, strict=True) if state != "whole"]
        if cell is not None:
            return job.alone(cell, found, unpinned=unpinned)
        sweep.prepare(sweep_plan, due, found, ui.note, unpinned=unpinned)
        if emit:
            return job.emit(states, here)
        if places:
            return job.side_by_side(found, states, places, here)
        return job.carry_out(found, states)


def _check_selection(tuned: Sequence[str], select: str | None, trials: int | None) -> None:
    """`--tune`, `--select` and `--trials` go together. Raises click's usage error."""
    given = {"--tune": bool(tuned), "--select": select is not None, "--trials": trials is not None}
    if any(given.values()) and not all(given.values()):
        missing = ", ".join(name for name, there in given.items() if not there)
        raise click.UsageError(f"--tune, --select and --trials go together: {missing} is missing")


def devices_of(text: str) -> list[str]:
    """What `--devices` names. Raises InvalidInput (FTB531)."""
    from ftbench.run.engines import devices
    from ftbench.run.sweep_many import devices as named

    return named(text, devices.found)


def again(own: click.Command, given: Mapping[str, Any]) -> list[str]:
    """The command line with these options, by their names, without `--out`, `--devices`, `--emit` and `--json`."""
    from ftbench.run.sweep_many import own_command

    words = [*own_command(), "sweep"]
    for parameter in own.params:
        value = given.get(parameter.name or "")
        if isinstance(parameter, click.Argument):
            words.append(_placed(str(value)))
        elif parameter.name in _NOT_AGAIN or value in (None, False, ()):
            continue
        else:
            name = max(parameter.opts, key=len)
            written = _WRITTEN.get(parameter.name or "", str)
            values = value if isinstance(value, tuple) else (value,)
            words += [name] if value is True else [word for one in values for word in (name, written(one))]
    return words


_NOT_AGAIN = {"asked_devices", "emit", "cell", "tied", "dry_run", "out", "json_"}
_WRITTEN: dict[str, Callable[[Any], str]] = {
    "micro_batch": lambda number: "auto" if number < 0 else str(number),
    "keep": lambda number: {-1: "auto", 0: "none"}.get(number, f"every {number}"),
    "entry": lambda path: str(Path(path).absolute()),
    "store": lambda text: os.pathsep.join(str(Path(one).absolute()) for one in text.split(os.pathsep)),
}
"""Options whose value is not what was written: name → how to write it again, good from any folder."""


def _placed(spec: str) -> str:
    """A spec as it is found from any folder."""
    return str(Path(spec).absolute()) if Path(spec).exists() else spec
