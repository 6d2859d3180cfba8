"""Finding bundles and surviving bad ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from board_answers import samples, sentiment, sentiment_evaluation

from ftbench.board.collect import Judged, collect, find_submissions, known_plans, marks_of
from ftbench.board.submission import Submission
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.verify.documents import Documents

Make = Callable[..., Submission]


def bundle(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")


def test_find(tmp_path: Path) -> None:
    bundle(tmp_path / "runs" / "b" / "bundle")
    bundle(tmp_path / "runs" / "a" / "bundle")
    bundle(tmp_path / "runs" / "a" / "bundle" / "inner")
    bundle(tmp_path / "runs" / ".hidden")
    (tmp_path / "runs" / "c.zip").write_bytes(b"")
    (tmp_path / "runs" / "notes.txt").write_text("")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "runs" / "a")
    names = [name for _, name in find_submissions([tmp_path / "runs"])]
    assert names == ["a/bundle", "b/bundle", "c.zip"]
    assert [name for _, name in find_submissions([tmp_path / "runs" / "a" / "bundle"])] == ["bundle"]
    assert next(name for _, name in find_submissions([tmp_path / "runs", tmp_path / "runs" / "a"])) == "runs/a/bundle"


def test_a_bad_bundle_stops_nothing(tmp_path: Path, submission: Make) -> None:
    for name in ("a-good", "b-refused", "c-unreadable", "d-crash", "e-good"):
        bundle(tmp_path / name)

    def verify(path: Path) -> Judged:
        if path.name == "b-refused":
            raise InvalidInput(Diagnostic("FTB603", "there is no bundle here"))
        if path.name == "c-unreadable":
            raise PermissionError(13, "Permission denied")
        if path.name == "d-crash":
            raise RecursionError
        return Judged(submission(path.name).verdict, Documents(), "")

    found = collect([tmp_path], verify)
    assert [one.path for one in found.submissions] == ["a-good", "e-good"]
    assert [(one.path, one.code) for one in found.refused] == [
        ("b-refused", "FTB702"),
        ("c-unreadable", "FTB702"),
        ("d-crash", "FTB702"),
    ]


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="FTB701"):
        collect([tmp_path], lambda path: pytest.fail("verified"))
    with pytest.raises(InvalidInput, match="FTB912"):
        collect([tmp_path / "nowhere"], lambda path: pytest.fail("verified"))


def test_known_plans_skips_what_is_broken(tmp_path: Path) -> None:
    folder = tmp_path / "x" / "1.0.0"
    (folder / "app/ftbench_app").mkdir(parents=True)
    (folder / "ftbench.lock").write_text("{}")
    (folder / "app/ftbench_app/plan.json").write_text("no json")
    assert known_plans([tmp_path]) == {}


def test_marks_are_by_the_scoring_that_ranks() -> None:
    given = {"fpb": sentiment(["positive", "none"])}
    ranked = sentiment_evaluation("fpb")
    assert marks_of(given, ranked) == {"fpb": [1.0, 1.0]}
    task = ranked.tasks[0].model_copy(update={"scoring": ["generated", "likelihood"]})
    assert marks_of(given, ranked.model_copy(update={"tasks": [task]})) == {"fpb": [1.0, 0.0]}


def test_no_marks_where_something_cannot_be_scored() -> None:
    ranked = sentiment_evaluation("fpb")
    broken = samples([1], [0])
    assert marks_of({"fpb": broken}, ranked) == {}, "no text"
    assert marks_of({"other": broken}, ranked) == {}, "no such task"
