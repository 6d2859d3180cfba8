"""`ftbench schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ftbench import codes
from ftbench.cli.options import ExistingFolder, example, json_option
from ftbench.cli.ui import Ui


@click.command("schema", epilog=example("ftbench schema spec > spec.schema.json", "ftbench schema --check schemas"))
@click.argument("name", required=False)
@click.option("--write", "write_to", metavar="DIR", type=click.Path(path_type=Path), help="Write every schema there.")
@click.option("--check", "check_in", metavar="DIR", type=ExistingFolder(), help="Compare every schema.")
@json_option
@click.pass_obj
def command(ui: Ui, name: str | None, write_to: Path | None, check_in: Path | None) -> int:
    """Print, write or check the JSON Schemas (2020-12) of ftbench's documents.

    NAME is a document such as `spec`, `entry` or `result`, or `output/COMMAND` for what a command prints with --json.
    Without a name the names are listed.
    """
    from ftbench.cli import schemas
    from ftbench.cli.outputs.general import SchemaOutput

    if sum(given is not None for given in (name, write_to, check_in)) > 1:
        raise click.UsageError("give one of NAME, --write and --check")
    if write_to is not None:
        written = schemas.write(write_to)
        ui.line(f"{len(written)} schemas written to {write_to}" if written else f"{write_to} is up to date")
        ui.answer(SchemaOutput(schemas={}, drift=[], written=written))
        return 0
    if check_in is not None:
        return _check(ui, check_in)
    texts = {path: data.decode() for path, data in schemas.all_schemas().items()}
    if name is not None:
        path = name if name in texts else f"{name}.v1.schema.json"
        if path not in texts:
            raise click.UsageError(_unknown(name, list(texts)))
        texts = {path: texts[path]}
        ui.raw(texts[path])
    else:
        for path in texts:
            ui.line(path.removesuffix(".v1.schema.json"))
    ui.answer(SchemaOutput(schemas={path: json.loads(text) for path, text in texts.items()}, drift=[], written=[]))
    return 0


def _check(ui: Ui, folder: Path) -> int:
    from ftbench.cli import schemas
    from ftbench.cli.outputs.general import SchemaOutput
    from ftbench.diagnostics import Diagnostic, Place

    drift = schemas.drift(folder)
    ui.answer(SchemaOutput(schemas={}, drift=drift, written=[]))
    if not drift:
        ui.line(f"{folder} is what the models generate")
        return 0
    hint = f"regenerate with: {schemas.REGENERATE}"
    ui.diagnostics(
        Diagnostic(codes.SCHEMAS_DRIFTED, line, Place(str(folder)), hint if i == 0 else "")
        for i, line in enumerate(drift)
    )
    return 1


def _unknown(name: str, paths: list[str]) -> str:
    from ftbench.diagnostics import did_you_mean

    near = did_you_mean(name, [path.removesuffix(".v1.schema.json") for path in paths])
    return f"there is no schema `{name}`" + (f", {near}" if near else "")
