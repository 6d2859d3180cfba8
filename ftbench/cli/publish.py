"""`ftbench publish`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench import codes
from ftbench.cli.options import example, json_option, out_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.data.store import Store
    from ftbench.spec.load import LoadedSpec


@click.command("publish", epilog=example("ftbench publish specs/mine.yaml"))
@spec_argument
@out_option("Root of compiled benchmarks; writes DIR/NAME/VERSION.", default=Path("generated"), show_default=True)
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, spec: str, out: Path, store: str | None) -> None:
    """Compile a version that is never changed again, so that its results stay verifiable.

    The spec must say `status: published` itself, and its pins must be what its data resolve to today. A version that
    is there with other bytes is never overwritten: give the spec a new version.
    """
    from ftbench.cli.benchmark import compiled
    from ftbench.cli.outputs.general import PublishOutput
    from ftbench.compile.folder import drift, write
    from ftbench.data.store import Store

    loaded, made = compiled(ui, spec)
    check_ready(ui, loaded, Store.default(store))
    there = out / made.folder
    already = there.is_dir() and not drift(made, there)
    folder = write(made, out)
    lock = made.lock
    output = PublishOutput(
        name=lock.name,
        version=lock.version,
        spec_hash=lock.spec_hash,
        fab_hash=lock.fab_hash,
        folder=str(folder),
        already=already,
        cite=f"{loaded.spec.metadata.title}. ftbench benchmark {lock.name} {lock.version}, spec hash {lock.spec_hash}.",
    )
    ui.line(f"{lock.name} {lock.version} is {'already ' if already else ''}published in {folder}", "good")
    ui.line("keep the folder for ever: results of this version are verified with it")
    ui.line("cite it as:")
    ui.line(f"  {output.cite}")
    ui.answer(output)


def check_ready(ui: Ui, loaded: LoadedSpec, store: Store) -> None:
    """Raise InvalidInput for a draft, and for pins that are not what the spec resolves to."""
    from ftbench.data.local import beside
    from ftbench.data.pins_check import confirm_pins
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import InvalidInput
    from ftbench.spec.load import load_pins

    metadata = loaded.spec.metadata
    if metadata.status != "published":
        message = f"{metadata.name} {metadata.version} is a draft"
        hint = "when it is final, write `status: published` under `metadata:` and publish again"
        raise InvalidInput(Diagnostic(codes.NOT_PUBLISHABLE, message, loaded.place("metadata.status"), hint))
    found = confirm_pins(loaded.spec, load_pins(loaded.path), store, beside(loaded))
    if any(one.severity == "error" for one in found):
        raise InvalidInput(found)
    ui.diagnostics(found)
