"""The page of one row: scores, curve, answers, choices, what was checked and what was not, and how to do it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from markupsafe import Markup

from ftbench.board import render
from ftbench.board.model import BundleRef, Row, Table
from ftbench.result.budgets import MIB
from ftbench.result.documents import LEVELS, CheckResult, Environment, Round, Verdict
from ftbench.result.exposure import exposed
from ftbench.site import again, bars, figures, links, plots, samples, svg
from ftbench.site.answers import Answers, answers
from ftbench.site.compare import shown as compared
from ftbench.site.context import Context, label
from ftbench.site.memory import memory
from ftbench.site.render import MEANS, html
from ftbench.site.table import adapter, strategy, traffic
from ftbench.spec import knobs
from ftbench.spec.canonical import canonical
from ftbench.verify.documents import Documents

WIDTH = 180.0
"""Of an interval in the table of tasks."""


def pages(context: Context, table: Table, row: Row) -> Iterator[tuple[str, bytes]]:
    """The row's page and every page of its bundles' answers. One bundle is read at a time."""
    runs, curves = [], []
    for bundle in row.bundles:
        documents = context.documents(bundle)
        submission = context.submission(bundle)
        told = answers(
            documents.samples,
            submission.marks,
            submission.beside.get("untuned", {}),
            context.plan(table),
            context.gathered.store,
        )
        for one in told:
            yield from samples.pages(context, table, row, bundle, one)
        runs.append(_run(context, table, row, bundle, documents, told))
        rounds = [line.body for line in documents.ledger or [] if isinstance(line.body, Round)]
        curves += lines_of(bundle.seed, rounds, alone=len(row.bundles) == 1)
    yield links.entry(table, row), _page(context, table, row, runs, curves)


def _page(
    context: Context, table: Table, row: Row, runs: Sequence[dict[str, Any]], curves: Sequence[plots.Line]
) -> bytes:
    ends = [end for one in row.tasks.values() for end in (one.score.interval.low, one.score.interval.high)]
    ticks = svg.around(ends, 3)
    scale = bars.axis(ticks, WIDTH)
    return html(
        "entry.html",
        links.entry(table, row),
        site=context,
        table=table,
        row=row,
        up=links.table(table),
        label=label(row),
        abouts=_abouts(context, row),
        size=context.sizes.get(row.model.name),
        total=len(table.rows),
        means=MEANS[row.level],
        traffic=traffic(row),
        claim=render.CLAIMS[row.claim],
        seeds=_seeds(row),
        axis=bars.head(ticks, scale),
        tasks=[_task(row, name, scale) for name in row.tasks],
        curve=curve(curves),
        curve_said="Mean training loss of the round’s clients"
        + (", and loss on the validation rows." if any("validation" in one.name for one in curves) else "."),
        runs=runs,
        compares=[_compare(context, table, row, a, b) for a, b in compared(table) if row.entry in (a.entry, b.entry)],
        choices=_choices(context, table, row),
        costs=_costs(context, table, row),
    )


def _abouts(context: Context, row: Row) -> list[dict[str, Any]]:
    """What the row's bundles say of their entry, each saying once, with the bundles that say it. A row takes in every
    run of its choices, whoever hands it in: so none of them speaks for the others."""
    told: dict[bytes, dict[str, Any]] = {}
    for ref in row.bundles:
        entry = context.submission(ref).entry
        if entry is not None:
            says = entry.metadata.model_dump(mode="json", exclude={"name"})
            one = told.setdefault(canonical(says), {"says": says, "bundles": []})
            one["bundles"].append(ref.bundle)
    return [
        {**one["says"], "authors": ", ".join(one["says"]["authors"]), "bundles": one["bundles"]}
        for one in told.values()
    ]


def _seeds(row: Row) -> str:
    ran = f"seed{'s' * (len(row.seeds) > 1)} {', '.join(map(str, row.seeds))}"
    spread = f", ±{figures.percent(row.spread)} over them" if row.spread is not None else ""
    missing = f"; not run: {', '.join(map(str, row.missing_seeds))}" if row.missing_seeds else ""
    return ran + spread + missing


def _task(row: Row, name: str, scale: svg.Scale) -> dict[str, Any]:
    also = [
        {"scoring": scoring, "score": one.tasks[name].score, "unparsable": round(one.tasks[name].unparsable)}
        for scoring, one in sorted(row.also.items())
        if name in one.tasks
    ]
    figure = row.tasks[name]
    drawing = bars.interval(figure.score, scale)
    return {"name": name, "figure": figure, "drawing": drawing, "also": also, "constant": name in row.constant}


def lines_of(seed: int, rounds: Sequence[Round], *, alone: bool) -> list[plots.Line]:
    """The curves of one run: its clients' mean training loss, and the loss on validation rows where there are any."""
    of = "" if alone else f" s{seed}"
    train = [(float(one.round), fmean(reply.loss for reply in one.replies)) for one in rounds if one.replies]
    checked = [(float(one.round), one.validation_loss) for one in rounds if one.validation_loss is not None]
    colour = svg.series(0 if alone else seed - 1)
    found = [plots.Line(f"training{of}", train, colour)] if train else []
    if checked:
        found.append(plots.Line(f"validation{of}", checked, svg.series(1) if alone else f"{colour} dashed"))
    return found


def curve(lines: Sequence[plots.Line]) -> Markup | None:
    """Loss by round; null without a round."""
    if not lines:
        return None
    first, last = lines[0].points[0], lines[0].points[-1]
    label = f"Loss by round: {first[1]:.3g} in round {first[0]:.0f}, {last[1]:.3g} in round {last[0]:.0f}."
    return plots.curves(lines, across="round", up="loss", label=label)


def _run(  # noqa: PLR0917
    context: Context, table: Table, row: Row, bundle: BundleRef, documents: Documents, told: Sequence[Answers]
) -> dict[str, Any]:
    verdict = context.submission(bundle).verdict
    return {
        "ref": bundle,
        "tasks": [_answered(table, row, bundle, one) for one in told],
        "levels": _levels(verdict),
        "decided": [one for one in context.decisions if one.counts and one.bundle == bundle.bundle],
        "not_checked": verdict.not_checked,
        "verifier": verdict.verifier,
        "environment": environment(documents.environment),
        "commands": again.commands(context, table, row, bundle, _choices(context, table, row)),
    }


def _answered(table: Table, row: Row, bundle: BundleRef, told: Answers) -> dict[str, Any]:
    named = {"gained": "gained", "lost": "lost", "unparsable": "unparsable"}
    counts = [{"name": word, "count": len(told.places(view)), "view": view} for view, word in named.items()]
    for one in counts:
        there = links.samples(table, row, bundle, told.task, str(one["view"]))
        one["target"] = there if one["count"] else ""
    return {
        "task": told.task,
        "total": len(told.samples),
        "target": links.samples(table, row, bundle, told.task),
        "counts": counts if any(kind != "unknown" for kind in told.kinds) else [],
        "drawing": bars.outcomes(told.counts()),
    }


def _levels(verdict: Verdict) -> list[dict[str, Any]]:
    found = []
    for level in LEVELS[1:]:
        checks = [one for one in verdict.checks if one.level == level]
        if checks:
            found.append({"name": level, "checks": checks, "said": _outcome(checks), "open": _wrong(checks)})
    return found


def _outcome(checks: Sequence[CheckResult]) -> str:
    passed = sum(one.outcome == "passed" for one in checks)
    failed = sum(one.outcome == "failed" for one in checks)
    rest = len(checks) - passed - failed
    told = [f"{passed} passed"] + [f"{failed} failed"] * bool(failed) + [f"{rest} not run"] * bool(rest)
    return ", ".join(told)


def _wrong(checks: Sequence[CheckResult]) -> bool:
    return any(one.outcome != "passed" for one in checks)


def _compare(context: Context, table: Table, row: Row, a: Row, b: Row) -> dict[str, str]:
    other = b if a.entry == row.entry else a
    pair = context.pair(table, a, b)
    said = ""
    if pair is not None:
        less = pair.difference if pair.a == label(row) else -pair.difference
        said = f"{figures.signed(less)} points, {'told apart' if pair.apart else 'not told apart'}"
    return {"name": label(other), "target": links.compare(table, a, b), "said": said}


def _choices(context: Context, table: Table, row: Row) -> list[dict[str, Any]]:
    plan = context.plan(table)
    spec = plan.typed_spec() if plan else None
    found = []
    for path, value in sorted(row.knobs.items()):
        if value is None:
            continue
        own = spec is not None and path in spec.knobs and canonical(knobs.value(spec, path)) == canonical(value)
        found.append({"path": path, "value": value if isinstance(value, str) else json.dumps(value), "default": own})
    return found


def _costs(context: Context, table: Table, row: Row) -> list[tuple[str, str]]:
    plan = context.plan(table)
    spec = plan.typed_spec() if plan else None
    results = [context.submission(one).result for one in row.bundles]
    sent = figures.size(traffic(row))
    if spec is not None:
        limit = spec.budget.communication_mib * MIB
        sent += f", {100 * traffic(row) / limit:.0f} % of {figures.size(limit)}"
    trained = f"{row.trainable_parameters:,}"
    if spec is not None and spec.budget.trainable_parameters is not None:
        trained += f" of {spec.budget.trainable_parameters:,} allowed"
    found = [
        ("communication", sent),
        ("rounds", ", ".join(sorted({str(one.cost.rounds) for one in results}))),
        ("trained parameters", trained),
        ("strategy", strategy(row, context, table)),
        ("adapter", adapter(row, context, table)),
        ("training", figures.seconds(row.train_seconds)),
        ("memory of a process", figures.size(row.peak_memory_bytes)),
    ]
    if row.peak_device_bytes:
        found.append(("memory on the device", figures.size(row.peak_device_bytes)))
    found += memory(results, context.submission(row.bundles[0]).entry, spec).told
    if row.epsilon is not None:
        found.append(("epsilon", f"{row.epsilon:.3g}"))
    if row.exposure is not None:
        found.append(("canaries", exposed(row.exposure)))
    if row.target is not None:
        from ftbench.board.budgets import describe_reached

        found.append(("to the target", describe_reached(row.target)))
    if row.exclusions or row.planned_exclusions:
        found.append(("clients left out", f"{row.exclusions} unplanned, {row.planned_exclusions} by the benchmark"))
    found.append(("bit-reproducible", "yes" if all(one.bit_reproducible for one in results) else "no"))
    return found


def environment(told: Environment | None) -> list[tuple[str, str]]:
    """Where a run took place, as its submitter tells it."""
    if told is None:
        return []
    packages = ", ".join(f"{name} {version}" for name, version in sorted(told.packages.items()))
    devices = ", ".join(told.devices) or "none, on a CPU"
    return [
        ("system", told.system),
        ("Python", told.python),
        ("CPUs", str(told.cpu_count)),
        ("accelerators", devices),
        ("packages", packages),
    ]
