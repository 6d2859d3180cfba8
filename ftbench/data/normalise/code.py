"""HumanEval, MBPP and MultiPL-E: what a program starts from, and the tests that it must pass."""

from __future__ import annotations

import re
from typing import Any

from ftbench.data.normalise.base import LayoutError, Normaliser, Row, text

_DEFINITION = re.compile(r"^def\s+(\w+)\s*\(", re.MULTILINE)

COLUMNS = {
    "task_id": "the problem's name in the set",
    "prompt": "what the program starts with",
    "tests": "the tests, as the set has them",
    "entry_point": "name of the function that is asked for",
}


def _humaneval(row: Row) -> dict[str, Any]:
    return {
        "task_id": text(row["task_id"]),
        "prompt": text(row["prompt"]),
        "tests": text(row["test"]),
        "entry_point": text(row["entry_point"]),
        "reference": text(row["canonical_solution"]),
    }


def _mbpp(row: Row) -> dict[str, Any]:
    reference, lines = text(row["code"]), [text(line) for line in row["test_list"]]
    tests = "\n".join(lines)
    defined = [name for name in _DEFINITION.findall(reference) if re.search(rf"\b{name}\b", tests)]
    if not defined:
        raise LayoutError("no function of the reference is called in the tests")
    return {
        "task_id": str(row["task_id"]),
        "problem": text(row["text"]),
        "tests": tests,
        "first_test": lines[0],
        "setup": text(row["test_setup_code"]),
        "entry_point": defined[-1],
        "reference": reference,
    }


def _multipl_e(row: Row) -> dict[str, Any]:
    name = text(row["name"])
    found = re.fullmatch(r"HumanEval_\d+_(\w+)", name)
    if found is None:
        raise LayoutError(f"the name is {name!r}; HumanEval_NUMBER_FUNCTION is expected")
    return {"task_id": name, "prompt": text(row["prompt"]), "tests": text(row["tests"]), "entry_point": found[1]}


HUMANEVAL = Normaliser(
    "humaneval",
    "HumanEval in the layout of openai/openai_humaneval (arXiv 2107.03374)",
    {**COLUMNS, "tests": "defines `check(candidate)`", "reference": "the authors' body of the function"},
    _humaneval,
)
MBPP = Normaliser(
    "mbpp",
    "MBPP in the layout of google-research-datasets/mbpp, full (arXiv 2108.07732)",
    {
        "task_id": COLUMNS["task_id"],
        "problem": "the problem in words",
        "tests": "assertions, one a line",
        "first_test": "the first of them, which names the function and shows a call",
        "setup": "code that the tests need before them; mostly empty",
        "entry_point": COLUMNS["entry_point"],
        "reference": "the authors' program",
    },
    _mbpp,
)
MULTIPL_E = Normaliser(
    "multipl-e",
    "HumanEval in other languages, in the layout of nuprl/MultiPL-E (arXiv 2208.08227)",
    COLUMNS,
    _multipl_e,
)
