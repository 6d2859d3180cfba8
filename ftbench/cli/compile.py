"""`ftbench compile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench import codes
from ftbench.cli.options import example, json_option, out_option, spec_argument
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled


@click.command("compile", epilog=example("ftbench compile specs/quickstart.yaml", "ftbench compile quickstart --check"))
@spec_argument
@out_option("Root of compiled benchmarks; writes DIR/NAME/VERSION.", default=Path("generated"), show_default=True)
@click.option("--check", is_flag=True, help="Write nothing; show what differs and exit with 1 if anything does.")
@json_option
@click.pass_obj
def command(ui: Ui, spec: str, out: Path, check: bool) -> int:
    """Freeze a spec into a Flower app and evaluation-harness tasks.

    Reads the spec and its pins only: no data, no network. Same spec, same bytes, on any machine. A version that is
    published is never rewritten; --check holds it to its own lock.
    """
    from ftbench.cli.benchmark import compiled, shell
    from ftbench.cli.outputs.general import CompileOutput
    from ftbench.compile.folder import write

    _, made = compiled(ui, spec)
    folder = out / made.folder
    differences = _differences(made, folder) if check else []
    if not check:
        folder = write(made, out)
    output = CompileOutput(
        name=made.lock.name,
        version=made.lock.version,
        spec_hash=made.lock.spec_hash,
        fab_hash=made.lock.fab_hash,
        folder=str(folder),
        written=not check,
        drift=differences,
        run=shell("ftbench", "run", spec),
    )
    ui.answer(output)
    if check:
        return _report(ui, output, shell("ftbench", "compile", spec, *_out(out)))
    ui.line(f"{output.name} {output.version}: {len(made.files)} files in {output.folder}", "good")
    ui.line(f"spec hash {output.spec_hash}")
    ui.line(output.run)
    return 0


def _differences(made: Compiled, folder: Path) -> list[str]:
    """What `--check` finds. A published version is held to its own lock: the modules it was made from have moved on."""
    from ftbench.compile.folder import check_lock, drift, status

    if status(folder) == "published":
        return check_lock(folder)
    return drift(made, folder)


def _report(ui: Ui, output: object, again: str) -> int:
    from ftbench.cli.outputs.general import CompileOutput
    from ftbench.diagnostics import Diagnostic, Place

    assert isinstance(output, CompileOutput)
    if not output.drift:
        ui.line(f"{output.folder} is up to date", "good")
        return 0
    for difference in output.drift:
        for line in difference.rstrip("\n").split("\n"):
            ui.line(line, {"+": "good", "-": "error"}.get(line[:1], ""))
    message = f"the compiled benchmark differs from what its spec compiles to ({len(output.drift)} files)"
    ui.diagnostics([Diagnostic(codes.DRIFT, message, Place(output.folder), hint=f"run: {again}")])
    return 1


def _out(out: Path) -> list[str]:
    return [] if out == Path("generated") else ["--out", str(out)]
