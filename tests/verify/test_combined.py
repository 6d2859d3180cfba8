"""Strategy, transport, privacy and faults together: genuine bundles, and forgeries of states and clips sealed again."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import forge
import numpy
import pytest

from ftbench.app import arrays, privacy
from ftbench.app import faults as app_faults
from ftbench.app.privacy import clipping as app_clipping
from ftbench.app.privacy import noise, server
from ftbench.result import names
from ftbench.result.documents import Round, Verdict
from ftbench.spec.implied import accounting
from ftbench.verify import clipping, references

CLIENTS = range(6)
DROPOUT = {"dropout": {"probability": 0.25}}
BYZANTINE = {"byzantine": {"clients": 1, "attack": "sign-flip", "strength": 2.0}}
PRIVACY = {
    "kind": "central",
    "epsilon": 30.0,
    "delta": 0.01,
    "noise_multiplier": 3.0,
    "clipping": "adaptive",
    "clip": 0.5,
    "quantile": 0.5,
    "clip_learning_rate": 0.2,
    "count_noise_multiplier": 2.0,
}
CHANGES: dict[str, dict[str, Any]] = {
    "scaffold": {
        "strategy": {"kind": "scaffold", "server_learning_rate": 1.0},
        "transport": {"down": "float32", "up": "int8"},
        "faults": DROPOUT,
    },
    "private": {"privacy": PRIVACY, "faults": DROPOUT},
    "krum": {"strategy": {"kind": "krum", "byzantine": 1}, "faults": BYZANTINE},
}


def make_world(folder: Any, kind: str) -> forge.World:
    def change(value: dict[str, Any]) -> None:
        value |= CHANGES[kind]
        value["federation"] |= {"sampling": {"fraction": 1.0}, "min_replies": 5 if kind == "krum" else 1}
        value["evaluation"]["tasks"] = value["evaluation"]["tasks"][:1]
        value["evaluation"]["references"] = {"fault_free": True} if kind == "krum" else {}
        value["seeds"]["runs"] = [1]

    return forge.make_world(folder, change)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, forge.World]:
    return {kind: make_world(tmp_path_factory.mktemp(kind), kind) for kind in CHANGES}


def told(world: forge.World, kind: str) -> forge.Forged:
    """What an honest run of that world leaves, by the app's own faults and clips."""
    spec, sizes = world.compiled.plan.spec, world.compiled.plan.pins.partition.sizes
    settings: Any = SimpleNamespace(spec=spec, seed=1, clients=6, local_steps=1, reference="", virtual=False)
    made, draw = forge.make(world), random.Random(kind)
    per_client = {coding: forge.wire(coding, forge.tensors(4, 1)) for coding in ("float32", "int8")}
    copies = 2 if kind == "scaffold" else 1
    clip = numpy.float32(PRIVACY["clip"])
    for number in range(1, 5):
        with made.round(number) as body:
            nothing = dict.fromkeys(CLIENTS, 1)
            excluded = app_faults.planned(settings, number, list(CLIENTS), nothing, nothing).excluded
            gone = {one["partition"] for one in excluded}
            here = [client for client in CLIENTS if client not in gone]
            template = body["replies"][0]
            updates = {client: draw.randbytes(32).hex() for client in here}
            body["excluded"] = excluded
            body["replies"] = [
                template | {"partition": k, "examples": sizes[k], "update": update} for k, update in updates.items()
            ]
            body["bytes_down"] = 6 * copies * per_client["float32"]
            body["bytes_up"] = len(here) * copies * per_client["int8" if kind == "scaffold" else "float32"]
            body["adapter"] = updates[here[0]] if kind == "krum" else draw.randbytes(32).hex()
            if kind == "scaffold":
                body["client_states"] = {str(k): draw.randbytes(32).hex() for k in here}
                body["strategy_state"] = draw.randbytes(32).hex()
            if kind == "private":
                asked = [list(CLIENTS)] * number
                state = None if number == 1 else {app_clipping.CLIP: numpy.array([clip])}
                body["privacy"] = privacy.record(settings, asked, state)
                lengths = [draw.random() for _ in here]
                block = spec["privacy"]
                counted = noise.one(block["count_noise_multiplier"], noise.generator(1, number, noise.COUNT))
                within = server.share_within(lengths, body["privacy"]["clip"], 6, counted)
                kept = app_clipping.adapted(block, body["privacy"]["clip"], within)
                clip = kept[app_clipping.CLIP][0]
                body["strategy_state"] = arrays.digest(spec["strategy"], {"privacy/clip": kept[app_clipping.CLIP]})
    with made.samples("jars") as answers:
        for sample in answers:
            sample["references"] = {"fault-free": sample["tuned"]} if kind == "krum" else {}
    with made.result() as result:
        result |= {"references": {}, "sandbox": None}
        if kind == "private":
            terms = {name: PRIVACY[name] for name in ("kind", "delta", "noise_multiplier", "clipping")}
            result["privacy"] = terms | {"limit": PRIVACY["epsilon"], "epsilon": accounting.spending(world.spec)(4)}
    forge.reseal(made)
    if kind == "krum":  # it chose one of the honest replies each time, as it does without the attacker
        with made.round(3) as body, made.result() as result:
            body["replies"][0]["update"] = body["adapter"]
            result["references"] = {"fault-free": body["adapter"]}
        forge.reseal(made)
    return made


def failed(verdict: Verdict) -> dict[str, str]:
    assert all(check.code != "FTB699" for check in verdict.checks), "a check broke off"
    return {check.check: check.evidence for check in verdict.checks if check.outcome == "failed"}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_genuine_bundle_is_accepted(worlds: dict[str, forge.World], kind: str) -> None:
    verdict = worlds[kind].verdict(told(worlds[kind], kind).files)
    assert verdict.accepted, failed(verdict)
    assert verdict.result is not None and bool(verdict.result.planned_exclusions) == (kind != "krum")
    assert any("they are digests" in note for note in verdict.not_checked)
    assert any("covered with noise" in note for note in verdict.not_checked) == (kind == "private")


def rounds(made: forge.Forged, edit: Callable[[dict[int, Any]], None]) -> None:
    with made.lines() as lines:
        edit({line["body"]["round"]: line["body"] for line in lines if line["body"]["event"] == "round"})


def one_state_for_two_clients(found: dict[int, Any]) -> None:
    states = found[2]["client_states"]
    first, second, *_ = states
    states[second] = states[first]


def one_state_for_all_rounds(found: dict[int, Any]) -> None:
    """A client that never took its new control variate up."""
    both = sorted(found[1]["client_states"].keys() & found[2]["client_states"].keys())
    found[2]["client_states"][both[0]] = found[1]["client_states"][both[0]]


def an_update_for_a_state(found: dict[int, Any]) -> None:
    reply = found[3]["replies"][0]
    found[3]["client_states"][str(reply["partition"])] = reply["update"]


def a_server_that_stands_still(found: dict[int, Any]) -> None:
    for body in found.values():
        body["strategy_state"] = found[1]["strategy_state"]


def clients_with_the_server_s_state(found: dict[int, Any]) -> None:
    found[4]["strategy_state"] = next(iter(found[4]["client_states"].values()))


def state_of_a_client_that_dropped_out(found: dict[int, Any]) -> None:
    body = next(body for body in found.values() if body["excluded"])
    body["client_states"][str(body["excluded"][0]["partition"])] = "ab" * 32


def a_wider_clip(found: dict[int, Any]) -> None:
    """So wide that nothing was clipped, in all rounds after the first."""
    for number in (2, 3, 4):
        found[number]["privacy"]["clip"] = 100.0


def a_clip_between_two_counts(found: dict[int, Any]) -> None:
    found[4]["privacy"]["clip"] *= 1.001


def a_huge_clip(found: dict[int, Any]) -> None:
    found[2]["privacy"]["clip"] = 1.7e308


def a_tiny_clip(found: dict[int, Any]) -> None:
    found[3]["privacy"]["clip"] = 5e-324


def a_clip_that_the_state_is_not(found: dict[int, Any]) -> None:
    found[2]["strategy_state"] = "cd" * 32


def no_noise(found: dict[int, Any]) -> None:
    found[4]["replies"][0]["update"] = found[4]["adapter"]


FORGERIES: list[tuple[str, Callable[[dict[int, Any]], None], str, str]] = [
    ("scaffold", one_state_for_two_clients, "state-kept", "the state of another client"),
    ("scaffold", one_state_for_all_rounds, "state-kept", "the state of a client in round 1"),
    ("scaffold", an_update_for_a_state, "state-kept", "the state of an update"),
    ("scaffold", a_server_that_stands_still, "state-kept", "the state of the server after round 1"),
    ("scaffold", clients_with_the_server_s_state, "state-kept", "the state of a client in round 4"),
    ("scaffold", state_of_a_client_that_dropped_out, "state-kept", "usable replies"),
    ("private", a_wider_clip, "privacy-accounted", "round 2 clipped to 100"),
    ("private", a_clip_between_two_counts, "privacy-accounted", "round 4 clipped to"),
    ("private", a_huge_clip, "privacy-accounted", "round 2 clipped to"),
    ("private", a_tiny_clip, "privacy-accounted", "round 3 clipped to"),
    ("private", a_clip_that_the_state_is_not, "state-kept", "not the clip of the next round"),
    ("private", a_server_that_stands_still, "state-kept", "not the clip of the next round"),
    ("private", no_noise, "averaging", "round 4: the adapter is one client's update"),
]


@pytest.mark.parametrize(("kind", "edit", "check", "words"), FORGERIES)
def test_a_forgery_is_refused(
    worlds: dict[str, forge.World], kind: str, edit: Callable[[dict[int, Any]], None], check: str, words: str
) -> None:
    made = told(worlds[kind], kind)
    rounds(made, edit)
    forge.reseal(made)
    verdict = worlds[kind].verdict(made.files)
    assert verdict.level == "INTACT" and words in failed(verdict).get(check, ""), failed(verdict)


def test_the_only_reply_of_a_round_with_privacy_is_covered_with_noise(worlds: dict[str, forge.World]) -> None:
    made = told(worlds["private"], "private")

    def edit(found: dict[int, Any]) -> None:
        body = found[4]
        for reply in body["replies"][1:]:
            body["excluded"].append({"partition": reply["partition"], "reason": "missing", "detail": ""})
        body["excluded"].sort(key=lambda one: one["partition"])
        body["bytes_up"] //= len(body["replies"])
        del body["replies"][1:]

    rounds(made, edit)
    forge.reseal(made)
    assert worlds["private"].verdict(made.files).accepted
    rounds(made, no_noise)
    forge.reseal(made)
    found = failed(worlds["private"].verdict(made.files))
    assert set(found) == {"averaging"} and "without the noise" in found["averaging"]


def test_a_run_does_not_stop_after_its_last_round(worlds: dict[str, forge.World]) -> None:
    made = told(worlds["krum"], "krum")
    stop = {"event": "stopped", "round": 5, "reason": "operator-limit", "excluded": [], "detail": ""}
    with made.lines() as lines:
        lines[-1:-1] = [{"body": stop}, {"body": {"event": "resumed", "after_round": 4}}]
    forge.reseal(made)
    assert "stopped in round 5" in failed(worlds["krum"].verdict(made.files))["stops-possible"]


def test_fields_that_nobody_asked_for_are_no_part_of_digests(worlds: dict[str, forge.World]) -> None:
    """So a field that came later is in no digest of what was made before: ranks of clients are such a field."""
    plan, made = worlds["private"].compiled.plan, told(worlds["private"], "private")
    bundle = forge.Bundle(forge.Path("bundle"))
    bundle.add(names.ENTRY, made.files[names.ENTRY])
    context = forge.Context(bundle, worlds["private"].store, None, [])
    context.known_plan = plan
    assert context.block("adapter") == plan.spec["adapter"] and "client_ranks" not in plan.spec["adapter"]


def body(number: int, replied: list[int], gone: list[int]) -> Round:
    digest = f"{number:064x}"
    reply = {"examples": 1, "steps": 1, "loss": 1.0, "update": digest}
    left = {"reason": "dropped-out", "detail": "", "planned": True}
    return Round.model_validate(
        {
            "event": "round",
            "round": number,
            "learning_rate": 0.1,
            "sampled": sorted(replied + gone),
            "replies": [reply | {"partition": k} for k in replied],
            "excluded": [left | {"partition": k} for k in gone],
            "bytes_down": 0,
            "bytes_up": 0,
            "adapter": digest,
            "strategy_state": None,
            "client_states": {},
        }
    )


@pytest.mark.parametrize(("kind", "most"), [("fedavg", 2), ("fedmedian", 2), ("krum", 4), ("multikrum", 4)])
def test_what_a_run_without_faults_may_come_to(worlds: dict[str, forge.World], kind: str, most: int) -> None:
    """Rounds before the first fault; what leaves the attackers out may be the same to the end."""
    spec = worlds["private"].spec
    spec = spec.model_copy(update={"strategy": spec.strategy.model_copy(update={"kind": kind})})
    bodies = [body(1, [0, 1], []), body(2, [1, 2], []), body(3, [0], [4]), body(4, [0, 1], [])]
    context: Any = SimpleNamespace(in_force=spec, entry=SimpleNamespace(seed=1), rounds=bodies)
    assert references.fault_free_may_be(context) == {one.adapter for one in bodies[:most]}


def test_a_fault_free_run_is_another_once_faults_have_struck(tmp_path: Any) -> None:
    def change(value: dict[str, Any]) -> None:
        value |= {"faults": DROPOUT}
        value["federation"] |= {"sampling": {"fraction": 1.0}}
        value["evaluation"]["references"] = {"fault_free": True}
        value["evaluation"]["tasks"] = value["evaluation"]["tasks"][:1]
        value["seeds"]["runs"] = [1]

    world = forge.make_world(tmp_path, change)
    made = forge.make(world)
    with made.result() as result, made.round(2) as second:
        assert second["excluded"]
        second["excluded"][0]["planned"] = True
        result |= {"references": {"fault-free": result["adapter"]}, "sandbox": None}
    forge.reseal(made)
    assert "fault-free is that of the adapter that is scored" in failed(world.verdict(made.files))["references-named"]


@pytest.mark.parametrize("within", range(7))
def test_every_count_moves_the_clip_where_the_app_moves_it(worlds: dict[str, forge.World], within: int) -> None:
    block = worlds["private"].spec.privacy
    assert block is not None
    before = body(3, [0, 1, 2, 3, 4, 5], []).model_copy(update={"privacy": SimpleNamespace(clip=0.25)})
    counted = noise.one(2.0, noise.generator(7, 3, noise.COUNT))
    lengths = [0.1] * within + [1.0] * (6 - within)
    following = app_clipping.adapted(PRIVACY, 0.25, server.share_within(lengths, 0.25, 6, counted))
    (clip,) = following[app_clipping.CLIP].tolist()
    assert clipping.follows(block, 7, before, clip)
    assert not clipping.follows(block, 7, before, clip * 1.001)
    assert not clipping.follows(block, 8, before, clip)
