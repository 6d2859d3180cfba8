"""`ftbench version`."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from ftbench.cli.options import example, json_option
from ftbench.cli.ui import Ui


@click.command("version", epilog=example("ftbench version --json"))
@json_option
@click.pass_obj
def command(ui: Ui) -> None:
    """Print the versions of ftbench, of the formats it knows and of the packages that move a score.

    Benchmarks compiled here ask for exactly the stack shown; a package that is not installed is a dash.
    """
    from ftbench import __version__
    from ftbench.cli.outputs.general import VersionOutput
    from ftbench.compile.stack import ACCOUNTING, STACK

    output = VersionOutput(
        ftbench=__version__,
        python=platform.python_version(),
        formats=formats(),
        stack={**STACK, **ACCOUNTING},
        installed={name: installed(name) for name in (*STACK, *ACCOUNTING)},
    )
    ui.line(f"ftbench {output.ftbench} on Python {output.python}", "strong")
    ui.line("formats: " + ", ".join(output.formats))
    ui.line("stack:")
    for name, wanted in output.stack.items():
        found = output.installed[name]
        ui.line(f"  {name} {wanted}, here {found or '—'}", "" if same_version(found, wanted) else "warning")
    ui.answer(output)


def formats() -> list[str]:
    """Formats of documents, each with its version."""
    from ftbench.cli.schemas import DOCUMENTS

    return [f"{name}/v1" for name in DOCUMENTS]


def installed(distribution: str) -> str | None:
    """Version of an installed distribution, read from its metadata: nothing is imported."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def same_version(found: str | None, wanted: str) -> bool:
    """Whether two versions are the same but for a local build tag such as `+cpu`."""
    return found is not None and found.partition("+")[0] == wanted
