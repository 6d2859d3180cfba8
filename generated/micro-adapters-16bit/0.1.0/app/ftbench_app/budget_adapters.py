"""The adapters that are scored beside the run's own: the last one within each budget of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MIB = 2**20
FOLDER = "within"


def rounds(block: Mapping[str, Any] | None, committed: Sequence[Mapping[str, Any]]) -> list[int]:
    """Numbers of the rounds whose adapters are needed, ascending; a budget that no round fits into needs none.

    `block`: the spec's `evaluation.quality_within`; `committed`: the ledger's rounds.
    """
    needed = set()
    for mib in block["communication_mib"] if block else ():
        spent, last = 0, 0
        for line in committed:
            spent += line["bytes_down"] + line["bytes_up"]
            if spent > float(mib) * MIB:
                break
            last = line["round"]
        needed.add(last)
    return sorted(needed - {0})


def folder(run_dir: Path, number: int) -> Path:
    """Where the adapter after a round lies for whoever scores it."""
    return run_dir / FOLDER / f"round-{number}"


def folders(run_dir: Path) -> list[Path]:
    """Those that are there."""
    return sorted((run_dir / FOLDER).glob("round-*"))
