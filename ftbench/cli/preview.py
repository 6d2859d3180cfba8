"""`ftbench preview`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftbench.cli.options import example, json_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.data.store import Store
    from ftbench.run.preview import Shown, Wanted
    from ftbench.spec.load import LoadedSpec


@click.command("preview", epilog=example("ftbench preview legal.yaml", "ftbench preview quickstart --rows 1"))
@spec_argument
@click.option("--rows", metavar="N", type=click.IntRange(1, 100), default=3, help="Rows of each source (default: 3).")
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, *, spec: str, rows: int, store: str | None) -> int:
    """Show prompts and answers exactly as they are trained and scored, with their tokens.

    Token ids are made by the code that trains and scores, with the base model's own tokenizer, and written as text
    again: special tokens are seen. What is learnt, or scored, stands in colour, without colour between » and «. Local
    files and built-in data need not be locked; of the hub's, what the store has is shown.
    """
    from ftbench.cli.benchmark import load
    from ftbench.data.store import Store
    from ftbench.run.base_model import fetch_command
    from ftbench.run.preview import Job, look

    loaded, here = load(ui, spec), Store.default(store)
    ref = loaded.spec.model.base
    folder = here.model_path(here.model_digest(ref), f"{ref.name}@{ref.revision}", fetch_command(ref))
    job = Job(
        model=str(folder.absolute()),
        name=ref.name,
        spec=loaded.spec.model_dump(mode="json", exclude_none=True),
        wanted=list(_wanted(ui, loaded, here, rows)),
    )
    found = look(job)
    ui.line(f"tokens of {found.model}; a training row has at most {found.sequence_length}", "dim")
    for one in found.shown:
        _show(ui, one)
    ui.answer(found)
    return 0


def _wanted(ui: Ui, loaded: LoadedSpec, store: Store, count: int) -> list[Wanted]:
    """Some rows of every source that is here. Raises MissingResource where none is."""
    from ftbench.data.at_hand import rows_at_hand
    from ftbench.data.sources import named_sources
    from ftbench.errors import MissingResource
    from ftbench.run.preview import Wanted, spread

    found, missing = [], None
    for key in named_sources(loaded.spec):
        try:
            rows = rows_at_hand(loaded, key, store)
        except MissingResource as error:
            ui.diagnostics(error.diagnostics)
            missing = error
            continue
        numbers = spread(len(rows), count)
        found.append(Wanted(key=key, numbers=numbers, rows=[rows[number] for number in numbers]))
    if missing is not None and not found:
        raise missing
    return found


def _show(ui: Ui, one: Shown) -> None:
    head = f"{one.key}, row {one.row}"
    if one.option is not None:
        head += f", option {one.option}" + (" (right)" if one.right else "")
    if one.left_out is not None:
        ui.line(f"{head}: left out of training, {one.left_out}", "warning")
        return
    counted = sum(piece.tokens for piece in one.pieces if piece.learnt)
    verb = "learnt" if one.key == "train" else "scored"
    ui.line(
        f"{head}: {one.tokens} tokens, {counted} of them {verb}" if counted else f"{head}: {one.tokens} tokens",
        "strong",
    )
    ui.pieces([(piece.text, piece.learnt) for piece in one.pieces])
