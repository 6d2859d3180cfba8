"""`ftbench report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import ExistingFolder, example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.data.store import Store

HTML, MARKDOWN = "report.html", "report.md"


@click.command("report", epilog=example("ftbench report runs/quickstart-default-s1"))
@click.argument("run", metavar="RUN", type=ExistingFolder())
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write report.html and report.md (default: the run's folder).",
)
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, run: Path, *, out: Path | None, store: str | None) -> None:
    """Write what a run came to as one HTML page that needs no other file, and as Markdown.

    Learning curve, bytes, scores beside references, answers gained and lost, warnings, and what to do next. A run that
    is still training can be reported too. `ftbench run` writes it by itself when it ends.
    """
    from ftbench.cli.outputs.site import ReportOutput
    from ftbench.data.store import Store

    page, text = write(run, out or run, Store.default(store))
    ui.line(str(page))
    ui.line(str(text))
    ui.answer(ReportOutput(html=str(page), markdown=str(text)))


def write(run: Path, out: Path, store: Store) -> tuple[Path, Path]:
    """Both forms, into a folder. Raises InvalidInput (FTB714) where there is no run."""
    from ftbench.atomic import write_file
    from ftbench.site.report import as_html, as_markdown, gather

    report = gather(run, store)
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / HTML, as_html(report))
    write_file(out / MARKDOWN, as_markdown(report).encode())
    return out / HTML, out / MARKDOWN
