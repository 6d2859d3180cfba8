"""Epsilon told by a ledger and a result, against what spec and seed imply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import forge
import pytest

from ftbench.app import arrays
from ftbench.app.privacy import clipping, noise, server
from ftbench.result.documents import Verdict
from ftbench.spec import checks
from ftbench.spec.checks import privacy
from ftbench.spec.implied import accounting

BLOCK = {
    "kind": "central",
    "epsilon": 8.0,
    "delta": 0.01,
    "noise_multiplier": 3.0,
    "clipping": "fixed",
    "clip": 0.5,
    "quantile": None,
    "clip_learning_rate": None,
    "count_noise_multiplier": None,
}
ADAPTIVE = {"clipping": "adaptive", "quantile": 0.5, "clip_learning_rate": 0.2, "count_noise_multiplier": 2.0}


def make_world(root: Any, **changes: Any) -> forge.World:
    def change(value: dict[str, Any]) -> None:
        value["privacy"] = {**BLOCK, **changes}
        value["evaluation"]["tasks"] = value["evaluation"]["tasks"][:1]
        value["evaluation"]["references"] = {}

    return forge.make_world(root, change)


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return make_world(tmp_path_factory.mktemp("central"))


def told(world: forge.World) -> forge.Forged:
    """A genuine bundle of that benchmark."""
    spec = world.spec
    assert spec.privacy is not None
    made = forge.make(world)
    spending, counts = accounting.spending(spec), accounting.releases(spec, 4, seed=1)
    block, clip = spec.privacy.model_dump(), spec.privacy.clip
    for number, count in enumerate(counts, 1):
        with made.round(number) as body:
            body["privacy"] = {"epsilon": spending(count), "clip": clip}
            if spec.privacy.kind == "central" and len(body["replies"]) == 1:
                body["adapter"] = f"{1000 + number:064x}"  # the only reply, covered with noise
            if spec.privacy.clipping == "adaptive":
                counted = noise.one(spec.privacy.count_noise_multiplier or 0, noise.generator(1, number, noise.COUNT))
                lengths = [0.0] * (len(body["replies"]) - 1) + [9.0]
                within = server.share_within(lengths, clip, len(body["sampled"]), counted)
                kept = clipping.adapted(block, clip, within)
                clip = float(kept[clipping.CLIP][0])
                state = {f"privacy/{name}": array for name, array in kept.items()}
                body["strategy_state"] = arrays.digest(spec.strategy.model_dump(mode="json", exclude_none=True), state)
    with made.samples("jars") as answers:
        for sample in answers:
            sample["references"] = {}
    with made.result() as result:
        result |= {"references": {}, "sandbox": None}
        terms = spec.privacy
        result["privacy"] = {
            "kind": terms.kind,
            "epsilon": spending(counts[-1]),
            "delta": terms.delta,
            "limit": terms.epsilon,
            "noise_multiplier": terms.noise_multiplier,
            "clipping": terms.clipping,
        }
    forge.reseal(made)
    return made


def outcome(verdict: Verdict, check: str = "privacy-accounted") -> Any:
    return next(found for found in verdict.checks if found.check == check)


def failures(verdict: Verdict) -> dict[str, str]:
    return {found.check: found.evidence for found in verdict.checks if found.outcome == "failed"}


@pytest.mark.parametrize(
    "changes", [{}, ADAPTIVE, {"kind": "local", "epsilon": 30.0}], ids=["fixed", "adaptive", "local"]
)
def test_a_run_that_tells_what_it_spent_is_accepted(tmp_path: Any, changes: dict[str, Any]) -> None:
    world = make_world(tmp_path, **changes)
    verdict = world.verdict(told(world).files)
    assert verdict.accepted, failures(verdict)
    assert "4 rounds accounted again: epsilon" in outcome(verdict).evidence


def under_report(made: forge.Forged) -> None:
    with made.round(4) as body:
        body["privacy"]["epsilon"] *= 0.9
    with made.result() as result:
        result["privacy"]["epsilon"] *= 0.9


def under_report_in_one_round(made: forge.Forged) -> None:
    with made.round(2) as body:
        body["privacy"]["epsilon"] *= 0.99


def under_report_in_the_result(made: forge.Forged) -> None:
    with made.result() as result:
        result["privacy"]["epsilon"] = 0.1


def say_nothing(made: forge.Forged) -> None:
    with made.round(3) as body:
        body["privacy"] = None


def say_nothing_in_the_result(made: forge.Forged) -> None:
    with made.result() as result:
        result["privacy"] = None


def clip_higher(made: forge.Forged) -> None:
    with made.round(2) as body:
        body["privacy"]["clip"] = 5.0


def claim_more_noise(made: forge.Forged) -> None:
    with made.result() as result:
        result["privacy"]["noise_multiplier"] = 30.0


def claim_another_delta(made: forge.Forged) -> None:
    with made.result() as result:
        result["privacy"]["delta"] = 1e-6


@pytest.mark.parametrize(
    ("lie", "evidence"),
    [
        (under_report, "round 4 tells epsilon"),
        (under_report_in_one_round, "round 2 tells epsilon"),
        (under_report_in_the_result, "the result tells epsilon 0.1"),
        (say_nothing, "round 3 does not say what it spent"),
        (say_nothing_in_the_result, "the result does not say"),
        (clip_higher, "round 2 clipped to 5, due is 0.5"),
        (claim_more_noise, "noise_multiplier 30.0"),
        (claim_another_delta, "delta 1e-06"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_lie_that_is_sealed_again_falls(
    central: forge.World, lie: Callable[[forge.Forged], None], evidence: str
) -> None:
    made = told(central)
    lie(made)
    forge.reseal(made)
    verdict = central.verdict(made.files)
    assert verdict.level == "INTACT"
    assert list(failures(verdict)) == ["privacy-accounted"]
    assert evidence in failures(verdict)["privacy-accounted"]


def test_a_round_begun_past_the_budget_falls(
    tmp_path: Any, central: forge.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`validate` refuses a spec whose rounds do not fit; who gets round that stands before this check."""
    monkeypatch.setattr(checks, "CHECKS", tuple(check for check in checks.CHECKS if check is not privacy.budget))
    world = make_world(tmp_path, epsilon=accounting.spending(central.spec)(3))
    verdict = world.verdict(told(world).files)
    assert "round 4 began, which makes epsilon" in failures(verdict)["privacy-accounted"]


def test_a_run_that_stopped_at_the_budget_cannot_go_on(central: forge.World) -> None:
    made = told(central)
    with made.lines() as lines:
        at = next(n for n, line in enumerate(lines) if line["body"].get("round") == 3)
        stop = {"event": "stopped", "round": 3, "reason": "privacy-budget", "excluded": [], "detail": ""}
        lines[at:at] = [{"body": stop}, {"body": {"event": "resumed", "after_round": 2}}]
    forge.reseal(made)
    assert "privacy-budget" in failures(central.verdict(made.files))["stops-possible"]


def test_a_small_clip_is_held_to_its_own_digits(tmp_path: Any) -> None:
    """A millionth either way is not nothing where the clip is a hundredth of that."""
    world = make_world(tmp_path, clip=1e-8)
    made = told(world)
    assert world.verdict(made.files).accepted
    with made.round(3) as body:
        body["privacy"]["clip"] *= 50
    forge.reseal(made)
    assert "round 3 clipped to 5e-07" in failures(world.verdict(made.files))["privacy-accounted"]


def test_rounds_beyond_the_plan_s_are_not_accounted(central: forge.World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes milliseconds, and a ledger holds eighty thousand of them."""
    counted: list[int] = []
    own = accounting.releases

    def releases(spec: Any, rounds: int, seed: int) -> list[int]:
        counted.append(rounds)
        return own(spec, rounds, seed)

    made = told(central)
    with made.lines() as lines:
        lines[-1:-1] = [{"body": lines[-2]["body"] | {"round": number}} for number in range(5, 200)]
    forge.reseal(made)
    monkeypatch.setattr(accounting, "releases", releases)
    assert "rounds-complete" in failures(central.verdict(made.files))
    assert counted == [4]


def test_without_the_package_it_is_not_run(central: forge.World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "available", lambda: False)
    verdict = central.verdict(told(central).files)
    assert outcome(verdict).outcome == "not-run" and "dp-accounting" in outcome(verdict).evidence
    assert verdict.level == "INTACT" and not verdict.accepted
