"""Instruction data in the layout of Alpaca: instruction, input, output."""

from __future__ import annotations

from typing import Any

from ftbench.data.normalise.base import Normaliser, Row, text


def _alpaca(row: Row) -> dict[str, Any]:
    instruction, given = text(row["instruction"]), text(row.get("input"))
    request = f"{instruction}\n\n{given}" if given.strip() else instruction
    return {"instruction": instruction, "input": given, "request": request, "output": text(row["output"])}


ALPACA = Normaliser(
    "alpaca",
    "Instruction, input and output, as in the training sets of all four domains",
    {
        "instruction": "what is asked",
        "input": "what it is asked about; empty where there is nothing",
        "request": "the instruction, and after a blank line the input where there is one",
        "output": "the answer to learn",
    },
    _alpaca,
)
