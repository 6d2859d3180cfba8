"""`ftbench sweep FILE.yaml`: a comparison from its file, and what it would take, before anybody pays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftbench import builtin
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.base_models.estimate import Estimate
    from ftbench.cli.outputs.sweep_plan import SweepPlanOutput, SweptSpec
    from ftbench.spec.load import LoadedSpec
    from ftbench.spec.sweep_file import SweepFile
    from ftbench.spec.vary import Setting

OWN = ("varied", "tuned", "select", "trials", "seeds", "entry", "sets", "model")
"""Options that a file settles."""


def of(spec: str) -> SweepFile | None:
    """The file that the argument names; None where it names a spec. Raises InvalidInput (FTB915)."""
    from ftbench.spec import sweep_file

    path = builtin.sweeps().get(spec, Path(spec))
    return sweep_file.load(path) if path.is_file() and sweep_file.is_sweep_file(path) else None


def parts(file: SweepFile, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The options of each spec's sweep. Raises click's usage error for options that the file settles."""
    given = [name for name in OWN if options[name] and (name != "seeds" or options[name] != 1)]
    if given:
        names = {"varied": "--vary", "tuned": "--tune", "sets": "--set"}
        shown = ", ".join(names.get(name, f"--{name}") for name in given)
        raise click.UsageError(f"{shown}: the sweep file says this; change it there")
    settled = {
        "varied": file.varied,
        "tuned": file.tuned,
        "select": "validation" if file.trials else None,
        "trials": file.trials,
        "seeds": file.seeds,
        "sets": file.sets,
    }
    out = options["out"]
    return [
        {**options, **settled, "spec": one, "out": None if out is None else out / _folder(one)} for one in file.specs
    ]


def _folder(spec: str) -> str:
    """Of a spec's sweep, in that of the file's: the name, or the path as one name; two paths have two."""
    return spec.removesuffix(".yaml").replace("/", "-")


def plan(ui: Ui, file: SweepFile, options: dict[str, Any]) -> int:
    """Say what the file asks for: runs, hours, traffic, download, cards. Nothing is run, and drafts will do."""
    from ftbench.base_models.hours import DEVICES
    from ftbench.cli.outputs.sweep_plan import SweepPlanOutput

    swept = [_swept(ui, file, one, options) for one in parts(file, options)]
    found = SweepPlanOutput(
        title=file.title,
        claim=file.claim,
        refuted_by=file.refuted_by,
        specs=swept,
        runs=sum(one.runs for one in swept),
        trials=sum(one.trials for one in swept),
        hours={device.name: sum(one.hours[device.name] for one in swept) for device in DEVICES},
        hours_left_out={device.name: sum(one.hours_left_out[device.name] for one in swept) for device in DEVICES},
        traffic_gib=sum(one.traffic_gib for one in swept),
        download_gib=_download(swept),
    )
    _show(ui, found)
    ui.answer(found)
    return 0


@dataclass(frozen=True)
class _Cell:
    seconds: dict[str, float]
    fits: dict[str, bool]
    traffic: int
    memory: int


def _swept(ui: Ui, file: SweepFile, options: dict[str, Any], whole: dict[str, Any]) -> SweptSpec:
    from ftbench.base_models.hours import DEVICES
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.sweep_plan import ModelDownload, SweptSpec
    from ftbench.spec import trials as made
    from ftbench.spec import vary
    from ftbench.spec.entries import NOBODY_ASKED

    loaded = load(ui, options["spec"])
    asked: dict[str, Any] = {"sets": file.sets, "commit_of": lambda name: NOBODY_ASKED}
    if file.trials:
        contests = made.contests(loaded.spec, None, file.varied, file.tuned, file.seeds, file.trials, **asked)
        tried = [one for contest in contests for one in contest.candidates]
        scored = [contest.candidates[0] for contest in contests]
    else:
        tried, scored = [], vary.settings(loaded.spec, None, file.varied, file.seeds, **asked)
    known: dict[str, Estimate] = {}
    cells = [(_cell(loaded, one, whole, known, trained_only=False), file.seeds) for one in scored]
    cells += [(_cell(loaded, one, whole, known, trained_only=True), 1) for one in tried]
    models = {one.entries[0].model.name: _model(one, whole) for one in scored}
    return SweptSpec(
        spec=options["spec"],
        settings=len(scored),
        runs=len(scored) * file.seeds,
        trials=len(tried),
        hours={
            d.name: sum(one.seconds[d.name] * times for one, times in cells if one.fits[d.name]) / 3600 for d in DEVICES
        },
        hours_left_out={
            d.name: sum(one.seconds[d.name] * times for one, times in cells if not one.fits[d.name]) / 3600
            for d in DEVICES
        },
        settings_fitting={d.name: sum(one.fits[d.name] for one, _ in cells[: len(scored)]) for d in DEVICES},
        largest_gib=max(one.memory for one, _ in cells) / 2**30,
        traffic_gib=sum(one.traffic * times for one, times in cells) / 2**30,
        models=[ModelDownload(name=name, bytes=one.download_bytes) for name, one in sorted(models.items())],
    )


def _model(setting: Setting, options: dict[str, Any]) -> Any:
    from ftbench.base_models.lookup import look_up
    from ftbench.data.store import Store
    from ftbench.spec.entries import NOBODY_ASKED

    base = setting.entries[0].model
    return look_up(base.name, None if base.revision == NOBODY_ASKED else base.revision, Store.default(options["store"]))


def _cell(
    loaded: LoadedSpec, setting: Setting, options: dict[str, Any], known: dict[str, Estimate], *, trained_only: bool
) -> _Cell:
    """`known`: estimates that were made. Many cells differ in nothing that costs, as a learning rate."""
    from ftbench.base_models import from_spec
    from ftbench.base_models.estimate import TIGHT, estimate
    from ftbench.base_models.hours import DEVICES, GIB, work
    from ftbench.spec.entries import apply

    spec, model = apply(loaded.spec, setting.entries[0]), _model(setting, options)
    # One example in a pass is what has to fit; the effective batch stays the same.
    smallest = from_spec.setting(spec, micro_batch=1)
    key = f"{model.name} {smallest}"
    least = known[key] = known.get(key) or estimate(model, smallest)
    taken = from_spec.setting(spec)
    return _Cell(
        seconds={d.name: work(spec, model, taken, d, trained_only=trained_only).seconds for d in DEVICES},
        fits={d.name: least.memory_bytes <= TIGHT * d.gib * GIB for d in DEVICES},
        traffic=least.communication.total_bytes,
        memory=least.memory_bytes,
    )


def _download(swept: list[SweptSpec]) -> float:
    models = {model.name: model.bytes for one in swept for model in one.models}
    return sum(models.values()) / 2**30


def _show(ui: Ui, found: SweepPlanOutput) -> None:
    ui.line(found.title, "strong")
    ui.line(f"claim       {found.claim}")
    ui.line(f"refuted by  {found.refuted_by}")
    for one in found.specs:
        trials = f", {one.trials} trials" if one.trials else ""
        ui.line(f"{one.spec}", "strong")
        ui.line(f"  runs        {one.runs} ({one.settings} settings{trials})")
        for name, hours in one.hours.items():
            apart = one.settings - one.settings_fitting[name]
            left = f"; {apart} settings do not fit, {one.hours_left_out[name]:,.1f} h" if apart else ""
            ui.line(f"  {name:<18} at most {hours:,.1f} h, {one.settings_fitting[name]} settings fit{left}")
        ui.line(f"  memory      ~{one.largest_gib:,.1f} GiB for the largest, one example in a pass")
        ui.line(f"  traffic     {one.traffic_gib:,.1f} GiB of adapters")
    ui.line("in all", "strong")
    ui.line(f"  runs        {found.runs}" + (f" and {found.trials} trials" if found.trials else ""))
    for name, hours in found.hours.items():
        ui.line(f"  {name:<18} at most {hours:,.1f} h" + _beside(found.hours_left_out[name]))
    ui.line(f"  download    {found.download_gib:,.1f} GiB of base models; traffic {found.traffic_gib:,.1f} GiB")
    ui.line(
        "  hours are an order of magnitude, on the long side: rows as long as the sequence length, and of what the "
        "card's maker says the part that was measured (docs/performance.md)",
        "dim",
    )


def _beside(hours: float) -> str:
    return f", beside {hours:,.1f} h of settings that do not fit" if hours else ""
