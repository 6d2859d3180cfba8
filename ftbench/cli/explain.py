"""`ftbench explain`: a field of a spec, or a diagnostic by its code."""

from __future__ import annotations

import json
import re
import textwrap

import click

from ftbench.cli.options import example, json_option, spec_argument
from ftbench.cli.ui import Ui

CODE = re.compile(r"FTB\d{3}", re.IGNORECASE)


@click.command(
    "explain", epilog=example("ftbench explain quickstart training.schedule.learning_rate", "ftbench explain FTB329")
)
@spec_argument
@click.argument("path", default="")
@json_option
@click.pass_obj
def command(ui: Ui, spec: str, path: str) -> None:
    """Say what a field of a spec is, where its value comes from, and whether an entry may choose it.

    PATH is dotted, such as `adapter.rank`; without one the blocks of the spec are listed. With a diagnostic's code in
    the place of SPEC: what it means, why it is said and how to mend it.
    """
    if CODE.fullmatch(spec):
        _code(ui, spec.upper())
        return
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


def _code(ui: Ui, code: str) -> None:
    from ftbench import codes
    from ftbench.cli.inventory import diagnostics
    from ftbench.cli.outputs.general import ExplainCodeOutput
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import InvalidInput
    from ftbench.explained import explained

    meanings = {item.name: item.description for item in diagnostics("")}
    if code not in meanings:
        hint = "`ftbench list diagnostics` has all codes"
        raise InvalidInput(Diagnostic(codes.NO_CODE, f"no diagnostic has the code {code}", hint=hint))
    output = ExplainCodeOutput(code=code, meaning=meanings[code], **explained()[code]._asdict())
    ui.line(f"{code}  {output.meaning}", "strong")
    for name, text in (("why", output.why), ("mend", output.mend)):
        for line in textwrap.wrap(f"{name + ':':<7}{text}", 78, subsequent_indent=" " * 7, break_on_hyphens=False):
            ui.line(f"  {line}")
    ui.answer(output)
