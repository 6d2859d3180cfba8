"""MMLU, MedMCQA, MedQA and CareQA: a question and four options."""

from __future__ import annotations

from typing import Any

from ftbench.data.normalise.base import Normaliser, Row, index, letter, option_columns, options, text

COLUMNS = {"question": "the question", **option_columns(4), "answer": "place of the right option, from 0"}


def _mmlu(row: Row) -> dict[str, Any]:
    choices = options(row["choices"], 4)
    subject = text(row["subject"])
    return {"question": text(row["question"]), "subject": subject, **choices, "answer": index(row["answer"], 4)}


def _medmcqa(row: Row) -> dict[str, Any]:
    choices = options([row["opa"], row["opb"], row["opc"], row["opd"]], 4)
    return {"question": text(row["question"]), **choices, "answer": index(row["cop"], 4)}


def _medqa(row: Row) -> dict[str, Any]:
    choices = options([row["options"][name] for name in "ABCD"], 4)
    return {"question": text(row["question"]), **choices, "answer": letter(row["answer_idx"], 4)}


def _careqa(row: Row) -> dict[str, Any]:
    choices = options([row["op1"], row["op2"], row["op3"], row["op4"]], 4)
    return {"question": text(row["question"]), **choices, "answer": index(row["cop"], 4, first=1)}


MMLU = Normaliser(
    "mmlu",
    "MMLU in the layout of cais/mmlu (arXiv 2009.03300)",
    {**COLUMNS, "subject": "the subject's name"},
    _mmlu,
    types={"answer": "integer"},
)
MEDMCQA = Normaliser(
    "medmcqa",
    "MedMCQA in the layout of openlifescienceai/medmcqa (arXiv 2203.14371)",
    COLUMNS,
    _medmcqa,
    types={"cop": "integer"},
)
MEDQA = Normaliser("medqa", "MedQA in the layout of GBaker/MedQA-USMLE-4-options (arXiv 2009.13081)", COLUMNS, _medqa)
CAREQA = Normaliser(
    "careqa",
    "CareQA in the layout of HPAI-BSC/CareQA (arXiv 2502.06666)",
    COLUMNS,
    _careqa,
    types={"cop": "integer"},
)
