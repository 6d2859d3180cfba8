"""Entries with code of their own stand in a table of their own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from ftbench.board import sheet
from ftbench.board.rank import build
from ftbench.board.render import markdown
from ftbench.board.submission import Submission
from ftbench.board.terminal import plain
from ftbench.spec.entry import OpenCode

Make = Callable[..., Submission]
BETTER = {"task-a": [1] * 39 + [0]}


def opened(one: Submission, digit: str = "1") -> Submission:
    """The same with a strategy of its own."""
    assert one.entry is not None
    return dataclasses.replace(one, entry=one.entry.model_copy(update={"open": OpenCode(strategy=digit * 64)}))


def test_the_better_open_entry_takes_no_closed_place(submission: Make) -> None:
    closed = submission("closed", name="plain")
    own = opened(submission("open", name="own", right=BETTER, division="open"))
    board = build([own, closed])
    assert [(table.division, [row.names for row in table.rows]) for table in board.tables] == [
        ("closed", [["plain"]]),
        ("open", [["own"]]),
    ]
    assert [row.rank.best for table in board.tables for row in table.rows] == [1, 1]
    assert len({table.spec_hash for table in board.tables}) == 1


def test_other_code_is_another_entry(submission: Make) -> None:
    """The same knobs: one row for two seeds of the same code, another for other code."""
    runs = [opened(submission(f"r{seed}", seed=seed, division="open")) for seed in (1, 2)]
    other = opened(submission("r3", division="open"), "2")
    (table,) = build([*runs, other]).tables
    assert sorted(len(row.seeds) for row in table.rows) == [1, 2]


@pytest.mark.parametrize("division", ["closed", "open"])
def test_who_says_so_anywhere_is_open(submission: Make, division: str) -> None:
    """Below CONFORMS nobody has compared result and entry."""
    one = submission("x", level="CLAIMED", division=division)
    both = opened(one) if division == "closed" else one
    (table,) = build([both], required="CLAIMED").tables
    assert table.division == "open"


def test_every_format_says_which_table_is_which(submission: Make) -> None:
    board = build([opened(submission("open", division="open")), submission("closed")])
    for shown in (plain(board), markdown(board)):
        assert len(re.findall(r"open division", shown)) == 1
        assert "code of their own and are not ranked among others" in shown
        assert shown.index("spec hash") < shown.index("open division"), "the closed table comes first"
    lines = [line.split(",") for line in sheet.as_csv(board).splitlines()]
    column = lines[0].index("division")
    assert [line[column] for line in lines[1:] if line[lines[0].index("kind")] == "entry"] == ["closed", "open"]
