"""`ftbench explain`."""

from __future__ import annotations

import json

import click

from ftbench.cli.options import example, json_option, spec_argument
from ftbench.cli.ui import Ui


@click.command("explain", epilog=example("ftbench explain quickstart training.schedule.learning_rate"))
@spec_argument
@click.argument("path", default="")
@json_option
@click.pass_obj
def command(ui: Ui, spec: str, path: str) -> None:
    """Say what a field of a spec is, where its value comes from, and whether an entry may choose it.

    PATH is dotted, such as `adapter.rank`; without one the blocks of the spec are listed.
    """
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.general import ExplainOutput
    from ftbench.spec.explain import explain

    found = explain(load(ui, spec), path)
    output = ExplainOutput.model_validate(found.as_json())
    if output.fields:
        ui.line(output.path or spec, "strong")
    elif isinstance(output.value, str) and "\n" in output.value:
        ui.line(f"{output.path}:", "strong")
        ui.pieces([(output.value, False)])
    else:
        ui.line(f"{output.path} = {json.dumps(output.value, ensure_ascii=False)}", "strong")
    for line in output.doc.split("\n"):
        ui.line(f"  {line}".rstrip())
    ui.line(f"  takes: {output.type}")
    ui.line(f"  from:  {found.origin}")
    if output.knob is not None:
        ui.line(f"  knob:  an entry may choose {output.knob}", "good")
    elif output.frozen is not None:
        ui.line(f"  frozen: {output.frozen}")
    ui.line("  hashed: " + ("yes, it is a condition of every result" if output.hashed else "no, it only describes"))
    if output.fields:
        ui.line("  fields: " + ", ".join(output.fields))
    ui.answer(output)
