"""A sweep's table as Markdown, CSV and plain lines. Same document, same bytes: no clock and no measured time in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from ftbench.board import text
from ftbench.board.model import Estimate
from ftbench.board.sweep_model import Sweep, SweepRow
from ftbench.spec.canonical import canonical

NONE = "—"
FIGURES = ("Score", "Against the first", "Gain over untuned", "Traffic MiB", "Parameters", "Seeds")
"""Columns after those of what is varied."""
SPARED = ("Parameters", "Traffic MiB", "Gain over untuned", "Seeds", "Against the first")
"""Figures that are left out, one after the other, until the table fits the width of a terminal; its files have them."""
GAP = 2
"""Spaces between two columns."""


def cells(sweep: Sweep, row: SweepRow) -> list[str]:
    """A setting as varied and then FIGURES, not escaped yet."""
    spread = f" ±{text.percent(row.spread)} over seeds" if row.spread is not None else ""
    first = row is sweep.rows[0]
    traffic = None if row.bytes_down is None or row.bytes_up is None else row.bytes_down + row.bytes_up
    done, due = len(row.seeds), len(row.seeds) + len(row.missing_seeds)
    return [
        *(shown(row.values[path]) + (f" ({row.ends[path]})" if path in row.ends else "") for path in sweep.varied),
        NONE if row.score is None else text.estimate(row.score) + spread,
        "first" if first else _difference(row.difference) + (", apart" if row.apart else ""),
        _difference(row.gain) + (" (no gain)" if "mean" in row.constant else ""),
        NONE if traffic is None else text.mib(traffic),
        NONE if row.trainable_parameters is None else text.count(row.trainable_parameters),
        f"{done} of {due}" if row.missing_seeds else str(done),
    ]


def shown(value: Any) -> str:
    """A value that is varied: texts as they are, a model with the first digits of its revision."""
    if value is None:
        return NONE
    if not isinstance(value, str):
        return canonical(value).decode()
    name, at, revision = value.partition("@")
    return f"{name}@{revision[:12]}" if at else value


def heading(sweep: Sweep) -> str:
    """What was swept."""
    return f"Sweep of {sweep.name} {sweep.version}"


def conditions(sweep: Sweep) -> str:
    """What holds for every row."""
    trial = "shortened trial runs, whose figures say nothing; " if sweep.smoke else ""
    seeds = ", ".join(map(str, sweep.seeds))
    chosen = ""
    if sweep.tuned:
        count = max((row.trials or 0 for row in sweep.rows), default=0) or len(sweep.trials) // max(1, len(sweep.rows))
        chosen = f"; {', '.join(sweep.tuned)}: the best of {count} trials a setting by loss on the validation cut"
        if any(row.ends for row in sweep.rows):
            chosen += "; `least`, `greatest`: of the values tried, so that a better one may lie beyond"
    return (
        f"{trial}spec hash {sweep.spec_hash}; {len(sweep.rows)} settings, seeds {seeds}; intervals at "
        f"{100 * sweep.confidence:g} % cover item sampling only; differences are paired on the same items; `apart`: "
        "told apart from the first, one error for the whole sweep; `no gain`: not above the best constant answer"
        f"{chosen}"
    )


def failures(sweep: Sweep) -> list[str]:
    """A line for each run that is not whole."""
    return [
        f"{run.setting}, seed {run.seed}: {run.state}" + (f", {run.code} {run.problem}" if run.code else "")
        for run in sweep.runs
        if run.state != "whole"
    ]


def lines(sweep: Sweep, width: int | None = None) -> Iterator[str]:
    """The table for a terminal, in columns; with a `width`, those that fit beside each other."""
    yield heading(sweep)
    yield conditions(sweep)
    grid = [[*names(sweep), *FIGURES], *(cells(sweep, row) for row in sweep.rows)]
    if width is not None:
        grid = [[row[i] for i in fitting(grid, width)] for row in grid]
    yield from _columns(grid)
    for line in failures(sweep):
        yield f"not whole: {line}"


def names(sweep: Sweep) -> list[str]:
    """What is varied by its last words, where they tell it from the others; for a screen."""
    last = [path.rsplit(".", 1)[-1] for path in sweep.varied]
    return [
        one if last.count(one) == 1 and one != "kind" else path for one, path in zip(last, sweep.varied, strict=True)
    ]


def fitting(grid: Sequence[Sequence[str]], width: int) -> list[int]:
    """Positions of the columns that fit into `width`; what is varied and the score stay."""
    needed = {i: max(len(row[i]) for row in grid) for i in range(len(grid[0]))}
    places = {grid[0][i]: i for i in needed}
    for column in SPARED:
        if sum(needed.values()) + GAP * (len(needed) - 1) <= width:
            break
        needed.pop(places[column], None)
    return list(needed)


def markdown(sweep: Sweep) -> str:
    """`table.md`."""
    return "\n".join(_markdown(sweep)) + "\n"


def as_csv(sweep: Sweep) -> str:
    """`table.csv`: one line a setting, figures unrounded."""
    tasks = _tasks(sweep)
    varied = [f"vary:{path}" for path in sweep.varied]
    columns = [*varied, *_COLUMNS, *(f"{what}:{task}" for task in tasks for what in _PER_TASK)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([text.cell(column) for column in columns])
    for row in sweep.rows:
        record = _record(row)
        writer.writerow([_cell(record.get(column)) for column in columns])
    return out.getvalue()


def _markdown(sweep: Sweep) -> Iterator[str]:
    yield f"# {heading(sweep)}"
    yield from ("", conditions(sweep), "")
    varied = len(sweep.varied)
    yield from _grid(
        [*map(text.code, sweep.varied), *FIGURES],
        ([*map(text.code, row[:varied]), *row[varied:]] for row in (cells(sweep, one) for one in sweep.rows)),
    )
    tasks = _tasks(sweep)
    if len(tasks) > 1:
        yield from ("", "## By task", "")
        yield from _grid(
            [*map(text.code, [*sweep.varied, *tasks])], (_by_task(sweep, row, tasks) for row in sweep.rows)
        )
    if open_ := failures(sweep):
        yield from ("", "## Not whole", "")
        yield from (f"- {text.code(line)}" for line in open_)


def _by_task(sweep: Sweep, row: SweepRow, tasks: Sequence[str]) -> list[str]:
    found = []
    for task in tasks:
        one = row.tasks.get(task)
        apart = f", {_difference(one.difference)}" if one and one.difference else ""
        found.append(f"{text.estimate(one.score)}{apart}" if one else NONE)
    return [*(text.code(shown(row.values[path])) for path in sweep.varied), *found]


def _grid(columns: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    for cells in (columns, ["---"] * len(columns), *rows):
        yield "| " + " | ".join(cells) + " |"


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield (" " * GAP).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _difference(figure: Estimate | None) -> str:
    return NONE if figure is None else text.estimate(figure, signed=True)


def _tasks(sweep: Sweep) -> list[str]:
    return sorted({task for row in sweep.rows for task in row.tasks})


_COLUMNS = (
    *("score", "score_low", "score_high", "spread", "difference", "difference_low", "difference_high"),
    *(
        "difference_seeds",
        "p_value",
        "apart",
        "constant",
        "gain",
        "gain_low",
        "gain_high",
        "bytes_down",
        "bytes_up",
        "trainable_parameters",
    ),
    *("exclusions", "trials", "ends", "seeds", "missing_seeds", "name"),
)
_PER_TASK = ("score", "score_low", "score_high", "difference", "difference_low", "difference_high", "items")


def _record(row: SweepRow) -> dict[str, object]:
    plain = row.model_dump(mode="json")
    record: dict[str, object] = {f"vary:{path}": _value(value) for path, value in row.values.items()}
    record |= {name: plain[name] for name in _COLUMNS if name in plain and not isinstance(plain[name], dict | list)}
    record |= {
        name: " ".join(map(str, plain[name])) for name in ("seeds", "missing_seeds", "difference_seeds", "constant")
    }
    record["ends"] = " ".join(f"{path}={which}" for path, which in sorted(row.ends.items()))
    for name in ("score", "difference", "gain"):
        record |= _estimate(name, "", getattr(row, name))
    for task, one in row.tasks.items():
        record |= {**_estimate("score", f":{task}", one.score), **_estimate("difference", f":{task}", one.difference)}
        record[f"items:{task}"] = one.items
    return record


def _estimate(name: str, ending: str, figure: Estimate | None) -> dict[str, object]:
    if figure is None:
        return {}
    bounds = {"": figure.value, "_low": figure.interval.low, "_high": figure.interval.high}
    return {f"{name}{which}{ending}": value for which, value in bounds.items()}


def _value(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else canonical(value).decode()


def _cell(value: object) -> object:
    if value is None:
        return ""
    return text.cell(value) if isinstance(value, str) else value
