"""The board as CSV: one line a row, scoring, reference or refused bundle, figures unrounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from ftbench.board import budgets, text
from ftbench.board.breakdown import tasks
from ftbench.board.model import Board, Estimate, Reached, Reference, Row, TaskFigure
from ftbench.spec.budgets import plain

COLUMNS = (
    "name",
    "version",
    "spec_hash",
    "division",
    "kind",
    "rank_best",
    "rank_worst",
    "entry",
    "label",
    "claim",
    "entry_digest",
    "model",
    "revision",
    "scoring",
    "score",
    "score_low",
    "score_high",
    "gain",
    "gain_low",
    "gain_high",
    "constant",
    "spread",
    "standard_error",
    "clustered_error",
    "above",
    "below",
    "seeds",
    "missing_seeds",
    "level",
    "bytes_down",
    "bytes_up",
    "trainable_parameters",
    "peak_memory_bytes",
    "peak_device_bytes",
    "train_seconds",
    "sandbox",
    "exclusions",
    "planned_exclusions",
    "epsilon",
    "robustness",
    "robustness_low",
    "robustness_high",
    "target",
    "target_reached",
    "target_round",
    "target_bytes",
    "target_seconds",
    "target_simulated_seconds",
    "notes",
    "path",
    "reason",
)
"""After them come, for each task, `score:TASK`, `items:TASK` and `unparsable:TASK`."""

PER_TASK = ("score", "items", "unparsable")
PER_BUDGET = ("within", "within_low", "within_high", "within_round", "within_bytes")
"""And for each budget of `evaluation.quality_within`, followed by its MiB."""


def as_csv(board: Board) -> str:
    """RFC 4180 but for bare line feeds. `kind`: entry, scoring (an entry's other scorings), a reference's, refused."""
    names = sorted({task for table in board.tables for task in tasks(table)})
    columns = [*COLUMNS, *(f"{what}:{task}" for task in names for what in PER_TASK)]
    limits = sorted({mib for table in board.tables for mib in budgets.limits(table)})
    columns += [f"{what}:{plain(mib)}" for mib in limits for what in PER_BUDGET]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([text.cell(column) for column in columns])
    for record in _records(board):
        writer.writerow([_cell(record.get(column)) for column in columns])
    return out.getvalue()


def _records(board: Board) -> Iterator[dict[str, object]]:
    for table in board.tables:
        about = {
            "name": table.name,
            "version": table.version,
            "spec_hash": table.spec_hash,
            "division": table.division,
        }
        for row in table.rows:
            yield {**about, **_row(row)}
            yield from ({**about, **_whose(row), **one} for one in _others(row))
        for reference in table.references:
            kind = {"kind": reference.kind, "spread": reference.spread}
            kind |= {"above": reference.above, "below": reference.below}
            scored = {**_estimate("score", reference.score), **_tasks(reference.tasks)}
            yield {**about, **_whose(reference), **kind, **scored}
            yield from ({**about, **_whose(reference), **one} for one in _others(reference))
    for refused in board.refused:
        yield {
            "kind": "refused",
            "spec_hash": refused.spec_hash,
            "level": refused.level,
            "path": refused.path,
            "reason": f"{refused.code} {refused.reason}",
        }


def _row(row: Row) -> dict[str, object]:
    return {
        **_whose(row),
        "kind": "entry",
        "rank_best": row.rank.best,
        "rank_worst": row.rank.worst,
        **_estimate("score", row.score),
        **_estimate("gain", row.gain),
        "constant": " ".join(row.constant),
        "spread": row.spread,
        "label": row.label,
        "claim": row.claim,
        "standard_error": row.standard_error,
        "clustered_error": row.clustered_error,
        "seeds": " ".join(str(seed) for seed in row.seeds),
        "missing_seeds": " ".join(str(seed) for seed in row.missing_seeds),
        "level": row.level,
        "bytes_down": row.bytes_down,
        "bytes_up": row.bytes_up,
        "trainable_parameters": row.trainable_parameters,
        "peak_memory_bytes": row.peak_memory_bytes,
        "peak_device_bytes": row.peak_device_bytes,
        "train_seconds": row.train_seconds,
        "sandbox": row.sandbox,
        "exclusions": row.exclusions,
        "planned_exclusions": row.planned_exclusions,
        "epsilon": row.epsilon,
        **({} if row.robustness is None else _estimate("robustness", row.robustness)),
        **_target(row.target),
        **_within(row),
        "notes": "; ".join(row.notes),
        "path": " ".join(bundle.path for bundle in row.bundles),
        **_tasks(row.tasks),
    }


def _target(target: Reached | None) -> dict[str, object]:
    if target is None:
        return {}
    return {
        "target": target.validation_loss,
        "target_reached": f"{target.reached} of {target.runs}",
        "target_round": target.round,
        "target_bytes": target.bytes,
        "target_seconds": target.seconds,
        "target_simulated_seconds": target.simulated_seconds,
    }


def _within(row: Row) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in row.within:
        bounds = (one.score.value, one.score.interval.low, one.score.interval.high, one.round, one.bytes)
        found |= {
            f"{what}:{plain(one.communication_mib)}": value for what, value in zip(PER_BUDGET, bounds, strict=True)
        }
    return found


def _whose(row: Row | Reference) -> dict[str, object]:
    return {
        "entry": ", ".join(row.names),
        "entry_digest": row.entry,
        "model": row.model.name if row.model else None,
        "revision": row.model.revision if row.model else None,
        "scoring": ", ".join(sorted({one.scoring for one in row.tasks.values()})),
    }


def _others(row: Row | Reference) -> Iterator[dict[str, object]]:
    kind = f"scoring of {row.kind}" if isinstance(row, Reference) else "scoring"
    for scoring, other in sorted(row.also.items()):
        yield {"kind": kind, "scoring": scoring, **_estimate("score", other.score), **_tasks(other.tasks)}


def _estimate(name: str, figure: Estimate) -> dict[str, object]:
    return {name: figure.value, f"{name}_low": figure.interval.low, f"{name}_high": figure.interval.high}


def _tasks(figures: Mapping[str, TaskFigure]) -> dict[str, object]:
    found: dict[str, object] = {}
    for task, one in figures.items():
        found |= {f"score:{task}": one.score.value, f"items:{task}": one.items, f"unparsable:{task}": one.unparsable}
    return found


def _cell(value: object) -> object:
    if value is None:
        return ""
    return text.cell(value) if isinstance(value, str) else value
