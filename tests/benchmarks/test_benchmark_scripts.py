"""The benchmark scripts run, their two sides agree, and the last line is a ratio with what it was measured on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "size"),
    [
        ("training_loop.py", ["--steps", "3", "--repeats", "1"]),
        ("evaluation.py", ["--items", "8", "--repeats", "1"]),
        ("streaming.py", ["--mib", "4", "--replies", "20"]),
        ("coding.py", ["--layers", "2", "--rank", "4", "--repeats", "1"]),
        ("coding.py", ["--coding", "bf16", "--layers", "2", "--rank", "4", "--repeats", "1"]),
    ],
)
def test_a_benchmark_prints_a_ratio(script: str, size: list[str]) -> None:
    command = [sys.executable, str(FOLDER / script), *size]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["benchmark"] == script.removesuffix(".py")
    assert found["ratio"] > 0 and found["machine"]["torch"]


def test_bundles_of_two_specs_are_paired_by_item() -> None:
    """Items are matched by digest, whatever else was asked; the p-value is of the mean over tasks."""
    command = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); from chat_pairs import compare; "
        "one = {'t': {'a': False, 'b': False, 'c': True}, 'u': {'x': True}, 'v': {}}; "
        "other = {'t': {'a': True, 'b': True, 'd': False}, 'u': {'x': True}}; print(json.dumps(compare(one, other)))"
    )
    done = subprocess.run([sys.executable, "-c", command, str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["scores"] == [0.5, 1.0] and found["difference"] == 0.5 and found["p"] == 0.5
    nothing = [sys.executable, str(FOLDER / "chat_pairs.py"), "/nowhere"]
    done = subprocess.run(nothing, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "FTB603" in done.stderr and "Traceback" not in done.stderr
