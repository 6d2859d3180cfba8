"""The demo's messages: different ones, as many of each intent, the test's built from what no training row has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/demo/make_rows.py"


def test_rows(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)], check=True)
    rows = {
        name: [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "test")
    }
    assert {name: len(found) for name, found in rows.items()} == {"train": 600, "test": 40}
    for found in rows.values():
        assert len({row["message"] for row in found}) == len(found)
        assert len(set(Counter(row["intent"] for row in found).values())) == 1
        assert all(row["message"][0].isupper() and "{" not in row["message"] for row in found)
    assert not {row["message"] for row in rows["train"]} & {row["message"] for row in rows["test"]}
