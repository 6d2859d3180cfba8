from __future__ import annotations

import forge


def test_genuine_bundle_reaches_rescored(world: forge.World, genuine: forge.Forged) -> None:
    verdict = world.verdict(genuine.files)
    wrong = [(c.check, c.outcome, c.evidence) for c in verdict.checks if c.outcome != "passed"]
    assert wrong == []
    assert verdict.level == "RESCORED" and verdict.accepted
