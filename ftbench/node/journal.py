"""The site's own record of what it was asked and what left it: names, shapes and bytes, never values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, Message, RecordDict

from ftbench.node import gate

FILE = "journal.jsonl"


class Journal:
    """One line a message: what came, what left or why nothing did."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def note(self, asked: Message, *, fab: str, said: dict[str, Any]) -> None:
        """Add the line of one message."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "run": str(asked.metadata.run_id),
            "kind": asked.metadata.message_type,
            "round": asked.metadata.group_id,
            "fab": fab,
            **said,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")


def listed(content: RecordDict) -> dict[str, Any]:
    """What records hold: of arrays their number and the bytes of their values, of others the names."""
    found: dict[str, Any] = {}
    for name, record in sorted(content.items()):
        if isinstance(record, ArrayRecord):
            arrays = gate.unpacked(record)
            found[name] = {"arrays": len(arrays), "bytes": sum(array.nbytes for array in arrays.values())}
        else:
            found[name] = sorted(record)
    return found
