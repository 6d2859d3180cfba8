"""Does it fit my card: what a client asks for by base model and benchmark, estimated, and what bundles report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftbench.base_models import catalogue, from_spec
from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.estimate import Estimate, Setting, estimate
from ftbench.board.model import Row, Table
from ftbench.compile.plan import Plan
from ftbench.errors import FtbenchError
from ftbench.site import links
from ftbench.site.context import Context, label
from ftbench.site.memory import memory
from ftbench.site.render import html
from ftbench.spec import knobs

BUILT_IN = "builtin/"
KINDS = {"lora": "LoRA", "dora": "DoRA"}
Made = list[tuple[tuple[Setting, Setting], list[dict[str, Any]]]]
"""Settings of a whole batch and of a single example in one pass → rows of the models."""


def page(context: Context) -> bytes:
    """`resources.html`."""
    plans = _plans(context)
    names = {plan.metadata.name for plan in plans}
    main = [plan for plan in plans if not any(plan.metadata.name.startswith(f"{name}-") for name in names)]
    made: Made = []
    benchmarks = [_benchmark(plan, made) for plan in plans]
    columns = [one for one in benchmarks if one["name"] in {plan.metadata.name for plan in main}]
    measured = [_measured(context, table, row) for table in context.board.tables for row in table.rows]
    return html(
        "resources.html",
        links.RESOURCES,
        site=context,
        columns=columns,
        models=_matrix(columns),
        benchmarks=benchmarks,
        measured=[one for one in measured if one is not None],
    )


def _plans(context: Context) -> Sequence[Plan]:
    """Benchmarks that leave the base model open and are not made for a built-in one, one version of each."""
    newest: dict[str, Plan] = {}
    for plan in sorted(context.gathered.plans.values(), key=lambda one: (one.metadata.version, one.spec_hash)):
        newest[plan.metadata.name] = plan
    specs = [(plan, plan.typed_spec()) for _, plan in sorted(newest.items())]
    return [
        plan for plan, spec in specs if knobs.BASE_MODEL in spec.knobs and not spec.model.base.name.startswith(BUILT_IN)
    ]


def _matrix(columns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Models by the main benchmarks."""
    every = {row["name"]: row for column in columns for row in column["rows"]}
    return [
        {**row, "cells": [next((one for one in column["rows"] if one["name"] == name), None) for column in columns]}
        for name, row in sorted(every.items(), key=lambda one: (one[1]["parameters"], one[0]))
    ]


def _benchmark(plan: Plan, made: Made) -> dict[str, Any]:
    """`made`: rows by setting, added to; many benchmarks train alike, and their rows take most of a small site's
    time."""
    spec = plan.typed_spec()
    setting = from_spec.setting(spec)
    both = (setting, from_spec.setting(spec, micro_batch=1))
    rows = next((rows for known, rows in made if known == both), None)
    if rows is None:
        rows = [one for one in (_row(*both, model, others) for model, others in _shapes()) if one]
        made.append((both, rows))
    said = (
        f"{KINDS[spec.adapter.kind]} of rank {spec.adapter.rank}, {setting.bits}-bit weights, "
        f"batches of {spec.training.batch_size} of at most {setting.sequence_length} tokens, "
        f"{setting.clients_per_round} clients in each of {setting.rounds} rounds."
    )
    about = {"name": plan.metadata.name, "version": plan.metadata.version, "title": plan.metadata.title}
    return {**about, "id": links.slug(plan.metadata.name), "said": said, "rows": rows}


def _shapes() -> list[tuple[BaseModel, str]]:
    """The catalogue's models, the variants of one shape and size as one, with what is said of the other."""
    found: dict[tuple[str, int], list[BaseModel]] = {}
    for model in catalogue.models().values():
        key = model.architecture.model_copy(update={"context": 1}).model_dump_json()
        found.setdefault((key, model.parameters), []).append(model)
    pairs = [sorted(models, key=lambda one: len(one.name)) for models in found.values()]
    return [(models[0], ", ".join(one.name.rpartition("/")[2] for one in models[1:])) for models in pairs]


def _row(batch: Setting, single_example: Setting, model: BaseModel, others: str) -> dict[str, Any] | None:
    """None for a model that the benchmark does not admit, or whose layers it does not find."""
    if batch.max_parameters is not None and model.parameters > batch.max_parameters:
        return None
    try:
        whole = estimate(model, batch)
        single = estimate(model, single_example)
    except FtbenchError:
        return None
    return {
        "name": model.name,
        "others": others,
        "parameters": model.parameters,
        "download": whole.download_bytes,
        "trained": whole.trainable_parameters,
        "whole": whole.memory_bytes,
        "whole_card": _card(whole),
        "single": single.memory_bytes,
        "single_card": _card(single),
        "down": whole.communication.client_down_bytes,
        "up": whole.communication.client_up_bytes,
        "total": whole.communication.total_bytes,
        "over": any(not one.within for one in whole.limits if one.name.startswith("communication")),
    }


def _card(told: Estimate) -> str:
    fitting = next((one.gib for one in told.cards if one.fits == "yes"), None)
    return f"{fitting} GB" if fitting else "above 80 GB"


def _measured(context: Context, table: Table, row: Row) -> dict[str, Any] | None:
    if row.train_seconds is None and row.peak_memory_bytes is None:
        return None
    plan = context.plan(table)
    environment = context.submission(row.bundles[0]).environment
    rounds = context.submission(row.bundles[0]).result.cost.rounds
    setting: Setting | None = from_spec.setting(plan.typed_spec()) if plan else None
    results = [context.submission(one).result for one in row.bundles]
    told = memory(results, context.submission(row.bundles[0]).entry, plan.typed_spec() if plan else None)
    messages = rounds * setting.clients_per_round if setting else None
    return {
        "model": row.model.name,
        "name": f"{table.name} {table.version}",
        "entry": label(row),
        "target": links.entry(table, row),
        "device": ", ".join(environment.devices) or f"{environment.cpu_count} CPU cores" if environment else "–",
        "estimated": told.estimated,
        "passes": told.passes,
        "allocated": told.measured.allocated_bytes or row.peak_device_bytes,
        "reserved": told.measured.reserved_bytes,
        "growth": told.measured.growth_bytes,
        "memory": row.peak_memory_bytes,
        "round": row.train_seconds / rounds if row.train_seconds and rounds else None,
        "seconds": row.train_seconds,
        "down": row.bytes_down / messages if messages else None,
        "up": row.bytes_up / messages if messages else None,
    }
