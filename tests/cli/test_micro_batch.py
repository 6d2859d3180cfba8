"""`--micro-batch N|auto` reaches the runner as a whole number; `--round-timeout` is a finite one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run
from ftbench.run import runner


@pytest.mark.parametrize(("text", "told"), [("auto", -1), ("4", 4)])
def test_what_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: int) -> None:
    seen: list[Any] = []

    def start(*_: Any, **given: Any) -> Any:
        seen.append(given["micro_batch"])
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "start", start)
    assert run(["run", "quickstart", "--micro-batch", text, "--out", str(tmp_path)]) == 130
    assert seen == [told]


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_what_is_refused(text: str) -> None:
    assert run(["run", "quickstart", f"--micro-batch={text}"]) == 2


@pytest.mark.parametrize("text", ["nan", "inf", "0"])
def test_a_timeout_that_never_comes_is_refused(text: str, tmp_path: Path) -> None:
    assert run(["run", "quickstart", f"--round-timeout={text}", "--set", "x", "--out", str(tmp_path)]) == 2
