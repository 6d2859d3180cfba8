"""The notebook's cells are carried out in order, as a kernel would, and show what they promise."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

NOTEBOOK = Path("docs/notebooks/quickstart.ipynb")


def cells() -> list[str]:
    return [
        "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]


def test_it_holds_no_output() -> None:
    """Outputs would grow stale, and carry the paths of who ran it."""
    assert all(not cell.get("outputs") for cell in json.loads(NOTEBOOK.read_text())["cells"])


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    world: dict[str, object] = {"__name__": "__main__"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, text in enumerate(cells()):
            exec(compile(text, f"cell {number}", "exec"), world)
    said = printed.getvalue()
    for words in ("valid", "parameters are trained", "gained", "RESCORED True", "did you mean `quickstart`?"):
        assert words in said, said
    assert list(Path(str(world["work"])).glob("loss.png"))
