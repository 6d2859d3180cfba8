"""The board as Markdown, CSV or JSON. Same board, same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from ftbench.board import text
from ftbench.board.model import Board, Reference, Row, Table

COLUMNS = (
    "Rank",
    "Entry",
    "Model",
    "Score",
    "Gain over untuned",
    "Level",
    "Traffic MiB",
    "Parameters",
    "Memory MiB",
    "Training",
    "Seeds",
    "Notes",
)


def cells(row: Row) -> list[str]:
    """A ranked row in the order of COLUMNS, as plain text that is not escaped yet."""
    spread = f" ±{text.percent(row.spread)} over seeds" if row.spread is not None else ""
    return [
        text.rank(row.rank),
        ", ".join(row.names),
        model_name(row),
        text.estimate(row.score) + spread,
        text.estimate(row.gain, signed=True),
        row.level,
        text.mib(row.bytes_down + row.bytes_up),
        text.count(row.trainable_parameters),
        "—" if row.peak_memory_bytes is None else text.mib(row.peak_memory_bytes),
        text.seconds(row.train_seconds),
        text.seeds(row),
        "; ".join(row.notes),
    ]


def reference_cells(reference: Reference) -> list[str]:
    """A row beside the ranking in the order of COLUMNS."""
    name = f"({reference.kind})"
    return ["—", name, model_name(reference), text.estimate(reference.score), *["—"] * 7, ""]


def model_name(row: Row | Reference) -> str:
    """The base model with the first digits of its revision."""
    return f"{row.model.name}@{row.model.revision[:12]}"


def heading(table: Table) -> str:
    """A table's first line."""
    title = f": {table.title}" if table.title else ""
    return f"{table.name} {table.version}{title}"


def conditions(table: Table) -> str:
    """What holds for all rows of a table."""
    draft = {"draft": "draft, may still change; ", "unknown": "not known to this verifier; ", "published": ""}
    how = {"paired": "a paired test on the same items", "intervals": "overlap of intervals", "mixed": "both ways"}
    return (
        f"{draft[table.status]}spec hash {table.spec_hash}; intervals at {100 * table.confidence:g} %; "
        f"rows told apart by {how[table.compared_by]}"
    )


def markdown(board: Board) -> str:
    """Tables for a README or a wiki page."""
    return "\n".join(_markdown(board)) + "\n"


def _markdown(board: Board) -> Iterator[str]:
    yield "# Leaderboard"
    for table in board.tables:
        yield from ("", f"## {_markdown_heading(table)}", "", conditions(table), "")
        yield "| " + " | ".join(COLUMNS) + " |"
        yield "| " + " | ".join("---" for _ in COLUMNS) + " |"
        for row in table.rows:
            yield _markdown_row(cells(row))
        for reference in table.references:
            yield _markdown_row(reference_cells(reference))
    if not board.tables:
        yield from ("", f"No bundle reaches {board.required}.")
    if board.refused:
        yield from ("", "## Not ranked", "", "| Bundle | Level | Code | Reason |", "| --- | --- | --- | --- |")
        for one in board.refused:
            yield f"| {text.code(one.path)} | {one.level} | {one.code} | {text.code(one.reason)} |"
    yield ""
    for note in board.notes:
        yield f"- {note}"


def _markdown_heading(table: Table) -> str:
    """Name and version are plain words by their models; the title is free text."""
    title = f": {text.markdown(table.title)}" if table.title else ""
    return f"{table.name} {table.version}{title}"


def _markdown_row(plain: Sequence[str]) -> str:
    """Entry and model come from outside; every other cell is ours."""
    coded = {COLUMNS.index("Entry"), COLUMNS.index("Model")}
    return "| " + " | ".join(text.code(c) if i in coded else c for i, c in enumerate(plain)) + " |"


CSV_COLUMNS = (
    "name",
    "version",
    "spec_hash",
    "kind",
    "rank_best",
    "rank_worst",
    "entry",
    "entry_digest",
    "model",
    "revision",
    "score",
    "score_low",
    "score_high",
    "gain",
    "gain_low",
    "gain_high",
    "spread",
    "seeds",
    "missing_seeds",
    "level",
    "bytes_down",
    "bytes_up",
    "trainable_parameters",
    "peak_memory_bytes",
    "train_seconds",
    "notes",
    "path",
    "reason",
)


def as_csv(board: Board) -> str:
    """One line a row, reference or refused bundle (`kind`), figures unrounded; RFC 4180 but for bare line feeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for record in _records(board):
        writer.writerow([_csv_cell(record.get(column)) for column in CSV_COLUMNS])
    return out.getvalue()


def _records(board: Board) -> Iterator[dict[str, object]]:
    for table in board.tables:
        about = {"name": table.name, "version": table.version, "spec_hash": table.spec_hash}
        for row in table.rows:
            yield {**about, **_row_record(row)}
        for reference in table.references:
            yield {
                **about,
                "kind": reference.kind,
                "model": reference.model.name,
                "revision": reference.model.revision,
                "score": reference.score.value,
                "score_low": reference.score.interval.low,
                "score_high": reference.score.interval.high,
            }
    for one in board.refused:
        yield {
            "kind": "refused",
            "spec_hash": one.spec_hash,
            "level": one.level,
            "path": one.path,
            "reason": f"{one.code} {one.reason}",
        }


def _row_record(row: Row) -> dict[str, object]:
    return {
        "kind": "entry",
        "rank_best": row.rank.best,
        "rank_worst": row.rank.worst,
        "entry": " ".join(row.names),
        "entry_digest": row.entry,
        "model": row.model.name,
        "revision": row.model.revision,
        "score": row.score.value,
        "score_low": row.score.interval.low,
        "score_high": row.score.interval.high,
        "gain": row.gain.value,
        "gain_low": row.gain.interval.low,
        "gain_high": row.gain.interval.high,
        "spread": row.spread,
        "seeds": " ".join(map(str, row.seeds)),
        "missing_seeds": " ".join(map(str, row.missing_seeds)),
        "level": row.level,
        "bytes_down": row.bytes_down,
        "bytes_up": row.bytes_up,
        "trainable_parameters": row.trainable_parameters,
        "peak_memory_bytes": row.peak_memory_bytes,
        "train_seconds": row.train_seconds,
        "notes": "; ".join(row.notes),
        "path": " ".join(bundle.path for bundle in row.bundles),
    }


def _csv_cell(value: object) -> object:
    if value is None:
        return ""
    return text.cell(value) if isinstance(value, str) else value


def as_json(board: Board) -> str:
    """The whole document."""
    return json.dumps(board.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
