"""`ftbench new`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import SPEC, example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.draft.guess import Guess

FILE = click.Path(path_type=Path)


@click.command(
    "new",
    epilog=example(
        'ftbench new legal --train train.jsonl --test test.jsonl --options "yes,no"',
        "ftbench new legal",
        "ftbench new entry legal.yaml",
    ),
)
@click.argument("name")
@click.argument("spec", required=False, type=SPEC)
@click.option("--train", metavar="FILE", type=FILE, help="Training rows: jsonl, json, csv or parquet.")
@click.option("--test", metavar="FILE", type=FILE, help="Test items, with the right answers.")
@click.option("--options", metavar="A,B,…", help="Answers to choose from, as the test has them. Default: found there.")
@click.option("--model", metavar="NAME[@REVISION]", help="The base model. Default: the micro model that is built in.")
@click.option("--out", metavar="FILE", type=FILE, help="File to write. Default: NAME.yaml here.")
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    name: str,
    spec: str | None,
    train: Path | None,
    test: Path | None,
    options: str | None,
    model: str | None,
    out: Path | None,
    store: str | None,
) -> int:
    """Write a spec from two files, or with `new entry SPEC` an entry for a spec.

    The files are looked at; what was guessed of them is said with its reason, here and in comments of the spec, which
    validates as it is. Without --train and --test it asks, on a terminal. Nothing that is there is written over.
    """
    if name == "entry" or spec is not None:
        if name != "entry" or spec is None or train or test or options or model:
            raise click.UsageError("an entry is drafted with: ftbench new entry SPEC [--out FILE]")
        return _entry(ui, spec, out or Path("entry.yaml"))
    asked = sys.stdin.isatty() and not ui.json
    open_ = asked and options is None and (train is None or test is None)
    train = train or _ask(asked, "--train", "file with the training rows")
    test = test or _ask(asked, "--test", "file with the test items")
    if open_:
        told = "answers to choose from, with commas between (nothing: those found in the test)"
        options = click.prompt(told, default="", show_default=False, err=True) or None
    return _spec(ui, name, (train, test), options, model=model, out=out or Path(f"{name}.yaml"), store=store)


def _ask(asked: bool, option: str, what: str) -> Path:
    if not asked:
        raise click.UsageError(f"name the files: --train FILE --test FILE ({option} is missing); on a terminal it asks")
    return Path(click.prompt(f"{what} ({option})", type=str, err=True))


def _spec(
    ui: Ui, name: str, files: tuple[Path, Path], options: str | None, *, model: str | None, out: Path, store: str | None
) -> int:
    from ftbench.cli.outputs.general import NewOutput
    from ftbench.draft.make import make

    made = make(name, *files, options=options, model=model, out=out, store=store)
    _tell(ui, made.guess)
    ui.line(f"{out}: written, and valid ({name} 0.1.0, draft)", "good")
    ui.line(f"next: ftbench preview {out}; ftbench lock {out}; ftbench run {out}")
    ui.answer(NewOutput(kind="spec", file=str(out), guesses=made.guess.notes))
    return 0


def _tell(ui: Ui, found: Guess) -> None:
    said = {
        "answer": f"`{found.answer}`",
        "prompt": ", ".join(f"`{one}`" for one in found.questions),
        "options": ", ".join(found.options),
        "clients": str(found.clients),
    }
    for what, why in found.notes.items():
        ui.line(f"  {what}: {said[what]} - {why}" if what in said else f"  {what}: {why}")


def _entry(ui: Ui, spec: str, out: Path) -> int:
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.general import NewOutput
    from ftbench.draft import entry
    from ftbench.draft.make import put
    from ftbench.spec.entries import load_entry, resolve_entry

    loaded = load(ui, spec)
    put(out, entry.write(loaded.spec, "my-entry", spec))
    resolve_entry(loaded.spec, load_entry(out), commit_of=None)
    ui.line(f"{out}: written; it sets {len(loaded.spec.knobs)} knobs to their defaults", "good")
    ui.line(f"next: ftbench validate {spec} --entry {out}; ftbench run {spec} --entry {out}")
    ui.answer(NewOutput(kind="entry", file=str(out), guesses={}))
    return 0
