"""`ftbench pack`."""

from __future__ import annotations

from pathlib import Path

import click

from ftbench.cli.options import ExistingFolder, example, json_option
from ftbench.cli.ui import Ui


@click.command("pack", epilog=example("ftbench pack runs/quickstart-1/bundle --out quickstart-1.zip"))
@click.argument("bundle", type=ExistingFolder())
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Archive to write (default BUNDLE.zip).",
)
@json_option
@click.pass_obj
def command(ui: Ui, bundle: Path, out: Path | None) -> None:
    """Put a result bundle into one archive to hand in.

    BUNDLE is the folder `bundle` of a run, or the run's folder. Equal bundles give equal archives.
    """
    from ftbench.cli.outputs.general import PackOutput
    from ftbench.result.bundle import pack
    from ftbench.spec.canonical import sha256

    folder = bundle / "bundle" if (bundle / "bundle" / "manifest.json").is_file() else bundle
    archive = pack(folder, out, lambda text: ui.note(text, "note"))
    data = archive.read_bytes()
    output = PackOutput(archive=str(archive), size=len(data), sha256=sha256(data))
    ui.line(f"{output.archive}: {output.size:,} bytes, sha256 {output.sha256}")
    ui.answer(output)
