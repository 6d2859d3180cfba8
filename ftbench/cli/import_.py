"""`ftbench import`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.flowertune.importing import Imported

PATH = click.Path(path_type=Path)
KINDS = {
    "departs": ("departs", "error", "What no entry can say"),
    "carried": ("carried", "note", "What the entry sets"),
    "not-told": ("not told", "warning", "What the files do not tell"),
}
"""Kind of a finding → its word, its style, the headline above all of it."""


@click.command(
    "import",
    epilog=example(
        "ftbench import flowertune my-app",
        "ftbench import flowertune my-app --checkpoint my-app/results/peft_200",
        "ftbench import flowertune my-app --prompts mine.yaml",
    ),
)
@click.argument("kind", metavar="flowertune", type=click.Choice(["flowertune"]))
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--out", metavar="FILE", type=PATH, help="Entry to write (default: NAME.yaml here).")
@click.option(
    "--domain",
    type=click.Choice(["general-nlp", "finance", "medical", "code"]),
    help="Domain whose budget track it is held to (default: by its training set).",
)
@click.option("--model", metavar="FILE", help="The base model's config.json, where the catalogue lacks it.")
@click.option(
    "--reference",
    metavar="DIR",
    type=PATH,
    help="App and evaluation scripts that prompts and scorers are held to (default: the public ones).",
)
@click.option("--prompts", metavar="FILE", type=PATH, help="Write a draft spec with the app's own prompt, too.")
@click.option("--checkpoint", metavar="DIR", type=PATH, help="A saved adapter, such as peft_200, to convert.")
@click.option("--adapter", metavar="DIR", type=PATH, help="Where to write it (default: NAME-adapter here).")
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    kind: str,
    folder: Path,
    out: Path | None,
    domain: str | None,
    model: str | None,
    reference: Path | None,
    prompts: Path | None,
    checkpoint: Path | None,
    adapter: Path | None,
    store: str | None,
) -> int:
    """Turn a FlowerTune app into an entry, and say where it departs from the benchmark.

    The app's configuration and the text of its modules are read; nothing of it is carried out. The entry is for the
    budget track of its domain. The exit code is 0 where the app conforms, 1 where it departs, 3 where it cannot be
    read. A checkpoint (adapter_model.safetensors, or .bin by PyTorch's `weights_only`) becomes an adapter folder,
    which `ftbench evaluate` scores; the answers that an app's evaluation recorded are scored by `ftbench score`.
    """
    from ftbench.base_models.lookup import look_up
    from ftbench.cli.outputs.flowertune import Departure, ImportOutput
    from ftbench.data.store import Store
    from ftbench.draft.make import put
    from ftbench.errors import CheckFailed
    from ftbench.flowertune.importing import import_app

    if adapter is not None and checkpoint is None:
        raise click.UsageError("--adapter goes with --checkpoint")
    ui.note(f"reading {folder}", "dim")
    here = Store.default(store)
    found = import_app(folder, lambda name: look_up(name, None, here), domain=domain, reference=reference, model=model)
    entry = out or Path(f"{found.app.name}.yaml")
    put(entry, found.entry)
    if prompts is not None:
        from ftbench.flowertune.prompts import spec_text, wording

        put(prompts, spec_text(found.app, found.benchmark, wording(found.app)))
    saved = None if checkpoint is None else adapter or Path(f"{found.app.name}-adapter")
    if checkpoint is not None and saved is not None:
        from ftbench.flowertune.checkpoint import convert

        ui.note(f"reading {checkpoint}", "dim")
        tensors, parameters = convert(checkpoint, saved)
        ui.note(f"{saved}: {tensors} tensors, {parameters:,} parameters", "note")
    ui.diagnostics(found.app.broken)
    _show(ui, found, entry, prompts, saved)
    ui.answer(
        ImportOutput(
            app=found.app.shown,
            benchmark=found.benchmark,
            conforms=found.conforms,
            entry=str(entry),
            prompts=None if prompts is None else str(prompts),
            adapter=None if saved is None else str(saved),
            findings=[
                Departure(kind=one.kind, topic=one.topic, text=one.text, place=one.place) for one in found.findings
            ],
        )
    )
    return 0 if found.conforms else CheckFailed.exit_code


def _show(ui: Ui, found: Imported, entry: Path, prompts: Path | None, adapter: Path | None) -> None:
    from ftbench.cli.benchmark import shell

    for kind, (_, style, headline) in KINDS.items():
        these = [one for one in found.findings if one.kind == kind]
        if these:
            ui.line(f"{headline} ({len(these)}):", style)
        for one in these:
            for line in _wrapped(f"{one.topic}: {one.text}"):
                ui.line(line)
            ui.line(f"    at {one.place}", "dim")
    departures = sum(one.kind == "departs" for one in found.findings)
    if departures:
        ui.line(
            f"{found.app.name} departs from {found.benchmark} in {departures} point{'s' * (departures != 1)}", "error"
        )
    else:
        ui.line(f"{found.app.name} conforms to {found.benchmark}", "good")
    for line in _wrapped(
        "prompts, data order and seeds are the benchmark's own for every entry; --prompts takes the app's "
        "wording into a draft spec"
    ):
        ui.line(line.strip(), "dim")
    ui.line(f"{entry}: written", "good")
    ui.line(f"next: {shell('ftbench', 'validate', found.benchmark, '--entry', str(entry))}")
    if prompts is not None:
        ui.line(f"{prompts}: a draft with the app's prompt; next: {shell('ftbench', 'validate', str(prompts))}", "good")
    if adapter is not None:
        ui.line(f"next: {shell('ftbench', 'evaluate', str(adapter), '--spec', found.benchmark)}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 76, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
