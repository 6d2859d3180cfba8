"""`ftbench data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ftbench import codes
from ftbench.cli.options import SPEC, example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.cli.outputs.data import DataItem
    from ftbench.data.fetch import FetchedRows
    from ftbench.data.hub import Hub
    from ftbench.data.store import Store
    from ftbench.diagnostics import Diagnostic
    from ftbench.spec.model import BaseModelRef
    from ftbench.spec.pins import Pins

Action = Literal["fetch", "list", "verify", "overlap", "export", "add"]

ACTIONS = ("fetch", "list", "verify", "overlap", "export", "add")


@click.command(
    "data",
    epilog=example(
        "ftbench data fetch specs/medical.yaml",
        "ftbench data fetch --model HuggingFaceTB/SmolLM2-135M-Instruct",
        "ftbench data fetch --no-weights --model HuggingFaceTB/SmolLM2-135M-Instruct",
        "ftbench data export legal.yaml --out legal-rows.tar",
        "ftbench data add legal-rows.tar",
        "ftbench data add --model ./my-model --name my-lab/clauses-1b",
        "ftbench data list",
        "ftbench data verify",
    ),
)
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("spec", type=SPEC, required=False, metavar="[SPEC|ARCHIVE]")
@click.option(
    "--model",
    "models",
    metavar="NAME[@REVISION]",
    multiple=True,
    help="With fetch: a base model of the hub, at a commit or at that of its main branch; may be given repeatedly. "
    "With add: a folder as transformers saves a model, or a .gguf file.",
)
@click.option("--name", metavar="OWNER/NAME", help="With add --model: what the model is called.")
@click.option("--only", metavar="KEY", multiple=True, help="With export: this source alone (train, task:NAME, …).")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With export: the archive. Default: NAME-VERSION-rows.tar.",
)
@click.option(
    "--no-weights",
    is_flag=True,
    help="With --model: only what verifying results of that model needs, a few KB beside its tokenizer.",
)
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    action: Action,
    spec: str | None,
    models: tuple[str, ...],
    name: str | None,
    only: tuple[str, ...],
    out: Path | None,
    no_weights: bool,
    store: str | None,
) -> int:
    """Fetch data and base models into the store, list what is there, digest it again, look for overlap.

    fetch gets what the pins of SPEC name, at the commits they name, and refuses what has another digest. list shows
    the store's content and which pins name it, verify computes every digest anew. overlap reports items of the test
    sets that occur in the training rows. export writes the rows of SPEC into one archive, for whoever verifies its
    results; add takes such an ARCHIVE in, or with --model a base model of your own under its digest.
    """
    from ftbench.data.store import Store

    if models and action not in ("fetch", "add"):
        raise click.UsageError("--model is for `fetch` and `add`")
    if (only or out) and action != "export":
        raise click.UsageError("--only and --out are for `export`")
    if (name is not None) != (action == "add" and bool(models)) or (action == "add" and len(models) > 1):
        raise click.UsageError("a model of your own is added with: ftbench data add --model DIR --name OWNER/NAME")
    if action == "add" and (spec is None) == (not models):
        raise click.UsageError("`add` takes an ARCHIVE, or --model DIR --name OWNER/NAME")
    if no_weights and not models:
        raise click.UsageError("--no-weights goes with --model")
    if spec is None and (action in ("overlap", "export") or (action == "fetch" and not models)):
        raise click.UsageError(f"`{action}` needs a SPEC" + (" or --model" if action == "fetch" else ""))
    opened = Store.default(store)
    if action == "fetch":
        return _fetch(ui, spec, models, opened, weights=not no_weights)
    if action == "export":
        return _export(ui, str(spec), out, only, opened)
    if action == "add":
        return _add(ui, spec, models, name or "", opened, weights=not no_weights)
    if action == "overlap":
        return _overlap(ui, str(spec), opened)
    return _holdings(ui, action, spec, opened)


def _fetch(ui: Ui, spec: str | None, models: tuple[str, ...], store: Store, *, weights: bool) -> int:
    from ftbench.cli.benchmark import load, pins_of
    from ftbench.data.fetch import fetch
    from ftbench.data.hub import Hub
    from ftbench.data.local import beside

    hub = Hub(store.scratch(), tell=ui.note)
    items, warnings = [], []
    if spec is not None:
        loaded = load(ui, spec)
        for one in fetch(loaded.spec, pins_of(ui, loaded), store, lambda: hub, near=beside(loaded)):
            items.append(_fetched(one))
        warnings += _base_model(loaded.spec.model.base, store, models)
    for name in models:
        item, found = _fetch_model(name, store, hub, weights=weights)
        items.append(item)
        warnings += found
    ui.diagnostics(warnings)
    return _answer(ui, "fetch", store, items, warnings)


def _fetched(one: FetchedRows) -> DataItem:
    from ftbench.cli.outputs.data import DataItem

    return DataItem(
        kind="partition" if one.key in ("partition", "validation") else "rows",
        name=one.key,
        digest=one.digest,
        state="fetched" if one.new else "present",
        rows=one.rows,
        licence=one.licence,
        revision=one.revision,
    )


def _base_model(ref: BaseModelRef, store: Store, models: tuple[str, ...]) -> list[Diagnostic]:
    """A note where the spec's own base model is not in the store: weights are fetched only when they are asked for."""
    from dataclasses import replace

    from ftbench.errors import MissingResource

    if models:
        return []
    try:
        store.model_path(store.model_digest(ref), command=f"ftbench data fetch --model {ref.name}@{ref.revision}")
    except MissingResource as error:
        return [replace(one, severity="note") for one in error.diagnostics]
    return []


def _fetch_model(name: str, store: Store, hub: Hub, *, weights: bool) -> tuple[DataItem, list[Diagnostic]]:
    from ftbench.cli.outputs.data import DataItem
    from ftbench.data.base_models import fetch, resolve

    ref = resolve(name, hub)
    fetched = fetch(ref, store, hub, weights=weights)
    item = DataItem(
        kind="model" if weights else "outline",
        name=f"{ref.name}@{ref.revision}",
        digest=fetched.digest,
        state="fetched",
        size=fetched.size,
        licence=fetched.licence,
        revision=ref.revision,
    )
    return item, fetched.warnings


def _export(ui: Ui, spec: str, out: Path | None, only: tuple[str, ...], store: Store) -> int:
    from ftbench.cli.benchmark import load, pins_of
    from ftbench.cli.outputs.data import DataItem
    from ftbench.data.archive import export
    from ftbench.data.at_hand import changed_files

    loaded = load(ui, spec)
    pins = pins_of(ui, loaded)
    ui.diagnostics(changed_files(loaded, pins))
    path = out or Path(f"{loaded.spec.metadata.name}-{loaded.spec.metadata.version}-rows.tar")
    moved, left = export(loaded.spec, pins, store, path, only)
    items = [
        DataItem(kind="rows", name=one.key, digest=one.digest, state="present", path=str(path), rows=one.rows)
        for one in moved
    ]
    for key in left:
        ui.note(
            f"{key}: not in the archive, since its text may not be passed on (`redistribute: no`); --only {key}", "note"
        )
    ui.line(f"{path}: written, {path.stat().st_size:,} bytes", "good")
    return _answer(ui, "export", store, items, [])


def _add(ui: Ui, archive: str | None, models: tuple[str, ...], name: str, store: Store, *, weights: bool) -> int:
    from ftbench.cli.outputs.data import DataItem
    from ftbench.data import local_models
    from ftbench.data.archive import take

    if archive is not None:
        items = [
            DataItem(
                kind="rows",
                name=one.key,
                digest=one.digest,
                state="fetched" if one.new else "present",
                rows=one.rows,
            )
            for one in take(Path(archive), store)
        ]
        return _answer(ui, "add", store, items, [])
    ui.note(f"reading, checking and digesting {models[0]}", "note")
    added = local_models.add(Path(models[0]), name, store, weights=weights)
    ui.diagnostics(added.warnings)
    called = f"{added.ref.name}@{added.ref.revision}"
    kind: Literal["model", "outline"] = "model" if weights else "outline"
    item = DataItem(kind=kind, name=called, digest=added.ref.revision, state="fetched", size=added.size)
    ui.line(f"specs and entries name it: {{name: {added.ref.name}, revision: {added.ref.revision}}}", "good")
    return _answer(ui, "add", store, [item], added.warnings)


def _holdings(ui: Ui, action: Action, spec: str | None, store: Store) -> int:
    from ftbench.cli.outputs.data import DataItem
    from ftbench.data.holdings import holdings, whole
    from ftbench.diagnostics import Diagnostic, Place
    from ftbench.errors import CheckFailed

    items, broken = [], []
    for one in holdings(store, _known_pins(ui, spec)):
        state: Literal["present", "whole", "corrupt"] = "present"
        if action == "verify":
            state = "whole" if whole(one) else "corrupt"
        if state == "corrupt":
            message = "corrupt: its content does not have the digest that it is named by"
            hint = "delete it and get it again: ftbench data fetch"
            broken.append(Diagnostic(codes.CORRUPT, message, Place(str(one.path)), hint))
        items.append(
            DataItem(
                kind=one.kind,
                name=", ".join(one.names),
                digest=one.digest,
                state=state,
                path=str(one.path),
                size=one.size,
                rows=one.rows,
                licence=one.licence,
                revision=one.revision,
            )
        )
    ui.diagnostics(broken)
    _answer(ui, action, store, items, broken)
    return CheckFailed.exit_code if broken else 0


def _overlap(ui: Ui, spec: str, store: Store) -> int:
    from ftbench.cli.benchmark import load, pins_of
    from ftbench.cli.outputs.data import DataItem
    from ftbench.data.overlap import find_overlaps, warnings

    loaded = load(ui, spec)
    pins = pins_of(ui, loaded)
    overlaps = find_overlaps(loaded.spec, pins, store)
    items = [
        DataItem(
            kind="rows",
            name=f"task:{one.task}",
            digest=pins.sources[f"task:{one.task}"].digest,
            state="present",
            rows=one.items,
            overlap=len(one.found),
        )
        for one in overlaps
    ]
    found = warnings(overlaps)
    ui.diagnostics(found)
    return _answer(ui, "overlap", store, items, found)


def _known_pins(ui: Ui, spec: str | None) -> dict[str, Pins]:
    """Pins of the built-in specs and of the one that was named, by the spec's name; what cannot be read is left out."""
    from contextlib import suppress

    from ftbench import builtin
    from ftbench.cli.benchmark import load
    from ftbench.errors import FtbenchError
    from ftbench.spec.load import load_pins

    known: dict[str, Pins] = {}
    for name, path in builtin.specs().items():
        with suppress(FtbenchError):
            known[name] = load_pins(path)
    if spec is not None:
        loaded = load(ui, spec)
        known[loaded.spec.metadata.name] = load_pins(loaded.path)
    return known


def _answer(ui: Ui, action: Action, store: Store, items: list[DataItem], found: list[Diagnostic]) -> int:
    from ftbench.cli.outputs.data import DataOutput
    from ftbench.cli.outputs.general import problems

    for item in items:
        parts = [f"{item.rows:,} rows" if item.rows is not None else "", f"{item.size:,} bytes" if item.size else ""]
        parts += [f"licence {item.licence}" if item.licence else "", item.name if action in ("list", "verify") else ""]
        if item.overlap is not None:
            parts.append(f"{item.overlap:,} occur in the training rows")
        first = f"{item.kind} {(item.digest or '')[:12]}" if action in ("list", "verify") else item.name
        told = {"fetched": "added"}.get(item.state, item.state) if action == "add" else item.state
        told = told if action in ("fetch", "verify", "add") else ""
        ui.line(": ".join([first, ", ".join(part for part in [told, *parts] if part)]))
    if not items:
        ui.note("there is nothing in the store" if action in ("list", "verify") else "there is nothing to compare")
    ui.answer(
        DataOutput(action=action, roots=[str(root) for root in store.roots], items=items, diagnostics=problems(found))
    )
    return 0
