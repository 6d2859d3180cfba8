"""The board in each format: stable, escaped, readable again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from ftbench.board import render, sheet, terminal, text
from ftbench.board.model import Board, Refused
from ftbench.board.rank import build
from ftbench.board.submission import Submission

Make = Callable[..., Submission]
HOSTILE = "=HYPERLINK(1)|a\nb\x1b[31m`x`[link](http://evil)<img>"


def board(submission: Make) -> Board:
    hostile = Refused(path=HOSTILE, bundle=None, spec_hash=None, level="NONE", code="FTB702", reason=HOSTILE)
    good = [submission("a", name="one"), submission("b", name="two", knobs={"k": 1}, right={"task-a": [0] * 40})]
    return build(good, [hostile])


def test_markdown(submission: Make) -> None:
    out = render.markdown(board(submission))
    lines = out.split("\n")
    rows = [line for line in lines if line.startswith("| 1 ")]
    assert len(rows) == 1
    assert "75.0 [" in rows[0] and "`one: rank=8`" in rows[0] and "RESCORED" in rows[0] and "2.00" in rows[0]
    assert "\x1b" not in out
    (refused,) = [line for line in lines if "FTB702" in line]
    assert refused.count("|") == 5, "no cell ends early"
    assert refused.count("`") == 4, "nothing leaves its code span"


def test_markdown_of_free_text() -> None:
    assert text.markdown("a|b <i>[x](y)\n") == "a\\|b &lt;i&gt;\\[x\\]\\(y\\)\\\\n"


def test_csv(submission: Make) -> None:
    rows = list(csv.DictReader(io.StringIO(sheet.as_csv(board(submission)))))
    assert [row["kind"] for row in rows] == ["entry", "entry", "untuned", "majority", "refused"]
    assert float(rows[0]["score"]) == 0.75
    assert rows[0]["rank_best"] == "1"
    assert float(rows[1]["gain"]) < 0, "a number keeps its sign"
    assert rows[4]["path"].startswith("'="), "no formula"
    assert "\x1b" not in rows[3]["path"] and "\n" not in rows[3]["path"]


def test_formulas_in_csv() -> None:
    for start in ("=1", "+1", "-1", "@a", " =1"):
        assert text.cell(start).startswith("'")
    assert text.cell("a=1") == "a=1"


def test_json_reads_back(submission: Make) -> None:
    made = board(submission)
    assert Board.model_validate(json.loads(render.as_json(made))) == made


def test_terminal_shows_everything_and_no_escape(submission: Make) -> None:
    out = terminal.plain(board(submission))
    assert "\x1b" not in out
    for shown in ("one", "two", "RESCORED", "(untuned)", "FTB702", "12,345", "300.00", "12.5 s", "Not ranked"):
        assert shown in out


def test_narrow_screens_show_fewer_columns(submission: Make) -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None)
    for piece in terminal.terminal(board(submission), console.width):
        console.print(piece)
    assert "Score" in out.getvalue() and "Level" in out.getvalue()
    assert "Memory" not in out.getvalue()


@pytest.mark.parametrize("width", [40, 50, 80])
def test_no_screen_is_too_narrow_to_say_whose_a_row_is(submission: Make, width: int) -> None:
    made = board(submission)
    lines = terminal.plain(made, width=width).split("\n")
    head = next(line for line in lines if "Rank" in line)
    assert head.split()[:3] == ["Rank", "Entry", "Score"]
    first = lines[lines.index(head) + 2]
    assert (made.tables[0].rows[0].label or made.tables[0].rows[0].names[0])[:3] in first
    assert "[" in first and "]" in first, "the score is whole"


def test_same_bytes_every_time(submission: Make) -> None:
    first, second = board(submission), board(submission)
    for write in (render.markdown, sheet.as_csv, render.as_json, terminal.plain):
        assert write(first) == write(second)


def test_empty_board_says_so() -> None:
    empty = build([])
    assert "No bundle reaches RESCORED." in render.markdown(empty)
    assert "No bundle reaches RESCORED." in terminal.plain(empty)


def test_figures() -> None:
    assert text.seconds(None) == "—"
    assert text.seconds(59.94) == "59.9 s"
    assert text.seconds(61) == "1 min 01 s"
    assert text.seconds(3661) == "1 h 01 min"
    assert text.mib(3 * 2**20) == "3.00"


def test_a_table_fits_eighty_columns(submission: Make) -> None:
    knobs = [{"adapter.rank": rank, "training.schedule.learning_rate": 2e-3 * rank} for rank in (2, 4, 8)]
    made = build([submission(f"{k}{s}", knobs=k, seed=s, name="custom") for k in knobs for s in (1, 2, 3)])
    lines = terminal.plain(made, width=80).split("\n")
    assert max(map(len, lines)) <= 80
    assert sum(line.lstrip().startswith(("1–3", "1 ")) for line in lines) == 3, "a row is a line"
    assert "seed 2" in terminal.plain(made, width=80, unfold=True)
    assert "Westfall" not in "".join(lines) and "Westfall" in terminal.plain(made, explain=True)
