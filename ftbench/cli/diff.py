"""`ftbench diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ftbench import codes
from ftbench.cli.options import SPEC, example, json_option
from ftbench.cli.ui import Ui
from ftbench.diagnostics import Diagnostic, Place

if TYPE_CHECKING:
    from ftbench.cli.outputs.general import Edit
    from ftbench.spec.diff import Edit as Found

STYLE = {"cosmetic": "dim", "operational": "note", "score-affecting": "warning", "incomparable": "error"}
SHOWN = 70
"""Characters of a value that are printed; --json has it whole."""


@click.command(
    "diff",
    epilog=example(
        "ftbench diff quickstart my-variant.yaml",
        "ftbench diff generated/quickstart/0.1.0 generated/quickstart/0.2.0",
        "ftbench diff old/legal.yaml legal.yaml --fail-on incomparable",
    ),
)
@click.argument("old", metavar="A", type=SPEC)
@click.argument("new", metavar="B", type=SPEC)
@click.option(
    "--fail-on", type=click.Choice(tuple(STYLE)), help="Exit with 1 where a difference is as grave, or graver."
)
@json_option
@click.pass_obj
def command(ui: Ui, old: str, new: str, fail_on: str | None) -> int:
    """Say why two benchmarks have different hashes, and how much each difference matters.

    Runs are compared by `ftbench compare`. A and B are specs, plan.json files or folders of compiled benchmarks. From
    least to gravest: cosmetic, operational, score-affecting, incomparable. Where both have a plan (for a spec: pins),
    code and stack are compared.
    """
    from ftbench.cli.outputs.general import DiffOutput
    from ftbench.spec.canonical import UNHASHED, spec_hash
    from ftbench.spec.diff import IMPACTS, MEANING, diff_plans

    a, b = _plan(ui, old), _plan(ui, new)
    if not (a.keys() >= {"pins"} and b.keys() >= {"pins"}):
        hashes: list[str | None] = [spec_hash(side) if "pins" in side else None for side in (a, b)]
        a, b = ({key: side[key] for key in side.keys() & {*UNHASHED, "spec"}} for side in (a, b))
    else:
        hashes = [spec_hash(a), spec_hash(b)]
    found = diff_plans(a, b)
    output = DiffOutput(
        impact=found.impact,
        meaning=MEANING[found.impact],
        old_hash=hashes[0],
        new_hash=hashes[1],
        edits=[_edit(edit) for edit in found.edits],
    )
    for edit in output.edits:
        sides = f"{_shown(edit.old)} → {_shown(edit.new)}" if edit.only_in is None else f"only in {edit.only_in}"
        ui.line(f"{edit.impact:<15} {edit.path}: {sides}", STYLE.get(edit.impact, ""))
    ui.line(f"{output.impact}: {output.meaning}", "strong")
    for name, hash_ in (("A", output.old_hash), ("B", output.new_hash)):
        ui.line(f"spec hash of {name}: {hash_ or 'unknown, its pins are missing'}")
    ui.answer(output)
    return int(fail_on is not None and IMPACTS.index(output.impact) >= list[str](IMPACTS).index(fail_on))


def _plan(ui: Ui, argument: str) -> dict[str, Any]:
    """A compiled benchmark's plan, or what stands for it: a spec's plan, without pins only metadata and spec."""
    from ftbench.cli.benchmark import pins_of, read_plan
    from ftbench.compile.compiler import make_plan
    from ftbench.compile.plan import PLAN
    from ftbench.errors import InvalidInput, MissingResource
    from ftbench.spec.canonical import UNHASHED
    from ftbench.spec.load import find_spec, load_spec

    path = Path(argument)
    if (path / "bundle").is_dir() or (path / "manifest.json").is_file() or path.name.endswith((".zip", ".gz", ".tgz")):
        message = "this is a run or a bundle; `diff` compares specs"
        hint = "`ftbench compare A B` compares two runs"
        raise InvalidInput(Diagnostic(codes.SPECS_NOT_RUNS, message, Place(argument), hint))
    if path.is_dir() and (path / PLAN).is_file():
        path = path / PLAN
    if path.suffix == ".json" and path.is_file():
        return read_plan(path).as_json()
    loaded = load_spec(find_spec(argument))
    ui.diagnostics(loaded.warnings)
    try:
        return make_plan(loaded.spec, pins_of(ui, loaded)).as_json()
    except MissingResource:
        spec = loaded.spec.model_dump(mode="json")
        return {**{name: spec.pop(name) for name in UNHASHED}, "spec": spec}


def _edit(found: Found) -> Edit:
    from ftbench.cli.outputs.general import Edit
    from ftbench.spec.diff import ABSENT

    sides = {name: None if value is ABSENT else value for name, value in (("old", found.old), ("new", found.new))}
    only_in: Literal["A", "B"] | None = "B" if found.old is ABSENT else "A" if found.new is ABSENT else None
    return Edit(path=found.path, impact=found.impact, only_in=only_in, **sides)


def _shown(value: Any) -> str:
    text = json.dumps(_one_line(value), ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _one_line(value: Any) -> Any:
    """Line breaks as one letter each, so that no escape is shown."""
    from ftbench.spec.words import NEWLINE

    if isinstance(value, str):
        return value.replace("\n", NEWLINE)
    if isinstance(value, list):
        return [_one_line(one) for one in value]
    return {key: _one_line(one) for key, one in value.items()} if isinstance(value, dict) else value
