"""What a participant gets of one run: a page that needs no other file, and the same in Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources as package
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ftbench import codes
from ftbench.board import breakdown, text
from ftbench.board.clusters import clustering
from ftbench.board.collect import beside_of, marks_of
from ftbench.board.model import Estimate, Reference, Row, Table
from ftbench.board.rank import table as ranked
from ftbench.board.submission import Submission
from ftbench.board.versus import BUNDLE
from ftbench.compile.plan import PLAN, Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import ledger
from ftbench.result.budgets import MIB
from ftbench.result.documents import LedgerLine, Result, Round, Verdict
from ftbench.result.exposure import exposed
from ftbench.result.opening import open_bundle
from ftbench.site import bars, plots, svg
from ftbench.site import figures as words
from ftbench.site.answers import Answers, answers, shown
from ftbench.site.entry import curve, environment, lines_of
from ftbench.site.links import STYLE
from ftbench.site.memory import memory
from ftbench.site.render import html
from ftbench.verify.documents import Documents, read
from ftbench.verify.filled import filled

SHOWN = 20
"""Answers gained, and answers lost, that a report has."""


@dataclass(frozen=True)
class Report:
    """Everything that both forms say."""

    name: str
    plan: Plan
    run: str
    """The run's folder as a command names it."""
    rounds: Sequence[Round]
    documents: Documents | None
    """Of the bundle; null where the run has none yet."""
    table: Table | None
    """A table with this run alone, and its references."""
    told: Sequence[Answers]

    @property
    def row(self) -> Row | None:
        """The run in its table."""
        return self.table.rows[0] if self.table else None


def gather(run: Path, store: Store) -> Report:
    """Everything there is to say of the run in a folder. Raises InvalidInput (FTB714) where it holds none."""
    try:
        plan = Plan.model_validate_json((run / "compiled" / PLAN).read_bytes())
        lines = ledger.read(run / "ledger.jsonl", drop_torn=True)
    except (OSError, ValueError) as error:
        hint = "give the folder that `ftbench run` made, for example runs/quickstart-default-s1"
        raise InvalidInput(
            Diagnostic(codes.NO_REPORT, "this is no run that has begun", Place(str(run)), hint)
        ) from error
    documents = read(open_bundle(run / BUNDLE)) if (run / BUNDLE / "manifest.json").is_file() else None
    table, told = _scored(documents, plan, store)
    name = f"{plan.metadata.name} {plan.metadata.version}"
    return Report(name, plan, str(run), _rounds(lines), documents, table, told)


def _rounds(lines: Sequence[LedgerLine]) -> list[Round]:
    return [line.body for line in lines if isinstance(line.body, Round)]


def _scored(documents: Documents | None, plan: Plan, store: Store) -> tuple[Table | None, Sequence[Answers]]:
    if documents is None or documents.result is None or documents.entry is None:
        return None, ()
    evaluation = plan.typed_spec().evaluation
    try:
        whole = filled(documents.samples, plan, store)
    except MissingResource:
        whole = documents.samples
    marks, beside = marks_of(whole, evaluation), beside_of(whole, evaluation)
    one = Submission("run", _unverified(documents.result), documents.entry, marks, None, beside)
    told = answers(documents.samples, marks, beside.get("untuned", {}), plan, store)
    return ranked(plan.spec_hash, [one], plan, clustering(plan, store)), told


def _unverified(result: Result) -> Verdict:
    """A verdict that says nothing: a report looks at a run and does not judge it."""
    return Verdict(
        bundle="0" * 64,
        name=result.name,
        version=result.version,
        spec_hash=result.spec_hash,
        level="NONE",
        required="NONE",
        accepted=True,
        checks=[],
        not_checked=[],
        verifier="",
        result=result,
    )


def warnings(report: Report) -> list[str]:
    """What to look at before the run is handed in."""
    found = list(report.row.notes) if report.row else []
    result = report.documents.result if report.documents else None
    if result is None:
        return ["the run has not been scored yet: there is no bundle", *found]
    if result.smoke:
        found.append("a smoke run: it shows that everything works, and is never ranked")
    rows = result.cost
    if rows.rows_held is not None and rows.rows_used is not None and rows.rows_used < rows.rows_held:
        found.append(f"{rows.rows_held - rows.rows_used:,} of {rows.rows_held:,} rows taught nothing; logs/ says which")
    for name, task in sorted(result.scores.tasks.items()):
        for scoring, one in [(task.scoring, task.tuned), *((s, t.tuned) for s, t in sorted(task.also.items()))]:
            if one.unparsable:
                found.append(f"{name}, {scoring}: {one.unparsable:,} of {one.items:,} answers hold no answer")
    if report.row and report.row.missing_seeds:
        missing = ", ".join(map(str, report.row.missing_seeds))
        found.append(f"the benchmark asks for seeds {missing} too: one seed speaks of one adapter, not of a method")
    return found


def commands(report: Report) -> list[tuple[str, str]]:
    """What to do next: why, and the command."""
    if report.documents is None:
        return [("Go on with the run", shlex.join(["ftbench", "run", "--resume", report.run]))]
    bundle = f"{report.run}/{BUNDLE}"
    return [
        ("Verify it, as whoever accepts it will", shlex.join(["ftbench", "verify", bundle])),
        ("Put it into one file to hand in", shlex.join(["ftbench", "pack", report.run])),
        ("See it beside your other runs", shlex.join(["ftbench", "leaderboard", str(Path(report.run).parent)])),
        ("Compare it with another, item by item", f"{shlex.join(['ftbench', 'compare', report.run])} OTHER-RUN"),
    ]


def costs(report: Report) -> list[tuple[str, str]]:
    """Budget and cost in words."""
    sent = sum(one.bytes_down + one.bytes_up for one in report.rounds)
    limit = report.plan.typed_spec().budget.communication_mib * MIB
    found = [
        ("rounds", str(len(report.rounds))),
        ("communication", f"{words.size(sent)} of {words.size(limit)}, {100 * sent / limit:.1f} %"),
        ("down", words.size(sum(one.bytes_down for one in report.rounds))),
        ("up", words.size(sum(one.bytes_up for one in report.rounds))),
        ("clients left out", str(sum(len(one.excluded) for one in report.rounds))),
    ]
    if report.row is not None:
        found += [
            ("trained parameters", text.count(report.row.trainable_parameters)),
            ("training", words.seconds(report.row.train_seconds)),
            ("memory of a process", words.size(report.row.peak_memory_bytes)),
        ]
        if report.row.peak_device_bytes:
            found.append(("memory on the device", words.size(report.row.peak_device_bytes)))
    if report.documents is not None and report.documents.result is not None:
        found += memory([report.documents.result], report.documents.entry, report.plan.typed_spec()).told
    if report.row is not None and report.row.epsilon is not None:
        found.append(("epsilon", f"{report.row.epsilon:.3g}"))
    if report.row is not None and report.row.exposure is not None:
        found.append(("canaries", exposed(report.row.exposure)))
    return found


def changed(report: Report, kind: str) -> list[tuple[Answers, int]]:
    """The first answers that were `gained` or `lost`, of each task alike."""
    places = [[(one, at) for at in one.places(kind)] for one in report.told]
    found: list[tuple[Answers, int]] = []
    for number in range(max(map(len, places), default=0)):
        found += [task[number] for task in places if number < len(task)]
    return sorted(found[:SHOWN], key=lambda one: (one[0].task, one[1]))


def _models(table: Table) -> Iterator[tuple[str, Row | Reference]]:
    yield "this run", table.rows[0]
    for one in table.references:
        yield breakdown.who(one).strip("()"), one


# --- HTML -------------------------------------------------------------------------------------------------------------


def as_html(report: Report) -> bytes:
    """One file: style and drawings inside, no script, nothing fetched."""
    lines = lines_of(1, report.rounds, alone=True)
    ends = [end for _, one in _rows(report) for end in (one.interval.low, one.interval.high)]
    ticks = svg.around(ends) if ends else [0.0, 1.0]
    scale = bars.axis(ticks)
    result = report.documents.result if report.documents else None
    return html(
        "report.html",
        "report.html",
        style=Markup((package.files("ftbench.site") / STYLE).read_text("utf-8")),  # noqa: S704 - ours
        report=report,
        result=result,
        axis=bars.head(ticks, scale),
        scores=[
            {"name": name, "score": one, "drawing": bars.interval(one, scale, kind="" if name == "this run" else "ref")}
            for name, one in _rows(report)
        ],
        tasks=_tasks(report),
        curve=curve(lines),
        bytes=_bytes(report.rounds),
        costs=costs(report),
        warnings=warnings(report),
        environment=environment(report.documents.environment) if report.documents else [],
        commands=commands(report),
        changed=[(name, [{**shown(one, at), "task": one.task} for one, at in changed(report, name)]) for name in KINDS],
    )


KINDS = ("gained", "lost")


def _rows(report: Report) -> list[tuple[str, Estimate]]:
    return [(name, one.score) for name, one in _models(report.table)] if report.table else []


def _tasks(report: Report) -> list[dict[str, Any]]:
    if report.table is None:
        return []
    names = breakdown.tasks(report.table)
    return [{"name": name, "cells": [_cell(one, name) for _, one in _models(report.table)]} for name in names]


def _cell(one: Row | Reference, task: str) -> str:
    figure = one.tasks.get(task)
    return words.DASH if figure is None else words.estimate(figure.score)


def _bytes(rounds: Sequence[Round]) -> Markup | None:
    """Bytes sent up to each round, in MiB."""
    total, points = 0, []
    for one in rounds:
        total += one.bytes_down + one.bytes_up
        points.append((float(one.round), total / MIB))
    if not points:
        return None
    label = f"{points[-1][1]:.3g} MiB sent up to round {points[-1][0]:.0f}"
    return plots.curves([plots.Line("sent", points)], across="round", up="MiB sent", label=label)


# --- Markdown ---------------------------------------------------------------------------------------------------------


def as_markdown(report: Report) -> str:
    """The same for a terminal, a mail or an issue."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    yield from (
        f"# {report.name}",
        "",
        f"Spec hash `{report.plan.spec_hash}`, run {text.code(report.run)}.",
    )
    if warned := warnings(report):
        yield from ("", "## Look at this first", "", *(f"- {text.code(line)}" for line in warned))
    if report.table is not None:
        yield from ("", "## Scores", "", "In per cent, with intervals over items.", "")
        tasks = breakdown.tasks(report.table)
        yield from _head(["", "mean", *tasks])
        for name, model in _models(report.table):
            yield _line([name, words.estimate(model.score), *(_cell(model, task) for task in tasks)])
        gain = report.table.rows[0].gain
        bounds = words.interval(gain.interval, sign=True)
        yield from ("", f"Tuned minus untuned: {words.signed(gain.value)} ({bounds}).")
    yield from ("", "## Rounds", "")
    yield from _head(["round", "training loss", "validation loss", "MiB sent", "clients left out"])
    total = 0
    for body in report.rounds:
        total += body.bytes_down + body.bytes_up
        losses = [reply.loss for reply in body.replies]
        mean = f"{sum(losses) / len(losses):.4f}" if losses else words.DASH
        checked = words.DASH if body.validation_loss is None else f"{body.validation_loss:.4f}"
        yield _line([str(body.round), mean, checked, f"{total / MIB:.2f}", str(len(body.excluded))])
    yield from ("", "## Budget and cost", "", *(f"- {name}: {value}" for name, value in costs(report)))
    for kind in KINDS:
        items = [(one, shown(one, at)) for one, at in changed(report, kind)]
        if items:
            yield from ("", f"## Answers {kind}", "")
            for one, item in items:
                told = f"{item['index']}: {item['answers']}" if item["answers"] else str(item["index"])
                yield f"- {one.task} {text.code(told)} {text.code(str(item['brief']))}"
    if report.documents is not None:
        yield from ("", "## Environment", "")
        yield from (f"- {name}: {text.code(value)}" for name, value in environment(report.documents.environment))
    yield from ("", "## Next", "")
    for said, command in commands(report):
        yield from (f"{said}:", "", f"    {command}", "")


def _head(names: Sequence[str]) -> Iterator[str]:
    yield from (_line(list(names)), _line(["---"] * len(names)))


def _line(cells: Sequence[str]) -> str:
    """A row; its cells are ours, or names that the plan's model admits."""
    return "| " + " | ".join(cells) + " |"
