"""`ftbench export`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ftbench.cli.options import benchmarks_option, example, json_option, require_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.export.source import Exported
    from ftbench.result.documents import Level

Relationship = Literal["first_party", "third_party", "collaborative", "other"]


@click.group("export", epilog=example("ftbench export eee runs/mine/bundle --organization 'A lab' --out eee"))
def command() -> None:
    """Write a verified result in a form that others read."""


def _address(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not text.startswith("https://"):
        raise click.BadParameter("it must begin with https://")
    return text


def _bundle_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path)),
        click.option("--out", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Where to write it."),
        require_option,
        benchmarks_option,
        store_option,
        json_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@command.command("eee", epilog=example("ftbench export eee runs/mine/bundle --organization 'A lab' --out eee"))
@_bundle_options
@click.option("--organization", required=True, help="Who hands the record in.")
@click.option(
    "--relationship",
    type=click.Choice(["first_party", "third_party", "collaborative", "other"]),
    default="first_party",
    show_default=True,
    help="What they are to the tuned model.",
)
@click.option("--source-url", callback=_address, help="Address of the entry's page.")
@click.option(
    "--retrieved",
    metavar="SECONDS",
    type=click.IntRange(min=0),
    help="When the record was made, since 1970 (default: $SOURCE_DATE_EPOCH, else now).",
)
@click.pass_obj
def eee(  # noqa: PLR0917
    ui: Ui,
    bundle: Path,
    out: Path,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
    organization: str,
    relationship: Relationship,
    source_url: str | None,
    retrieved: int | None,
) -> None:
    """Every Eval Ever, schema 0.3.0: scores and every answer, of the tuned and of the untuned model.

    The bundle is verified first. Items whose licence forbids copies are given by digest.
    """
    from ftbench.export import eee as form

    when = retrieved if retrieved is not None else int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    told = form.Told(organization, relationship, str(when), source_url or "")
    _write(ui, "eee", form.records(_source(ui, bundle, require, benchmarks, store), told), out)


@command.command("hf", epilog=example("ftbench export hf runs/mine/bundle --source-url https://… --out my-model"))
@_bundle_options
@click.option("--source-url", required=True, callback=_address, help="Address of the entry's page.")
@click.pass_obj
def hf(  # noqa: PLR0917
    ui: Ui,
    bundle: Path,
    out: Path,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
    source_url: str,
) -> None:
    """`.eval_results/` of a model's repository on the Hugging Face hub, with the entry's page as its source.

    The bundle is verified first. Tasks whose items are no data set of the hub are left out.
    """
    from ftbench.export import hf as form

    _write(ui, "hf", form.records(_source(ui, bundle, require, benchmarks, store), source_url), out)


def _source(ui: Ui, bundle: Path, require: Level, benchmarks: tuple[Path, ...], store: str | None) -> Exported:
    from ftbench.cli.gathering import known
    from ftbench.data.store import Store
    from ftbench.export.source import source

    folders, plans, _ = known(ui, benchmarks, None)
    return source(bundle, store=Store.default(store), benchmarks=folders, plans=plans, required=require)


def _write(ui: Ui, form: Literal["eee", "hf"], files: dict[str, bytes], out: Path) -> None:
    from ftbench.atomic import write_file
    from ftbench.cli.outputs.site import ExportOutput

    for name, data in files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, data)
        ui.line(str(target))
    ui.answer(ExportOutput(form=form, files=[str(out / name) for name in files]))
