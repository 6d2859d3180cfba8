"""What a check says when it passes: no more than it has established."""

from __future__ import annotations

import forge
import pytest

from ftbench.result.documents import Verdict
from ftbench.verify.checks.bytes_counted import UNUSABLE


def evidence(verdict: Verdict) -> dict[str, str]:
    assert verdict.accepted, [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"]
    return {check.check: check.evidence for check in verdict.checks}


def test_what_is_told_is_not_said_to_be_done(world: forge.World, genuine: forge.Forged) -> None:
    told = evidence(world.verdict(genuine.files))
    assert told["division-told"] == "closed: neither entry nor result names code of its own"
    assert told["whole-run"] == "the result does not say `smoke`"
    assert "no digest twice" not in told["averaging"], "the mean of one reply is that reply"
    assert "seed" not in told["run-conditions"], "that is another check's"


def test_a_likelihood_within_rounding(world: forge.World, genuine: forge.Forged) -> None:
    """It passes, and nobody says that it is not above 0."""
    with genuine.samples("jars") as answers:
        answers[0]["tuned"]["loglikelihoods"][0] = 5e-4
    forge.reseal(genuine)
    assert evidence(world.verdict(genuine.files))["answers-possible"].endswith("no log-likelihood above 0.001")


@pytest.mark.parametrize("reason", ["wrong-shape", "wrong-partition"])
def test_bytes_of_replies_that_were_refused(world: forge.World, genuine: forge.Forged, reason: str) -> None:
    """Nobody can count them, and the verdict says so."""
    assert UNUSABLE not in world.verdict(genuine.files).not_checked
    with genuine.round(2) as body:
        body["excluded"][0]["reason"] = reason
        body["bytes_up"] += 12_345
    forge.reseal(genuine)
    verdict = world.verdict(genuine.files)
    assert verdict.accepted and UNUSABLE in verdict.not_checked


def test_numbers_are_counted_and_nothing_else(world: forge.World, genuine: forge.Forged) -> None:
    def count(value: object) -> int:
        if isinstance(value, dict):
            return sum(map(count, value.values()))
        return isinstance(value, int | float)

    verdict = world.verdict(genuine.files)
    assert verdict.result is not None
    numbers = count(verdict.result.scores.model_dump(mode="json"))
    assert evidence(verdict)["scores-recomputed"].startswith(f"{numbers} numbers recomputed")
