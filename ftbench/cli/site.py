"""`ftbench site`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.gathering import results_option
from ftbench.cli.options import (
    SPEC,
    ExistingFile,
    benchmarks_option,
    example,
    json_option,
    require_option,
    signer_options,
    signers_of,
    store_option,
)
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.result.documents import Level

FILE = ExistingFile()


@click.command(
    "site",
    epilog=example("ftbench site build runs", "ftbench site build results -o site --published published.csv"),
)
@click.argument("action", metavar="build", type=click.Choice(["build"]))
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default="site",
    show_default=True,
    help="Where to write it; an older site there is replaced.",
)
@click.option("--title", default="ftbench leaderboard", show_default=True, help="What the first page is called.")
@click.option("--published", metavar="FILE", type=FILE, help="Scores from elsewhere, CSV or JSON, shown unranked.")
@click.option("--withdrawn", metavar="FILE", type=FILE, help="Bundles that were taken back, with the reason (JSON).")
@click.option("--spec", type=SPEC, help="Hold every bundle to this spec, compiled here.")
@results_option
@signer_options
@require_option
@benchmarks_option
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    action: str,
    folders: tuple[Path, ...],
    out: Path,
    title: str,
    published: Path | None,
    withdrawn: Path | None,
    spec: str | None,
    results: Path | None,
    signers: Path | None,
    revoked: Path | None,
    at: str | None,
    require: Level,
    benchmarks: tuple[Path, ...],
    store: str | None,
) -> None:
    """Verify every bundle below DIR and write a site of static pages: tables, entries, every answer.

    The pages need no server, no network and no scripts; the same bundles give the same bytes. Items whose licence
    forbids copies are shown by number and digest.
    """
    from ftbench.board.gather import gather
    from ftbench.board.published import load_published
    from ftbench.board.withdrawn import load_withdrawn
    from ftbench.cli.gathering import Decisions, known
    from ftbench.cli.outputs.site import SiteOutput
    from ftbench.data.store import Store
    from ftbench.site.build import check_target, write
    from ftbench.site.context import Context
    from ftbench.site.sizes import sizes

    check_target(out)
    elsewhere = load_published(published) if published else []
    decisions = Decisions(ui, results, signers_of(signers, revoked, at))
    gone = [*decisions.taken_back, *(load_withdrawn(withdrawn) if withdrawn else [])]
    here = Store.default(store)
    benchmark, plans, path = known(ui, benchmarks, spec)
    gathered = gather(
        folders,
        store=here,
        benchmarks=benchmark,
        plans=plans,
        required=require,
        spec=path,
        withdrawn=gone,
        decided=decisions.add,
        progress=lambda name: ui.note(f"verifying {name}", "dim"),
    )
    context = Context(
        gathered,
        title,
        published=elsewhere,
        sources=[folder.resolve().name for folder in folders],
        sizes=sizes(gathered),
        decisions=decisions.told,
    )
    files, size = write(context, out, lambda name: ui.note(f"writing {name}", "dim"))
    bundles, refused = context.bundles, len(gathered.board.refused)
    ui.line(f"{out / 'index.html'}: {files:,} files, {size / 2**20:.1f} MiB, {bundles} bundles, {refused} not ranked")
    ui.answer(
        SiteOutput(
            out=str(out), files=files, bytes=size, tables=len(gathered.board.tables), bundles=bundles, refused=refused
        )
    )
