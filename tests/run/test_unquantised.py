"""bitsandbytes stays out of a process that needs nothing of it, and of no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench.run.engines import unquantised

PLAIN: dict[str, Any] = {"model": {"dtype": "float32"}, "training": {"optimizer": {"kind": "adamw"}}}
QUANTISED = {**PLAIN, "model": {"quantization": {"bits": 4}}}
PAGED = {**PLAIN, "training": {"optimizer": {"kind": "adamw", "moments": "paged-8bit"}}}
CASES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    (PLAIN, {"open-code": "", "adapter.rank": 4}, False),
    (QUANTISED, {}, True),
    (PAGED, {}, True),
    (PLAIN, {"training.optimizer.moments": "paged-8bit"}, True),
    (PLAIN, {"open-code": "code/strategy.py"}, True),
]


@pytest.mark.parametrize(("spec", "overrides", "found"), CASES)
def test_who_needs_it(spec: dict[str, Any], overrides: dict[str, Any], found: bool) -> None:
    assert unquantised.needed(spec, overrides) is found


@pytest.mark.parametrize(
    ("text", "away"),
    [
        (json.dumps({"spec": PLAIN}), ["bitsandbytes", "scipy"]),
        (json.dumps({"spec": {**PLAIN, "privacy": {"kind": "central"}}}), ["bitsandbytes"]),
        (json.dumps({"spec": QUANTISED}), []),
        ("{", []),
        ("{}", []),
    ],
)
def test_a_process_is_told(tmp_path: Path, text: str, away: list[str]) -> None:
    (tmp_path / "plan.json").write_text(text)
    code = (
        "import importlib.util, sys; from pathlib import Path; from ftbench.run.engines import unquantised\n"
        "there = [name for name in ('bitsandbytes', 'scipy') if importlib.util.find_spec(name)]\n"
        "assert len(there) == 2\n"
        "unquantised.keep_away(Path(sys.argv[1]), [{}])\n"
        "print(*(name for name in there if name in sys.modules))"
    )
    command = [sys.executable, "-P", "-c", code, str(tmp_path / "plan.json")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == away
