"""`ftbench site-kit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ftbench.cli.options import SPEC, ExistingFile, example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.data.store import Store
    from ftbench.run.evaluation.trial import Report
    from ftbench.spec.model import Spec

ACTIONS = ("join", "open")


@click.command(
    "site-kit",
    epilog=example(
        "ftbench site-kit join clinics.yaml --site clinic-north --rows letters.csv",
        "ftbench site-kit open clinics.yaml clinic-*.site.json --superlink fed.example.org:9092",
        "ftbench node clinic-north --kit kit",
    ),
)
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("spec", type=SPEC)
@click.argument("locks", nargs=-1, metavar="[SITE.site.json]…", type=ExistingFile())
@click.option("--site", metavar="NAME", help="With join: which of the spec's sites this is.")
@click.option(
    "--rows",
    metavar="FILE",
    multiple=True,
    type=ExistingFile(),
    help="With join: the site's own rows (csv, json, jsonl, parquet); may be given repeatedly.",
)
@click.option("--licence", default="unknown", help="With join: licence of the rows.")
@click.option("--superlink", metavar="HOST:PORT", help="With open: where sites reach the SuperLink.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), default=Path(), help="Where to write.")
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    action: Literal["join", "open"],
    spec: str,
    locks: tuple[Path, ...],
    site: str | None,
    rows: tuple[Path, ...],
    licence: str,
    superlink: str | None,
    out: Path,
    store: str | None,
) -> None:
    """Make what a site needs to take part with rows that stay there, at the site and at the organiser's.

    join, at a site: check and lock its own rows, count what the base model learns from, and make its key.
    SITE.site.json is all that leaves: counts, a salted digest and the public key. open, at the organiser's: from these
    files make the pins, compile, and write `organiser` (certificates, secret, scripts; keep it) and `kit` (send it to
    every site).
    """
    from ftbench.data.store import Store

    found = Store.default(store)
    if action == "join":
        if site is None or not rows or locks:
            raise click.UsageError("a site joins with: ftbench site-kit join SPEC --site NAME --rows FILE")
        return _join(ui, spec, site, rows, out=out, licence=licence, store=found)
    if superlink is None or not locks or rows or site:
        raise click.UsageError(
            "a federation opens with: ftbench site-kit open SPEC SITE.site.json… --superlink HOST:PORT"
        )
    return _open(ui, spec, locks, superlink, out=out, store=found)


def _join(ui: Ui, spec: str, site: str, rows: tuple[Path, ...], *, out: Path, licence: str, store: Store) -> None:
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.sites import Joined, SiteKitOutput
    from ftbench.node.join import ROWS, join

    loaded = load(ui, spec).spec
    file, locked = join(loaded, site, rows, out, licence=licence, store=store)
    counts = locked.lock.counts
    ui.diagnostics(locked.notes)
    ui.line(f"{out / site}: {counts.rows:,} of {counts.read:,} rows locked; they and their salt stay here", "good")
    for why, number in sorted(counts.left_out.items()):
        ui.line(f"  left out: {number:,} {why}")
    if counts.in_tests is None:
        ui.line("  not compared with the test sets, which are not here")
    else:
        ui.line(f"  {counts.in_tests:,} hold an item of a test set")
    learnt = _learnt(ui, loaded, out / site / ROWS, counts.rows, store)
    ui.line(f"{file}: send this to the organiser; it is all that leaves: counts, a salted digest, a public key")
    joined = Joined(folder=str(out / site), handed_out=str(file), lock=locked.lock, learnt=learnt)
    ui.answer(SiteKitOutput(joined=joined))


def _learnt(ui: Ui, spec: Spec, rows: Path, count: int, store: Store) -> Report | None:
    """What the base model's tokenizer leaves of a site's locked rows, told to the site alone. None where that is not
    known: the model is not here, or learns from none of them. An entry may bring another, so nothing is refused."""
    import json
    import tempfile

    from ftbench.errors import FtbenchError
    from ftbench.run.base_model import fetch_command
    from ftbench.run.evaluation.trial import Trial, try_tokenizer

    base = spec.model.base
    try:
        folder = store.model_path(store.model_digest(base), base.name, fetch_command(base))
        with tempfile.TemporaryDirectory() as scratch:
            shares = Path(scratch) / "shares.json"
            shares.write_text(json.dumps([list(range(count))]))
            trial = Trial(
                model=str(folder.absolute()),
                name=base.name,
                spec=spec.model_dump(mode="json", exclude_none=True),
                rows=str(rows.absolute()),
                shares=str(shares),
            )
            found = try_tokenizer(trial, Path(scratch) / "trial.json", Path(scratch) / "trial.log")
    except FtbenchError as error:
        ui.line("  not counted in tokens:", "warning")
        ui.diagnostics(error.diagnostics)
        return None
    total = found.total
    of = "" if total.looked == total.held else f", spread over {total.held:,}"
    ui.line(f"  {base.name} learns from {total.used:,} of {total.looked:,}{of}")
    for reason, number in sorted(found.left_out.items()):
        ui.line(f"  left out in training: {number:,} {reason}", "warning")
    return found


def _open(ui: Ui, spec: str, locks: tuple[Path, ...], superlink: str, *, out: Path, store: Store) -> None:
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.sites import Opened, SiteKitOutput
    from ftbench.compile.compiler import compile_spec
    from ftbench.data import sites
    from ftbench.data.hub import Hub
    from ftbench.data.local import beside
    from ftbench.data.pinning import attempt, write_pins
    from ftbench.node import kit
    from ftbench.spec.load import load_pins, pins_path

    loaded = load(ui, spec)
    handed = [sites.read(path) for path in locks]
    known = load_pins(loaded.path) if pins_path(loaded.path).exists() else None
    tried = attempt(
        loaded.spec,
        store,
        known,
        lambda: Hub(store.scratch(), tell=ui.note),
        place=loaded.place,
        near=beside(loaded),
        locked=handed,
    )
    pins = tried.check()
    made = compile_spec(loaded.spec, pins)
    organiser, parts = kit.write(out, made.lock, superlink, handed, made.files)
    write_pins(pins_path(loaded.path), pins)
    ui.diagnostics(tried.warnings)
    ui.line(f"{pins_path(loaded.path)}: {len(handed)} sites, {pins.sources['train'].rows:,} rows", "good")
    ui.line(f"{organiser}: keep it. superlink.sh starts the SuperLink, register.sh makes the sites' keys known")
    ui.line(f"{parts}: send it to every site; there: ftbench node FOLDER --kit {parts.name}")
    ui.line(f"app {made.lock.fab_hash}: tell it to the sites by another way, so that they can compare")
    opened = Opened(
        organiser=str(organiser),
        kit=str(parts),
        pins_file=str(pins_path(loaded.path)),
        spec_hash=made.lock.spec_hash,
        fab_hash=made.lock.fab_hash,
    )
    ui.answer(SiteKitOutput(opened=opened))
