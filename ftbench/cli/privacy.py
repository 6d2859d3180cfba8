"""`ftbench privacy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftbench import codes
from ftbench.cli.options import example, json_option, spec_argument
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.cli.outputs.privacy import PrivacyOutput
    from ftbench.spec.model import Spec
    from ftbench.spec.privacy import Privacy

SHOWN = 20
"""Rounds listed on a screen; of more, evenly spaced ones are."""


@click.command("privacy", epilog=example("ftbench privacy micro/medical-dp", "ftbench privacy studies/medical-dp-3"))
@spec_argument
@click.option("--seed", type=int, metavar="N", help="Seed that chooses the clients. Default: the spec's first.")
@json_option
@click.pass_obj
def command(ui: Ui, *, spec: str, seed: int | None) -> None:
    """Show what a spec's rounds spend of its privacy budget, and the least noise with which they would fit.

    Epsilon is for neighbours that differ in the data of one client, and holds against whoever does not know the run's
    seed. Results publish it: docs/privacy.md says what such noise is good for.
    """
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.privacy import PrivacyOutput, SpentAfter
    from ftbench.spec.implied import accounting

    loaded = load(ui, spec).spec
    privacy, chosen = _promised(loaded), _seed(loaded, seed)
    times, rounds = accounting.spending(loaded), loaded.federation.rounds
    counts = accounting.releases(loaded, rounds, chosen)
    spent = [SpentAfter(round=number, epsilon=times(count)) for number, count in enumerate(counts, 1)]
    output = PrivacyOutput(
        spec=spec,
        privacy=privacy,
        clients=loaded.federation.clients,
        asked=accounting.asked_each_round(loaded),
        seed=chosen,
        rounds=spent,
        spent=spent[-1].epsilon,
        known_choice=accounting.known_choice(loaded, rounds, chosen),
        just_fitting=accounting.just_fitting(loaded, counts[-1]),
    )
    _show(ui, output)
    ui.answer(output)


def _show(ui: Ui, output: PrivacyOutput) -> None:
    privacy = output.privacy
    ui.line(f"{privacy.kind} privacy, epsilon {privacy.epsilon:g} at delta {privacy.delta:g}", "strong")
    ui.line(f"  noise          {privacy.noise_multiplier:g} clips, {privacy.clipping} clip {privacy.clip:g}")
    ui.line(f"  asked          {output.asked:,} of {output.clients:,} clients in each of {len(output.rounds):,} rounds")
    ui.line(f"  would just fit a noise multiplier of {output.just_fitting:g}")
    ui.line(f"  choice known   epsilon {output.known_choice:.4g} against someone who knows which clients were asked")
    ui.line("  round  epsilon")
    last = len(output.rounds)
    step = max(1, -(-last // SHOWN))
    for one in output.rounds:
        if one.round % step == 0 or one.round in (1, last):
            ui.line(f"  {one.round:>5}  {one.epsilon:.4g}")


def _promised(spec: Spec) -> Privacy:
    """The spec's privacy, and what is needed to account for it. Raises InvalidInput, MissingResource."""
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import InvalidInput, MissingResource
    from ftbench.spec.implied import accounting

    if spec.privacy is None:
        message = f"`{spec.metadata.name}` promises no privacy: it has no block `privacy`"
        raise InvalidInput(Diagnostic(codes.MISSING_FIELD, message, hint="docs/privacy.md says how to write one"))
    if not accounting.available():
        message = "the package `dp-accounting` is not installed"
        raise MissingResource(Diagnostic(codes.NO_PACKAGE, message, hint="pip install 'ftbench[run]'"))
    return spec.privacy


def _seed(spec: Spec, seed: int | None) -> int:
    """Raises InvalidInput for one that the spec does not list."""
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import InvalidInput

    if seed is not None and seed not in spec.seeds.runs:
        raise InvalidInput(Diagnostic(codes.SEED, f"`--seed {seed}`: the spec's seeds are {spec.seeds.runs}"))
    return spec.seeds.runs[0] if seed is None else seed
