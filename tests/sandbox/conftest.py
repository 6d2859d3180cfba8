"""Programs are run in the real sandbox: where it is missing these tests fail, unless they are told not to be run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from ftbench.tasks import ftbench_sandbox

WITHOUT = "FTBENCH_TESTS_WITHOUT_SANDBOX"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run() -> Run:
    """Run one program in the sandbox and return its outcome: run(language, program, tests, **job)."""
    reason = ftbench_sandbox.available()
    if reason:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(reason)
        pytest.fail(f"{reason}. Set {WITHOUT}=1 to leave out the tests that need the sandbox.", pytrace=False)

    def run(language: str, program: str, tests: str = "", **job: Any) -> dict[str, Any]:
        outcome = ftbench_sandbox.run({"language": language, "program": program, "tests": tests, **job})
        assert outcome["sandbox"] == "bubblewrap", outcome
        assert outcome["status"] not in ("sandbox-error", "refused"), outcome
        assert outcome["passed"] == (outcome["status"] == "passed")
        return outcome

    return run
