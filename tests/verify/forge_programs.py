"""The programs of forged bundles, which are the same few in every bundle: each is run once in a process of tests."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from ftbench.result import programs

RUN, MISSING = programs.outcomes, programs.missing
"""The real ones, whatever a test has put in their place."""
_ended: dict[tuple[str, str, bool], dict[str, Any]] = {}
"""How programs ended that this process has run, by sandbox, job and whether it was left out."""


def outcomes_once(script: Path, jobs: Sequence[Mapping[str, Any]], *, unsafe: bool = False) -> list[dict[str, Any]]:
    """As `programs.outcomes`, but what passed or failed before is not run again: running them was most of what it took
    to verify a forged bundle. A program that nobody has run yet, or that did not end by itself, is run."""
    keys = [(str(script), json.dumps(job, sort_keys=True), unsafe) for job in jobs]
    new = [(key, job) for key, job in zip(keys, jobs, strict=True) if key not in _ended]
    found = dict(zip((key for key, _ in new), RUN(script, [job for _, job in new], unsafe=unsafe), strict=True))
    _ended.update({key: one for key, one in found.items() if one["status"] in ("passed", "failed")})
    return [dict(_ended.get(key) or found[key]) for key in keys]


@contextmanager
def programs_run() -> Iterator[None]:
    """The few programs of forged bundles can be run, once in a process each. Where tests are told that there is no
    sandbox, they, which are ours and harmless, run without one: the ladder is tested all the same."""
    unsafe: dict[str, Any] = {"unsafe": True} if os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1" else {}
    missing = functools.partial(MISSING, **unsafe)
    outcomes = functools.partial(outcomes_once, **unsafe)
    with mock.patch.multiple(programs, missing=missing, outcomes=outcomes):
        yield
