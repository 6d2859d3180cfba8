"""Planned faults in a ledger: who was struck is drawn again, and a ledger that tells otherwise is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import forge
import pytest
from attacks_open import bring

from ftbench.app import faults as app_faults
from ftbench.result import adapter, names
from ftbench.result.documents import LedgerLine, Verdict
from ftbench.spec.implied import fault_plan
from ftbench.verify.checks import faults_planned

FAULTS: dict[str, Any] = {
    "dropout": {"probability": 0.25},
    "stragglers": {
        "seconds_per_step": 1.0,
        "mib_per_second": 0.01,
        "client_spread": 0.4,
        "round_spread": 0.4,
        "deadline_seconds": 24.0,
    },
    "corrupt": {"probability": 0.2, "damage": "random-bits"},
    "byzantine": {"clients": 2, "attack": "sign-flip", "strength": 1.0},
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    """A benchmark with every kind of fault, all clients asked, no code task and no references."""

    def change(value: dict[str, Any]) -> None:
        value["faults"] = FAULTS
        value["federation"] |= {"sampling": {"fraction": 1.0}, "min_replies": 1}
        value["evaluation"] |= {"references": {}}
        value["evaluation"]["tasks"] = value["evaluation"]["tasks"][:1]
        value["seeds"]["runs"] = [1]

    return forge.make_world(tmp_path_factory.mktemp("faulty"), change)


def settings(world: forge.World) -> Any:
    """As much of the app's settings as its faults look at."""
    spec = world.compiled.plan.spec
    return SimpleNamespace(
        spec=spec,
        seed=1,
        clients=spec["federation"]["clients"],
        local_steps=spec["training"]["local_steps"],
        reference="",
    )


def struck(world: forge.World, made: forge.Forged, number: int) -> tuple[dict[int, dict[str, Any]], set[int], Any]:
    """What the app says of a round: exclusions, damaged replies, simulated seconds."""
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    size = 4 * adapter.parameters(tensors)
    clients = list(range(6))
    found = app_faults.planned(
        settings(world), number, clients, dict.fromkeys(clients, size), dict.fromkeys(clients, size)
    )
    missing = {one["partition"]: one for one in found.excluded}
    damaged = {k for k in clients if k not in missing and app_faults.corrupted(settings(world), number, k)}
    return missing, damaged, found.simulated_seconds


@pytest.fixture
def told(faulty: forge.World) -> forge.Forged:
    """A genuine bundle: the app's own faults in every round."""
    made = forge.make(faulty)
    with made.result() as result:
        result |= {"references": {}, "sandbox": None}
    with made.samples("jars") as answers:
        for sample in answers:
            sample["references"] = {}
    with made.lines() as lines:
        bodies = [line["body"] for line in lines if line["body"]["event"] == "round"]
    for body in bodies:
        missing, damaged, seconds = struck(faulty, made, body["round"])
        with made.round(body["round"]) as edited:
            size = edited["bytes_down"] // 6
            sizes = faulty.compiled.plan.pins.partition.sizes
            known = {reply["partition"]: reply for reply in edited["replies"]}
            template = edited["replies"][0]
            edited["excluded"] = sorted(
                [
                    *missing.values(),
                    *({"partition": k, "reason": "not-finite", "detail": "", "planned": True} for k in damaged),
                ],
                key=lambda one: one["partition"],
            )
            edited["replies"] = [
                known.get(
                    k, template | {"partition": k, "examples": sizes[k], "update": f"{100 * body['round'] + k:064x}"}
                )
                for k in range(6)
                if k not in missing and k not in damaged
            ]
            edited["bytes_up"] = (len(edited["replies"]) + len(damaged)) * size
            edited["simulated_seconds"] = seconds
            alone = len(edited["replies"]) == 1
            edited["adapter"] = edited["replies"][0]["update"] if alone else f"{5000 + body['round']:064x}"
    forge.reseal(made)
    return made


def found(verdict: Verdict, outcome: str) -> dict[str, str]:
    return {check.check: check.evidence for check in verdict.checks if check.outcome == outcome}


def first(made: forge.Forged, suits: Callable[[dict[str, Any]], bool]) -> int:
    with made.lines() as lines:
        return next(b["round"] for b in (line["body"] for line in lines) if b["event"] == "round" and suits(b))


def test_a_genuine_ledger_is_accepted(faulty: forge.World, told: forge.Forged) -> None:
    verdict = faulty.verdict(told.files)
    assert verdict.accepted, found(verdict, "failed")
    evidence = found(verdict, "passed")["faults-planned"]
    assert evidence.startswith("drawn again from seed 1 for 4 rounds: ")
    assert " 0 dropped-out" not in evidence and " 0 late" not in evidence and " 0 damaged" not in evidence
    assert verdict.result is not None and verdict.result.exclusions == 0 and verdict.result.planned_exclusions > 3
    assert any("2 of 6 clients drawn as Byzantine" in note for note in verdict.not_checked)
    assert not any("were unusable" in note for note in verdict.not_checked), "nobody was left out unplanned"


def test_an_honest_failure_beside_planned_ones_is_accepted(faulty: forge.World, told: forge.Forged) -> None:
    number = first(told, lambda body: len(body["replies"]) > 2)
    with told.round(number) as body:
        gone = body["replies"].pop()
        body["bytes_up"] -= body["bytes_down"] // 6
        body["excluded"].append({"partition": gone["partition"], "reason": "error", "detail": "", "planned": False})
        body["excluded"].sort(key=lambda one: one["partition"])
    forge.reseal(told)
    verdict = faulty.verdict(told.files)
    assert verdict.accepted, found(verdict, "failed")
    assert any("1 replies left out were unusable" in note for note in verdict.not_checked)


def leave_out_as(reason: str) -> Callable[[forge.Forged], None]:
    """A client whose rows do not suit is said to have been struck."""

    def edit(made: forge.Forged) -> None:
        number = first(made, lambda body: len(body["replies"]) > 2)
        with made.round(number) as body:
            gone = body["replies"].pop(1)["partition"]
            sent = reason == "not-finite"
            body["bytes_up"] -= 0 if sent else body["bytes_down"] // 6
            body["excluded"].append({"partition": gone, "reason": reason, "detail": "", "planned": True})
            body["excluded"].sort(key=lambda one: one["partition"])

    return edit


def hide(reason: str) -> Callable[[forge.Forged], None]:
    """A client that was struck is said to have replied."""

    def edit(made: forge.Forged) -> None:
        def suits(body: dict[str, Any]) -> bool:
            return any(one["reason"] == reason for one in body["excluded"]) and len(body["replies"]) > 1

        with made.round(first(made, suits)) as body:
            back = next(one for one in body["excluded"] if one["reason"] == reason)
            body["excluded"].remove(back)
            body["bytes_up"] += 0 if reason == "not-finite" else body["bytes_down"] // 6
            sizes = made.world.compiled.plan.pins.partition.sizes
            more = {"partition": back["partition"], "examples": sizes[back["partition"]], "update": "ab" * 32}
            body["replies"].append(body["replies"][0] | more)
            body["replies"].sort(key=lambda one: one["partition"])

    return edit


def pass_off(reason: str, told_as: str, planned: bool) -> Callable[[forge.Forged], None]:
    def edit(made: forge.Forged) -> None:
        number = first(made, lambda body: any(one["reason"] == reason for one in body["excluded"]))
        with made.round(number) as body:
            one = next(one for one in body["excluded"] if one["reason"] == reason)
            one |= {"reason": told_as, "planned": planned}

    return edit


def hurry(made: forge.Forged) -> None:
    with made.round(1) as body:
        body["simulated_seconds"] /= 2


def no_time(made: forge.Forged) -> None:
    with made.round(2) as body:
        body["simulated_seconds"] = None


def stop_over(made: forge.Forged) -> None:
    """Asked again since, as it says, too many dropped out: other clients than the seed's."""
    asked = [{"partition": k, "reason": "dropped-out", "detail": "", "planned": True} for k in range(6)]
    with made.lines() as lines:
        stop = {"event": "stopped", "round": 1, "reason": "too-few-replies", "excluded": asked, "detail": ""}
        lines[1:1] = [
            {"seq": 0, "prev": "0" * 64, "body": stop},
            {"seq": 0, "prev": "0" * 64, "body": {"event": "resumed", "after_round": 0}},
        ]


ATTACKS: dict[str, Callable[[forge.Forged], None]] = {
    "left out as dropped out": leave_out_as("dropped-out"),
    "left out as late": leave_out_as("late"),
    "left out as damaged": leave_out_as("not-finite"),
    "dropout hidden": hide("dropped-out"),
    "lateness hidden": hide("late"),
    "damage hidden": hide("not-finite"),
    "dropout told as an error": pass_off("dropped-out", "error", False),
    "dropout told as lateness": pass_off("dropped-out", "late", True),
    "dropout told as unplanned": pass_off("dropped-out", "dropped-out", False),
    "damage told as unplanned": pass_off("not-finite", "not-finite", False),
    "simulated time halved": hurry,
    "simulated time left away": no_time,
    "stopped over clients not struck": stop_over,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_another_story_is_refused(faulty: forge.World, told: forge.Forged, name: str) -> None:
    ATTACKS[name](told)
    forge.reseal(told)
    verdict = faulty.verdict(told.files)
    assert not verdict.accepted
    failed = found(verdict, "failed")
    assert set(failed) == {"faults-planned"}, failed


def test_a_stop_over_the_clients_that_are_struck_is_accepted(faulty: forge.World, told: forge.Forged) -> None:
    """Too few replied for another reason as well, and the round was tried again."""
    missing, damaged, _ = struck(faulty, told, 1)
    excluded = [
        missing.get(k)
        or {"partition": k, "reason": "not-finite" if k in damaged else "missing", "planned": k in damaged}
        for k in range(6)
    ]
    stop_over(told)
    with told.lines() as lines:
        lines[1]["body"]["excluded"] = excluded
    forge.reseal(told)
    verdict = faulty.verdict(told.files)
    assert verdict.accepted, found(verdict, "failed")


OPEN: dict[str, Callable[[forge.Forged], None]] = {
    name: ATTACKS[name]
    for name in (
        "left out as dropped out",
        "left out as damaged",
        "dropout hidden",
        "dropout told as an error",
        "dropout told as lateness",
        "dropout told as unplanned",
        "simulated time left away",
        "stopped over clients not struck",
    )
}


def test_in_the_open_division_only_what_goes_by_bytes_is_left_open(faulty: forge.World, told: forge.Forged) -> None:
    """Who drops out is the seed's, whatever the entry's own strategy sends."""
    bring(told, "strategy")
    leave_out_as("late")(told)
    number = first(told, lambda body: any(one["reason"] == "late" for one in body["excluded"]))
    with told.lines() as lines:
        for body in (line["body"] for line in lines if line["body"]["event"] == "round"):
            late = any(one["reason"] in ("late", "dropped-out") for one in body["excluded"])
            body["simulated_seconds"] = 24.0 if late else body["simulated_seconds"]
    forge.reseal(told)
    verdict = faulty.verdict(told.files)
    assert verdict.accepted and number, found(verdict, "failed")
    assert any("missed the deadline" in note for note in verdict.not_checked)


@pytest.mark.parametrize("name", OPEN)
def test_in_the_open_division_the_seed_still_strikes(faulty: forge.World, told: forge.Forged, name: str) -> None:
    bring(told, "strategy")
    OPEN[name](told)
    forge.reseal(told)
    verdict = faulty.verdict(told.files)
    assert "faults-planned" in found(verdict, "failed") and not verdict.accepted


def test_many_stops_take_no_longer_for_many_rounds(faulty: forge.World, told: forge.Forged) -> None:
    """A ledger holds forty thousand of each; they used to be multiplied."""
    stop_over(told)
    lines = [LedgerLine.model_validate(line) for line in _lines(told)]
    started, stop, _, one, *_ = lines
    bodies = [line.model_copy(update={"body": one.body}) for line in [stop] * 1500]
    tensors = adapter.read_tensors(told.files[names.ADAPTER], "adapter")
    context: Any = SimpleNamespace(in_force=faulty.spec, tensors=tensors, lines=[started, *bodies, *[stop] * 1500])
    case = fault_plan.Case(faulty.spec.faults, 1, 6, faulty.spec.training.local_steps)
    begun = time.process_time()
    assert len(list(faults_planned._stops(context, case, False))) >= 1500
    assert time.process_time() - begun < 5


def _lines(made: forge.Forged) -> list[Any]:
    with made.lines() as lines:
        return lines
