"""`ftbench estimate`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from ftbench.cli.options import entry_option, example, json_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.base_models.estimate import Estimate
    from ftbench.cli.outputs.base_models import LearningRates
    from ftbench.run.evaluation.trial import Report
    from ftbench.spec.load import LoadedSpec
    from ftbench.spec.model import Spec


@click.command(
    "estimate",
    epilog=example(
        "ftbench estimate medical --model Mistral-7B-v0.3 --micro-batch 2",
        "ftbench estimate finance --entry entries/phi-4.yaml --set adapter.rank=16",
    ),
)
@spec_argument
@click.option("--model", metavar="NAME[@COMMIT]", help="Any base model, or a config.json. Default: the entry's.")
@entry_option
@click.option("--set", "sets", metavar="PATH=VALUE", multiple=True, help="Set one knob; may be given repeatedly.")
@click.option("--micro-batch", type=click.IntRange(1), metavar="N", help="Examples at once. Default: the whole batch.")
@click.option(
    "--bits", type=click.Choice(["4", "8", "16", "32"]), help="Bits of the frozen weights. Default: the spec's."
)
@click.option("--double-quant", is_flag=True, help="Quantise the scales of 4-bit weights too.")
@click.option("--gradient-checkpointing", is_flag=True, help="Compute layers again instead of keeping them.")
@click.option(
    "--clients-at-once",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    help="Clients of a round that train together on one card. Default: 1.",
)
@click.option(
    "--rows", is_flag=True, help="Count the rows that would be learnt from; model and data must be in the store."
)
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    spec: str,
    *,
    model: str | None,
    entry: Path | None,
    sets: tuple[str, ...],
    micro_batch: int | None,
    bits: str | None,
    double_quant: bool,
    gradient_checkpointing: bool,
    clients_at_once: int,
    rows: bool,
    store: str | None,
) -> int:
    """Say what a benchmark asks for with a base model: parameters, traffic, memory, download.

    Everything follows from the architecture, without weights or GPU. A model is looked up in the catalogue, then in
    the store, then its config.json alone is asked for on the hub. Parameters and bytes sent are exact; memory is a
    count of tensors plus what is marked with ~. The exit code is 1 where a limit of the benchmark is exceeded.
    """
    from ftbench.api.specs import estimated
    from ftbench.cli.benchmark import load
    from ftbench.cli.outputs.base_models import EstimateOutput
    from ftbench.errors import CheckFailed
    from ftbench.run.keep import AUTO_BYTES, archive_bytes

    whole = load(ui, spec)
    found, setting, chosen = estimated(
        whole,
        model=model,
        entry=entry,
        sets=sets,
        micro_batch=micro_batch,
        bits=cast(Literal[4, 8, 16, 32] | None, int(bits) if bits else None),
        double_quant=double_quant,
        gradient_checkpointing=gradient_checkpointing,
        clients_at_once=clients_at_once,
        store=store,
        tell=lambda text: ui.note(text, "note"),
    )
    output = EstimateOutput(
        spec=spec,
        micro_batch=setting.micro_batch,
        sequence_length=setting.sequence_length,
        bits=setting.bits,
        double_quant=setting.double_quant,
        gradient_checkpointing=setting.gradient_checkpointing,
        learning_rates=_learning_rates(chosen),
        estimate=found,
        archive_bytes=archive_bytes(chosen, found.trainable_parameters, 1),
        rows=_rows(ui, whole, chosen, store) if rows else None,
    )
    if output.estimate.clients_at_once < setting.clients_at_once:
        ui.note("such clients do not train together: they go one after another", "note")
    _show(ui, output.estimate, setting.micro_batch, setting.sequence_length)
    rates = output.learning_rates
    ui.line("learning rate", "strong")
    ui.line(f"  a round         {rates.first_round:.4g} in the first, {rates.last_round:.4g} in the last")
    ui.line(f"  over all steps  {rates.sum:.4g}")
    ui.line("archive for a spot-run", "strong")
    unasked = (
        "kept unless --keep says otherwise" if output.archive_bytes <= AUTO_BYTES else "kept with --keep all alone"
    )
    ui.line(f"  all rounds      ~{_size(output.archive_bytes)}, {unasked}")
    if chosen.federation.rounds > 10:
        ui.line(f"  every tenth     ~{_size(archive_bytes(chosen, found.trainable_parameters, 10))}")
    if output.rows is not None:
        _show_rows(ui, output.rows)
    ui.answer(output)
    return 0 if all(limit.within for limit in output.estimate.limits) else CheckFailed.exit_code


def _rows(ui: Ui, loaded: LoadedSpec, chosen: Spec, store: str | None) -> Report:
    """What the base model's tokenizer leaves of the training rows. Raises as `try_tokenizer`, and MissingResource."""
    import tempfile

    from ftbench.cli.benchmark import pins_of
    from ftbench.data.store import Store
    from ftbench.run.evaluation.trial import Trial, try_tokenizer
    from ftbench.run.preflight import training_files

    opened, base = Store.default(store), chosen.model.base
    trial = Trial(
        model=str(opened.model_path(opened.model_digest(base), base.name).absolute()),
        name=base.name,
        spec=chosen.model_dump(mode="json", exclude_none=True),
    ).model_copy(update=training_files(pins_of(ui, loaded), opened))
    with tempfile.TemporaryDirectory() as folder:
        return try_tokenizer(trial, Path(folder) / "trial.json", Path(folder) / "trial.log")


def _show_rows(ui: Ui, found: Report) -> None:
    total = found.total
    of = "" if total.looked == total.held else f", spread over {total.held:,}"
    ui.line("rows", "strong")
    ui.line(f"  learnt from     {total.used:,} of {total.looked:,}{of}")
    for reason, count in sorted(found.left_out.items()):
        ui.line(f"  left out        {count:,} {reason}", "warning")


def _learning_rates(spec: Spec) -> LearningRates:
    from ftbench.cli.outputs.base_models import LearningRates
    from ftbench.spec.implied import learning_rate

    rounds = spec.federation.rounds
    rates = [learning_rate.of_round(spec.training.schedule, number, rounds) for number in range(1, rounds + 1)]
    total = math.fsum(rates) * learning_rate.steps_worth(spec.training)
    return LearningRates(first_round=rates[0], last_round=rates[-1], sum=total)


def _show(ui: Ui, found: Estimate, micro_batch: int, sequence_length: int) -> None:
    share = found.trainable_parameters / found.parameters
    traffic = found.communication
    ui.line(found.model, "strong")
    ui.line(f"  parameters      {found.parameters:,}")
    ui.line(f"  trained         {found.trainable_parameters:,} ({share:.3%}) in {found.adapted_layers} layers")
    ui.line(f"  download        {_size(found.download_bytes)}")
    ui.line("communication", "strong")
    last = " in the last round" if traffic.growing else ""
    ui.line(f"  a client        {_size(traffic.client_down_bytes)} down, {_size(traffic.client_up_bytes)} up{last}")
    ui.line(f"  a round         {_size(traffic.round_bytes)}{', growing' if traffic.growing else ''}")
    ui.line(f"  in all          {traffic.total_mib:,.3f} MiB ({traffic.total_gib:,.3f} GiB)")
    if traffic.budget_share is not None:
        ui.line(f"  of the budget   {traffic.budget_share:.2%}, which allows {traffic.rounds_within_budget:,} rounds")
    whose = "a client" if found.clients_at_once == 1 else f"{found.clients_at_once} clients together, each"
    ui.line(f"memory of {whose}, {micro_batch} x {sequence_length} tokens at once", "strong")
    for part in found.memory:
        ui.line(f"  {part.name:<22} {'' if part.exact else '~':>1}{_size(part.bytes):>11}  {part.how}")
    ui.line(f"  {'in all':<22} ~{_size(found.memory_bytes):>11}")
    ui.line("cards, for what is reserved and the context of CUDA", "strong")
    for card in found.cards:
        ui.line(f"  {card.gib:>2} GiB  {card.fits}", {"yes": "good", "tight": "warning", "no": "error"}[card.fits])
    for limit in found.limits:
        if not limit.within:
            ui.line(f"over the limit: {limit.name} {limit.value:,.0f}, allowed {limit.limit:,.0f}", "error")


def _size(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:,.2f} {unit}"
    return f"{count} B"
