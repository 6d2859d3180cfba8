"""Verdicts made by hand: what a verifier would have found, without bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from board_answers import evaluation, samples, sentiment, sentiment_evaluation

from ftbench.board.submission import Submission
from ftbench.compile.compiler import make_plan
from ftbench.compile.plan import Plan
from ftbench.result.documents import CheckResult, Cost, Level, Result, Scores, Verdict
from ftbench.result.score import score
from ftbench.spec.canonical import digest
from ftbench.spec.entry import EntryMetadata, ResolvedEntry
from ftbench.spec.load import find_spec, load_pins, load_spec
from ftbench.spec.model import BaseModelRef

Make = Callable[..., Submission]
HASH = "ab" * 32


def make(
    path: str = "runs/one/bundle",
    *,
    name: str = "mine",
    right: Mapping[str, Sequence[int]] | None = None,
    seed: int = 1,
    knobs: dict[str, Any] | None = None,
    level: Level = "RESCORED",
    spec_hash: str = HASH,
    benchmark: str = "quickstart",
    model: str = "builtin/micro",
    with_samples: bool = True,
    checks: Sequence[CheckResult] = (),
    bundle: str | None = None,
    answers: str | None = None,
    scores: Scores | None = None,
    **result: Any,
) -> Submission:
    items = right or {"task-a": [1] * 30 + [0] * 10}
    found = {task: samples(marks, [i % 2 for i in range(len(marks))]) for task, marks in items.items()}
    entry = ResolvedEntry(
        metadata=EntryMetadata(name=name),
        model=BaseModelRef(name=model, revision="cd" * 32),
        seed=seed,
        knobs=knobs or {"adapter.rank": 8},
    )
    about: dict[str, Any] = {
        "name": benchmark,
        "version": "1.0.0",
        "spec_hash": spec_hash,
        "entry": digest(entry.model_dump(mode="json", exclude={"metadata"})),
        "model": entry.model,
        "base_model": "cd" * 32,
        "seed": seed,
        "engine": "inline",
        "adapter": digest([name, seed, knobs or {}]),
        "ledger": "0" * 64,
        "checkpoint_round": 8,
        "scores": scores or score(found, evaluation(list(found))),
        "cost": Cost(
            bytes_down=2**20,
            bytes_up=2**20,
            trainable_parameters=12_345,
            rounds=5,
            train_seconds=12.5,
            evaluate_seconds=3.0,
            peak_memory_bytes=300 * 2**20,
        ),
        "exclusions": 0,
        "bit_reproducible": True,
        "smoke": False,
        "unpinned": False,
        **result,
    }
    claim = Result(**about)
    verdict = Verdict(
        bundle=bundle or digest([path, name, seed, knobs or {}, spec_hash]),
        name=benchmark,
        version="1.0.0",
        spec_hash=spec_hash,
        level=level,
        required="RESCORED",
        accepted=level == "RESCORED",
        checks=list(checks),
        not_checked=[],
        verifier="ftbench 0",
        result=claim,
    )
    marks = {task: [float(m) for m in items[task]] for task in items} if with_samples else {}
    return Submission(path, verdict, entry, marks, answers)


@pytest.fixture
def submission() -> Make:
    """Makes a Submission; every part can be set."""
    return make


@pytest.fixture
def scored() -> Callable[..., Scores]:
    """Scores of two tasks by three scorings: `scored(tuned, references)`."""

    def made(tuned: Sequence[str], references: Mapping[str, Sequence[int]] | None = None) -> Scores:
        found = {name: sentiment(tuned, references) for name in ("fpb", "tfns")}
        return score(found, sentiment_evaluation("fpb", "tfns"))

    return made


@pytest.fixture(scope="session")
def plan_of_quickstart() -> Plan:
    """The built-in quickstart's plan."""
    path = find_spec("quickstart")
    return make_plan(load_spec(path).spec, load_pins(path))
