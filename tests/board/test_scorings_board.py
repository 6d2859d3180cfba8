"""Other scorings and references beside the ranking, and what a reader must be warned of."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from ftbench.board import render, sheet, terminal
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.result.documents import Cost, Scores

Make = Callable[..., Submission]
Scored = Callable[..., Scores]
TEXTS = ["positive", "It is Positive.", "no idea", "negative"]
"""By `generated` right, right, unparsable, wrong; by `flowertune` right, right, neutral, wrong."""


def test_other_scorings_stand_beside_the_one_that_ranks(submission: Make, scored: Scored) -> None:
    board = build([submission(scores=scored(TEXTS))])
    (row,) = board.tables[0].rows
    assert row.score.value == 1.0
    assert row.tasks["fpb"].scoring == "likelihood" and row.tasks["fpb"].items == 4
    assert sorted(row.also) == ["flowertune", "generated"]
    generated = row.also["generated"]
    assert generated.score.value == 0.5
    assert generated.tasks["tfns"].unparsable == 1
    assert row.also["flowertune"].tasks["tfns"].unparsable == 0, "the incumbent's rule makes silence neutral"
    untuned, _ = board.tables[0].references
    assert untuned.also["generated"].tasks["fpb"].unparsable == 4
    assert untuned.also["generated"].score.value == 0


def test_unparsable_and_scorings_in_every_format(submission: Make, scored: Scored) -> None:
    board = build([submission(scores=scored(TEXTS), name="mine")])
    for shown in (render.markdown(board), terminal.plain(board)):
        lines = [line for line in shown.split("\n") if "generated (beside)" in line]
        assert len(lines) == 2, "entry and untuned"
        assert "mine" in lines[0] and "50.0 (1 unparsable)" in lines[0]
        assert "0.0 (4 unparsable)" in lines[1]
        assert any("likelihood (ranks)" in line and "100.0" in line for line in shown.split("\n"))
        assert "fpb (4)" in shown and "tfns (4)" in shown
    rows = list(csv.DictReader(io.StringIO(sheet.as_csv(board))))
    assert [(row["kind"], row["scoring"]) for row in rows] == [
        ("entry", "likelihood"),
        ("scoring", "flowertune"),
        ("scoring", "generated"),
        ("untuned", "likelihood"),
        ("scoring of untuned", "flowertune"),
        ("scoring of untuned", "generated"),
        ("majority", "constant"),
    ]
    assert rows[2]["score:fpb"] == "0.5" and rows[2]["unparsable:fpb"] == "1.0" and rows[2]["rank_best"] == ""


def test_a_better_text_never_moves_the_rank(submission: Make, scored: Scored) -> None:
    mute = submission("a", name="mute", scores=scored([""] * 4), knobs={"k": 1})
    chatty = submission("b", name="chatty", scores=scored(["positive"] * 4), knobs={"k": 2})
    ranks = {row.names[0]: (row.rank, row.score) for row in build([mute, chatty]).tables[0].rows}
    assert ranks["mute"] == ranks["chatty"]


def test_references_are_rows_beside_the_ranking(submission: Make, scored: Scored) -> None:
    references = {"centralised": [1, 1, 1, 0], "local-0": [1, 1, 0, 0], "local-1": [0, 0, 0, 0]}
    runs = [submission(f"s{seed}", seed=seed, scores=scored(TEXTS, references)) for seed in (1, 2)]
    board = build(runs)
    untuned, local, centralised, _ = board.tables[0].references
    assert [one.kind for one in (untuned, local, centralised)] == ["untuned", "local", "centralised"]
    assert local.score.value == pytest.approx(0.25)
    assert local.spread == pytest.approx(0.5 / 2**0.5)
    assert (local.least, local.most, local.models, local.bundles) == (0.0, 0.5, 2, 2)
    assert centralised.score.value == pytest.approx(0.75) and centralised.spread is None
    assert centralised.tasks["fpb"].score.value == pytest.approx(0.75)
    assert centralised.names == ["mine"] and untuned.names == []
    assert len(board.tables[0].rows) == 1
    out = render.markdown(board)
    assert "(local, 2 clients: mine)" in out and "±35.4 over clients" in out and "(centralised: mine)" in out


def test_bundles_without_references_do_not_spoil_the_others(submission: Make, scored: Scored) -> None:
    runs = [
        submission("s1", seed=1, scores=scored(TEXTS, {"centralised": [1] * 4})),
        submission("s2", seed=2, scores=scored(TEXTS)),
    ]
    board = build(runs)
    assert [one.bundles for one in board.tables[0].references] == [2, 1, 2]


def test_no_sandbox_and_exclusions_are_marked(submission: Make) -> None:
    runs = [
        submission("a", seed=1, sandbox="bubblewrap"),
        submission("b", seed=2, sandbox="none", exclusions=3),
    ]
    board = build(runs)
    (row,) = board.tables[0].rows
    assert row.sandbox == "none"
    for out in (render.markdown(board), terminal.plain(board)):
        plain = " ".join(out.split())
        assert "sandbox: none" in plain and "3 client replies left out, unplanned" in plain
    (clean,) = build([runs[0]]).tables[0].rows
    assert clean.sandbox == "bubblewrap" and clean.notes == []


def test_device_memory_is_a_column_where_somebody_reports_it(submission: Make) -> None:
    cost = Cost(
        bytes_down=1,
        bytes_up=1,
        trainable_parameters=1,
        rounds=1,
        train_seconds=None,
        evaluate_seconds=None,
        peak_memory_bytes=None,
        peak_device_bytes=7 * 2**20,
    )
    board = build([submission(cost=cost)])
    assert "Device MiB" in render.markdown(board) and "| 7.00 |" in render.markdown(board)
    assert "Device MiB" not in render.markdown(build([submission()]))


def test_tasks_that_only_some_runs_have_are_left_out(submission: Make) -> None:
    board = build([submission("a", seed=1, right={"x": [1], "y": [0]}), submission("b", seed=2, right={"x": [1]})])
    assert list(board.tables[0].rows[0].tasks) == ["x"]


def test_names_of_tasks_and_scorings_are_outside_text(submission: Make, scored: Scored) -> None:
    """Below CONFORMS a bundle may call its tasks and scorings what it likes."""
    hostile = "=1+1|a`b\n\x1b[31m"
    scores = scored(TEXTS)
    fpb = scores.tasks["fpb"].model_copy(update={"scoring": hostile})
    scores = scores.model_copy(update={"tasks": {hostile: fpb}})
    board = build([submission(level="INTACT", scores=scores)], required="INTACT")
    (head,) = [line for line in render.markdown(board).split("\n") if "a'b" in line and "Mean" in line]
    assert head.count("|") == 5, "no cell ends early"
    for out in (render.markdown(board), terminal.plain(board), sheet.as_csv(board)):
        assert "\x1b" not in out
    rows = list(csv.reader(io.StringIO(sheet.as_csv(board))))
    assert not any(cell.startswith("=") for row in rows for cell in row)


def test_a_constant_answer_is_marked_and_the_majority_is_a_row(submission: Make) -> None:
    """Half of the items are right of each option: a score of half is what always saying the same gets."""
    half = submission("a", name="half", right={"task-a": [1, 0] * 20}, knobs={"k": 1})
    more = submission("b", name="more", right={"task-a": [1, 0] * 19 + [1, 1]}, knobs={"k": 2})
    board = build([half]), build([more])
    (row,), (better,) = (one.tables[0].rows for one in board)
    assert row.constant == ["task-a", "mean"] and "on 1 task" in row.notes[0]
    assert better.constant == [] and better.notes == []
    assert "(no gain)" in render.markdown(board[0]) and "(no gain)" not in render.markdown(board[1])
    majority = board[0].tables[0].references[-1]
    assert majority.kind == "majority" and majority.model is None and majority.score.value == 0.5
    assert "(majority)" in terminal.plain(board[0])
