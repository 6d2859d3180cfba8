"""Scores from elsewhere: what is no number, or names a column twice, is not read as something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.board.published import load_published
from ftbench.errors import InvalidInput

HEADER = "benchmark,name,score,source"


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"{HEADER}\nmedical,a paper,0.59,https://example.org/x\nmedical,another,1,a book\n")
    found = load_published(path)
    assert [(one.name, one.score, one.link) for one in found] == [
        ("another", 1.0, None),
        ("a paper", 0.59, "https://example.org/x"),
    ]


@pytest.mark.parametrize("score", ["0_1", "٠.٥", "nan", "-0.0", "inf", "1e-400", "0x1", "1.5"])
def test_numbers_that_are_none(tmp_path: Path, score: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"{HEADER}\nmedical,a paper,{score},a book\n")
    with pytest.raises(InvalidInput) as error:
        load_published(path)
    assert error.value.diagnostics[0].code == "FTB713"


def test_a_column_named_twice(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"name,{HEADER}\nhonest,medical,other,0.59,a book\n")
    with pytest.raises(InvalidInput, match="twice"):
        load_published(path)
