"""The four domains from spec to verified bundle, offline: every test set gains, in every seed, beyond its interval."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from effort import times

from ftbench import builtin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DOMAINS = ("general-nlp", "finance", "medical", "code")
STUDIES = ("finance-dirichlet", "medical-dp")
WITHOUT = "FTBENCH_TESTS_WITHOUT_SANDBOX"
"""Environment variable of `make test` where the sandbox's tools are not installed."""


def said(*arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def run_and_verify(domain: str, seed: int, out: Path, *, gains: bool = True) -> None:
    if domain == "code" and os.environ.get(WITHOUT):
        pytest.skip(f"{WITHOUT} is set")
    done = said("run", f"micro/{domain}", "--engine", "inline", "--seed", str(seed), "--out", out)
    bundle = Path(done["bundle"])
    verdict = said("verify", bundle, "--spec", builtin.specs()[f"micro/{domain}"], "--require", "RESCORED")
    result = json.loads((bundle / "result.json").read_bytes())
    assert "RESCORED" in json.dumps(verdict)
    tasks = result["scores"]["tasks"]
    assert tasks
    for name, scores in tasks.items() if gains else ():
        assert scores["difference"]["interval"]["low"] > 0, (name, scores["untuned"], scores["tuned"])


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_micro_domain_runs_to_a_verified_bundle(domain: str, tmp_path: Path) -> None:
    run_and_verify(domain, 1, tmp_path)


@pytest.mark.parametrize("study", STUDIES)
def test_a_micro_study_does_so_whatever_it_scores(study: str, tmp_path: Path) -> None:
    run_and_verify(study, 1, tmp_path, gains=False)


@pytest.mark.parametrize("seed", range(2, times(3, 4)))
@pytest.mark.parametrize("domain", DOMAINS)
def test_it_does_so_with_other_seeds(domain: str, seed: int, tmp_path: Path) -> None:
    run_and_verify(domain, seed, tmp_path)
