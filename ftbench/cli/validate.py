"""`ftbench validate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import SPEC, entry_options, example, json_option, store_option
from ftbench.cli.ui import Ui
from ftbench.errors import InvalidInput

if TYPE_CHECKING:
    from ftbench.cli.outputs.general import ValidatedSpec
    from ftbench.diagnostics import Diagnostic
    from ftbench.spec.load import LoadedSpec


@click.command(
    "validate",
    epilog=example(
        "ftbench validate specs/quickstart.yaml",
        "ftbench validate quickstart --entry mine.yaml",
        "ftbench validate finance --entry mine.yaml --model path/of/config.json",
    ),
)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=SPEC)
@entry_options
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    specs: tuple[str, ...],
    entry: Path | None,
    sets: tuple[str, ...],
    model: str | None,
    seed: int | None,
    store: str | None,
) -> int:
    """Check specs and report every problem at once, each with its file, line and column.

    With --entry, --set, --model or --seed it also checks what a participant chose: against the spec's knobs, and base
    model, targets and budgets against one another. A model is known from the catalogue or the store; --model takes
    the path of any model's config.json too, which then stands for the base model. No hub is asked.
    """
    from ftbench.cli.outputs.general import ValidateOutput

    chosen = entry is not None or bool(sets) or model is not None or seed is not None
    if chosen and len(specs) > 1:
        raise click.UsageError("an entry is checked against one spec")

    def check(loaded: LoadedSpec) -> list[Diagnostic]:
        if not chosen:
            return []
        from ftbench.api.choice import check_choice
        from ftbench.data.store import Store
        from ftbench.spec.entries import load_entry

        given = load_entry(entry) if entry else None
        return check_choice(loaded.spec, given, sets, model=model, seed=seed, store=Store.default(store))

    found = [_validate(ui, spec, check) for spec in specs]
    output = ValidateOutput(valid=all(one.valid for one in found), specs=found)
    ui.answer(output)
    return 0 if output.valid else InvalidInput.exit_code


def _validate(ui: Ui, spec: str, check: Callable[[LoadedSpec], list[Diagnostic]]) -> ValidatedSpec:
    """Load one spec; its problems are shown here and returned."""
    from ftbench.api.specs import load_spec
    from ftbench.cli.outputs.general import ValidatedSpec, problems

    loaded = None
    try:
        loaded = load_spec(spec)
        diagnostics = list(loaded.warnings)
        diagnostics += check(loaded)
    except InvalidInput as error:
        diagnostics = [*(loaded.warnings if loaded else []), *error.diagnostics]
    ui.diagnostics(diagnostics)
    errors = sum(one.severity == "error" for one in diagnostics)
    metadata = loaded.spec.metadata if loaded else None
    if errors or metadata is None:
        ui.line(f"{spec}: {errors} problem{'s' * (errors != 1)}", "error")
    else:
        ui.line(f"{spec}: valid ({metadata.name} {metadata.version}, {metadata.status})", "good")
    return ValidatedSpec(
        spec=spec,
        valid=not errors,
        name=metadata.name if metadata else None,
        version=metadata.version if metadata else None,
        diagnostics=problems(diagnostics),
    )
