"""Targets and budgets on the leaderboard: columns, CSV, the block of scores within budgets and its picture."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ftbench.board import budgets, render, sheet, terminal
from ftbench.board.curve import points, svg
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.result.documents import Interval, Mean, Scores, TargetCost, WithinBudget

Make = Callable[..., Submission]
HASH = "ab" * 32


def told(mib: float, number: int, spent: int) -> WithinBudget:
    return WithinBudget(communication_mib=mib, round=number, bytes=spent, adapter=HASH)


@pytest.fixture
def budgeted(submission: Make) -> Make:
    """`budgeted(path, values)`: a bundle with these scores within 0.5 MiB, 1 MiB and so on, doubling."""

    def make(path: str, values: Sequence[float], *, target: int | None = 2, **more: Any) -> Submission:
        sizes = [0.5 * 2**i for i in range(len(values))]
        scores: Scores = submission(path, **more).result.scores
        means = {
            f"within-{mib:g}-mib": Mean(value=value, interval=Interval(low=value - 0.05, high=value + 0.05))
            for mib, value in zip(sizes, values, strict=True)
        }
        cost = TargetCost(validation_loss=0.5)
        if target is not None:
            cost = TargetCost(validation_loss=0.5, round=target, bytes=target * 2**20, seconds=3.0 * target)
        return submission(
            path,
            scores=scores.model_copy(update={"references": means}),
            within=[told(mib, number, round(mib * 2**20)) for number, mib in enumerate(sizes)],
            cost_to_target=cost,
            **more,
        )

    return make


def test_scores_by_budget_over_seeds(budgeted: Make) -> None:
    board = build([budgeted("a", [0.2, 0.4], seed=1), budgeted("b", [0.3, 0.5], seed=2, target=4)])
    (row,) = board.tables[0].rows
    assert [(one.communication_mib, one.round) for one in row.within] == [(0.5, 0.0), (1.0, 1.0)]
    assert row.within[1].score.value == pytest.approx(0.45)
    assert row.target is not None and (row.target.reached, row.target.round, row.target.bytes) == (2, 3.0, 3 * 2**20)
    assert "round 3, 3.00 MiB, 9.0 s" in render.markdown(board)
    assert "| 25.0 [20.0, 30.0] (none fits) | 45.0 [40.0, 50.0] (round 1) |" in render.markdown(board)
    assert budgets.HEADING in terminal.plain(board)


def test_a_target_that_some_runs_did_not_reach(budgeted: Make) -> None:
    board = build([budgeted("a", [0.2], seed=1), budgeted("b", [0.3], seed=2, target=None)])
    assert "round 2, 2.00 MiB, 6.0 s (1 of 2 runs)" in render.markdown(board)
    none = build([budgeted("a", [0.2], target=None)])
    assert "| not reached |" in render.markdown(none)


def test_the_sheet_has_a_column_for_each_budget(budgeted: Make) -> None:
    board = build([budgeted("a", [0.2, 0.4]), budgeted("b", [0.3], name="other", knobs={"adapter.rank": 4})])
    rows = {row["entry"]: row for row in csv.DictReader(io.StringIO(sheet.as_csv(board)))}
    assert rows["mine"]["within:1"] == "0.4" and rows["other"]["within:1"] == ""
    assert (rows["mine"]["within_round:1"], rows["mine"]["target_reached"]) == ("1.0", "1 of 1")
    assert (rows["mine"]["target"], rows["mine"]["target_bytes"]) == ("0.5", str(2.0 * 2**20))


def test_tables_without_budgets_are_as_they_were(submission: Make) -> None:
    board = build([submission("a")])
    text = render.markdown(board)
    assert budgets.HEADING not in text and "To target" not in text and "within" not in sheet.as_csv(board)
    assert "No table has scores within budgets." in svg(board)


def test_the_picture_is_well_formed_and_the_same_every_time(budgeted: Make) -> None:
    named = [budgeted(f"{n}", [0.2, 0.3, 0.4], name=f"entry-{n}", knobs={"adapter.rank": n}) for n in range(1, 24)]
    board = build(named)
    picture = svg(board)
    assert picture == svg(build(reversed(named)))
    root = ElementTree.fromstring(picture)
    assert sum(one.tag.endswith("polyline") for one in root.iter()) == 23
    for one in root.iter():
        for name in ("x", "y", "cx", "cy", "x1", "y2"):
            if name in one.attrib:
                assert -1 <= float(one.attrib[name]) <= 720


def test_text_from_outside_stays_text(budgeted: Make) -> None:
    picture = svg(build([budgeted("a", [0.2], benchmark="quickstart")]))
    assert "<script" not in picture
    board = build([budgeted("a", [0.2])])
    board.tables[0].rows[0] = board.tables[0].rows[0].model_copy(update={"label": '</text><script>alert("x")</script>'})
    assert "&lt;/text&gt;&lt;script" in svg(board)
    ElementTree.fromstring(svg(board))


def test_the_whole_run_ends_a_curve_where_it_sent_more(budgeted: Make) -> None:
    (row,) = build([budgeted("a", [0.2, 0.4])]).tables[0].rows
    assert [one.mib for one in points(row)] == [0.5, 1.0, 2.0]
    little = row.model_copy(update={"bytes_down": 2**18, "bytes_up": 2**18})
    assert [one.mib for one in points(little)] == [0.5, 1.0]
