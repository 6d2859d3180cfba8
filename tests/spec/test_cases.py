"""Each `cases/NAME.yaml` beside what loading it says, `cases/NAME.txt`.

To write the expected texts anew after a change: FTBENCH_UPDATE=1 pytest tests/spec/test_cases.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftbench.errors import InvalidInput
from ftbench.spec.load import load_spec

CASES = Path(__file__).parent / "cases"


def outcome(path: Path) -> str:
    try:
        loaded = load_spec(path)
    except InvalidInput as error:
        assert all(d.place and d.place.line for d in error.diagnostics), "a diagnostic has no position"
        return "\n".join(d.plain() for d in error.diagnostics) + "\n"
    return "".join(f"{w.plain()}\n" for w in loaded.warnings) + "valid\n"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_case(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    expected = path.with_suffix(".txt")
    text = outcome(path)
    if os.environ.get("FTBENCH_UPDATE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8"), "to accept: FTBENCH_UPDATE=1 pytest tests/spec/test_cases.py"


def test_every_expected_text_has_its_case() -> None:
    assert {p.stem for p in CASES.glob("*.txt")} <= {p.stem for p in CASES.glob("*.yaml")}
