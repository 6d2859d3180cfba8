"""PubMedQA's 500 test questions: those that the original release names, not the last 500 rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ftbench.data.normalise.base import LayoutError, Normaliser, Row, text

LIST = Path(__file__).with_name("pubmedqa_test_pmids.txt")
"""PubMed identifiers of the test questions, one a line; lines that begin with `#` say where they are from."""

ANSWERS = ("yes", "no", "maybe")
"""`answer` is the place here."""


@cache
def pmids() -> frozenset[str]:
    """The identifiers of the 500 test questions."""
    lines = LIST.read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _row(row: Row) -> dict[str, Any] | None:
    pmid = str(row["pubid"])
    if pmid not in pmids():
        return None
    label = row["final_decision"]
    if label not in ANSWERS:
        raise LayoutError(f"the decision is {label!r}; one of {', '.join(ANSWERS)} is expected")
    context = "\n".join(text(part) for part in row["context"]["contexts"])
    question = text(row["question"])
    return {"pmid": pmid, "question": question, "context": context, "label": label, "answer": ANSWERS.index(label)}


def _once(rows: Sequence[Mapping[str, Any]]) -> None:
    """Every test question, once: a file with some of them would make another test set."""
    found = [row["pmid"] for row in rows]
    missing = sorted(pmids() - set(found))
    if missing or len(found) != len(set(found)):
        raise LayoutError(f"{len(set(found))} of the {len(pmids())} test questions are there, {len(found)} rows")


PUBMEDQA = Normaliser(
    "pubmedqa",
    "The 500 test questions of PubMedQA, in the layout of qiaojin/PubMedQA, pqa_labeled (arXiv 1909.06146)",
    {
        "pmid": "PubMed identifier of the abstract",
        "question": "the question",
        "context": "the abstract without its conclusion, one part a line",
        "label": "yes, no or maybe",
        "answer": "0 yes, 1 no, 2 maybe",
    },
    _row,
    _once,
)
