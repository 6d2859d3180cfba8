"""Does it fit my card: what a client asks for by base model and benchmark, estimated, and what bundles report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftbench.base_models import catalogue, from_spec
from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.estimate import Estimate, estimate
from ftbench.board.model import Row, Table
from ftbench.compile.plan import Plan
from ftbench.errors import FtbenchError
from ftbench.site import links
from ftbench.site.context import Context, label
from ftbench.site.render import html
from ftbench.spec import knobs
from ftbench.spec.model import Spec

CHECKED = (
    "Against three measurements on one H200 it came out 1.6 to 1.8 times too high, since it counts the logits of every "
    "token."
)
BUILT_IN = "builtin/"


def page(context: Context) -> bytes:
    """`resources.html`."""
    benchmarks = [one for plan in _plans(context) if (one := _benchmark(plan)) is not None]
    measured = [_measured(context, table, row) for table in context.board.tables for row in table.rows]
    return html(
        "resources.html",
        links.RESOURCES,
        site=context,
        checked=CHECKED,
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


def _benchmark(plan: Plan) -> dict[str, Any] | None:
    spec = plan.typed_spec()
    rows = [row for model in catalogue.models().values() if (row := _row(spec, model)) is not None]
    if not rows:
        return None
    setting = from_spec.setting(spec)
    bits = f"{setting.bits}-bit weights"
    said = (
        f"{spec.adapter.kind.upper() if spec.adapter.kind == 'dora' else 'LoRA'} of rank {spec.adapter.rank}, {bits}, "
        f"batches of {spec.training.batch_size} of at most {setting.sequence_length} tokens, "
        f"{setting.clients_per_round} clients in each of {setting.rounds} rounds."
    ).replace("DORA", "DoRA")
    about = {"name": plan.metadata.name, "version": plan.metadata.version, "title": plan.metadata.title}
    return {**about, "id": links.slug(plan.metadata.name), "said": said, "rows": rows}


def _row(spec: Spec, model: BaseModel) -> dict[str, Any] | None:
    if spec.model.max_parameters is not None and model.parameters > spec.model.max_parameters:
        return None
    try:
        whole = estimate(model, from_spec.setting(spec))
        single = estimate(model, from_spec.setting(spec, micro_batch=1))
    except FtbenchError:
        return None
    return {
        "name": model.name,
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
    environment = context.documents(row.bundles[0]).environment
    result = context.submission(row.bundles[0]).result
    clients = _asked(plan.typed_spec()) if plan else None
    messages = result.cost.rounds * clients if clients else None
    return {
        "model": row.model.name,
        "name": f"{table.name} {table.version}",
        "entry": label(row),
        "target": links.entry(table, row),
        "device": ", ".join(environment.devices) or f"{environment.cpu_count} CPU cores" if environment else "–",
        "device_memory": row.peak_device_bytes,
        "memory": row.peak_memory_bytes,
        "round": row.train_seconds / result.cost.rounds if row.train_seconds and result.cost.rounds else None,
        "seconds": row.train_seconds,
        "down": row.bytes_down / messages if messages else None,
        "up": row.bytes_up / messages if messages else None,
    }


def _asked(spec: Spec) -> int:
    return from_spec.setting(spec).clients_per_round

