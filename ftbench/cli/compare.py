"""`ftbench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import benchmarks_option, example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.board.versus import Versus


@click.command(
    "compare",
    epilog=example(
        "ftbench compare runs/quickstart-default-s1 runs/quickstart-rank4-s1",
        "ftbench compare mine.zip theirs.zip --html pair.html",
    ),
)
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as one HTML page that needs no other file.",
)
@benchmarks_option
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, *, a: Path, b: Path, page: Path | None, benchmarks: tuple[Path, ...], store: str | None) -> None:
    """Compare two runs, bundles or entries: what they chose otherwise, and on which items they differ.

    A and B are folders of runs, bundles (folders or archives), or two entries' files; of files the choices alone are
    compared. Tasks are tested in pairs on the same items, with one error for all tasks and their mean. B minus A.
    Nothing is verified here: `ftbench verify` says how far a bundle can be believed.
    """
    from ftbench.board.versus import entries, is_entry, versus
    from ftbench.cli.benchmark import benchmark_folders
    from ftbench.data.store import Store

    if is_entry(a) and is_entry(b):
        output = entries(a, b)
    else:
        output = versus(a, b, benchmarks=benchmark_folders(benchmarks), store=Store.default(store))
    for line in _lines(output):
        ui.line(line)
    if page is not None:
        from ftbench.atomic import write_file
        from ftbench.site.versus import as_html

        page.parent.mkdir(parents=True, exist_ok=True)
        write_file(page, as_html(output))
        ui.note(f"written to {page}")
    ui.answer(output)


def _lines(output: Versus) -> list[str]:
    from ftbench.board.versus import lines

    return list(lines(output))
