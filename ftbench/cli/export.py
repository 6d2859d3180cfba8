"""`ftbench export`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ftbench.cli.options import benchmarks_option, example, json_option, require_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.export.source import Exported
    from ftbench.result.documents import Level

Form = Literal["eee", "hf"]
Relationship = Literal["first_party", "third_party", "collaborative", "other"]


def _address(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not text.startswith("https://"):
        raise click.BadParameter("it must begin with https://")
    return text


@click.command(
    "export",
    epilog=example(
        "ftbench export eee runs/mine/bundle --organization 'A lab' --out eee",
        "ftbench export hf runs/mine/bundle --source-url https://… --out my-model",
    ),
)
@click.argument("form", metavar="eee|hf", type=click.Choice(["eee", "hf"]))
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--out", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Where to write it.")
@click.option("--source-url", callback=_address, help="Address of the entry's page; hf needs it.")
@click.option("--organization", help="eee: who hands the record in; it needs this.")
@click.option(
    "--relationship",
    type=click.Choice(["first_party", "third_party", "collaborative", "other"]),
    help="eee: what they are to the tuned model (default: first_party).",
)
@click.option(
    "--retrieved",
    metavar="SECONDS",
    type=click.IntRange(min=0),
    help="eee: when the record was made, since 1970 (default: $SOURCE_DATE_EPOCH, else now).",
)
@require_option
@benchmarks_option
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    form: Form,
    bundle: Path,
    out: Path,
    source_url: str | None,
    organization: str | None,
    relationship: Relationship | None,
    retrieved: int | None,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
) -> None:
    """Write a verified result in a form that others read.

    eee: Every Eval Ever, schema 0.3.0: scores and every answer, of the tuned and of the untuned model; items whose
    licence forbids copies are given by digest. hf: `.eval_results/` of a model's repository on the Hugging Face hub;
    tasks whose items are no data set of the hub are left out. The bundle is verified first.
    """
    if form == "hf":
        if source_url is None:
            raise click.UsageError("hf needs --source-url")
        if organization or relationship or retrieved is not None:
            raise click.UsageError("--organization, --relationship and --retrieved are for eee")
        from ftbench.export import hf

        _write(ui, form, hf.records(_source(ui, bundle, require, benchmarks, store), source_url), out)
        return
    if organization is None:
        raise click.UsageError("eee needs --organization")
    from ftbench.export import eee

    when = retrieved if retrieved is not None else int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    told = eee.Told(organization, relationship or "first_party", str(when), source_url or "")
    _write(ui, form, eee.records(_source(ui, bundle, require, benchmarks, store), told), out)


def _source(ui: Ui, bundle: Path, require: Level, benchmarks: tuple[Path, ...], store: str | None) -> Exported:
    from ftbench.cli.gathering import known
    from ftbench.data.store import Store
    from ftbench.export.source import source

    folders, plans, _ = known(ui, benchmarks, None)
    return source(bundle, store=Store.default(store), benchmarks=folders, plans=plans, required=require)


def _write(ui: Ui, form: Form, files: dict[str, bytes], out: Path) -> None:
    from ftbench.atomic import write_file
    from ftbench.cli.outputs.site import ExportOutput

    for name, data in files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, data)
        ui.line(str(target))
    ui.answer(ExportOutput(form=form, files=[str(out / name) for name in files]))
