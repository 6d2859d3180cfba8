"""What faults cost, in a table: a column where some row tells it, a reference beside the ranking, and the sheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from ftbench.board import render, sheet, terminal
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.result.documents import Scores

Make = Callable[..., Submission]
Scored = Callable[..., Scores]
TEXTS = ["positive"] * 4


def test_the_score_lost_stands_beside_the_gain(submission: Make, scored: Scored) -> None:
    runs = [
        submission("s1", seed=1, scores=scored(TEXTS, {"fault-free": [1, 1, 1, 0]}), planned_exclusions=3),
        submission("s2", seed=2, scores=scored(TEXTS, {"fault-free": [1, 1, 0, 0]}), planned_exclusions=4),
    ]
    board = build(runs)
    (row,) = board.tables[0].rows
    assert row.robustness is not None
    assert row.robustness.value == pytest.approx((0.25 + 0.5) / 2)
    assert (row.exclusions, row.planned_exclusions) == (0, 7)
    assert not any("left out" in note for note in row.notes), "what the spec plans is nothing to warn of"
    assert [one.kind for one in board.tables[0].references] == ["untuned", "fault-free", "majority"]
    assert board.tables[0].references[1].score.value == pytest.approx(5 / 8)
    for shown in (render.markdown(board), terminal.plain(board)):
        assert "Under faults" in shown and "+37.5" in shown and "(fault-free: mine)" in shown
    told = next(csv.DictReader(io.StringIO(sheet.as_csv(board))))
    assert float(told["robustness"]) == pytest.approx(0.375) and told["planned_exclusions"] == "7"
    assert float(told["robustness_low"]) < 0.375 < float(told["robustness_high"])


def test_without_that_reference_there_is_no_column(submission: Make, scored: Scored) -> None:
    board = build([submission(scores=scored(TEXTS))])
    assert board.tables[0].rows[0].robustness is None
    assert "Under faults" not in render.markdown(board)
    assert next(csv.DictReader(io.StringIO(sheet.as_csv(board))))["robustness"] == ""
