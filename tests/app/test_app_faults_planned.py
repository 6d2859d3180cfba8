"""Faults that the spec plans: drawn from the seed alone, the same again anywhere, of the size that was asked for."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from ftbench.app import faults
from ftbench.app.faults import attackers, corrupted, marked, planned, spoil
from ftbench.spec.faults import Faults
from ftbench.spec.implied import fault_plan
from ftbench.spec.implied.fault_plan import Case

MIB = 2**20
STRAGGLERS = {
    "seconds_per_step": 1.0,
    "mib_per_second": 0.5,
    "client_spread": 0.7,
    "round_spread": 0.3,
    "deadline_seconds": 20.0,
}
ALL = {
    "dropout": {"probability": 0.2},
    "stragglers": STRAGGLERS,
    "corrupt": {"probability": 0.3, "damage": "random-bits"},
    "byzantine": {"clients": 3, "attack": "noise", "strength": 2.0},
}


def settings(block: dict[str, Any] | None, *, clients: int = 10, seed: int = 1, reference: str = "") -> Any:
    whole = None if block is None else {**dict.fromkeys(ALL), **block}
    return SimpleNamespace(
        spec={"faults": whole}, clients=clients, seed=seed, local_steps=8, reference=reference, virtual=False
    )


def sizes(clients: int, each: int = MIB) -> dict[int, int]:
    return dict.fromkeys(range(clients), each)


def struck(wanted: Any, number: int, each: int = MIB) -> dict[int, str]:
    every = sizes(wanted.clients, each)
    return {e["partition"]: e["reason"] for e in planned(wanted, number, list(every), every, every).excluded}


def adapter(seed: int) -> dict[str, Any]:
    drawn = numpy.random.default_rng(seed)
    shapes = {"a.lora_A": (2, 8), "a.lora_B": (8, 2), "b.lora_A": (2, 3)}
    return {name: drawn.standard_normal(shape).astype(numpy.float32) for name, shape in shapes.items()}


# --- drawn alike ---

REPEAT = """
import json, sys
sys.path.insert(0, {here!r})
import test_app_faults_planned as t
wanted = t.settings(t.ALL, clients=40, seed=11)
told = [[sorted(t.struck(wanted, n).items()), t.attackers(wanted)] for n in range(1, 30)]
spoilt = [{{k: v.tobytes().hex() for k, v in t.spoil(wanted, n, p, t.adapter(0), t.adapter(p)).items()}}
          for n in (1, 2) for p in range(40)]
print(json.dumps([told, spoilt]))
"""


def test_two_processes_with_other_hash_seeds_draw_the_same() -> None:
    said = []
    for number in ("1", "2"):
        code = REPEAT.format(here=str(Path(__file__).parent))
        environment = {**os.environ, "PYTHONHASHSEED": number}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        said.append(done.stdout)
    assert said[0] == said[1]
    assert len(json.loads(said[0])[0]) == 29


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_verifier_draws_what_the_app_draws(seed: int) -> None:
    """Two hands, one rule."""
    clients = 3 + seed
    wanted = settings(ALL, clients=clients, seed=seed)
    case = Case(Faults.model_validate(ALL), seed, clients, wanted.local_steps)
    assert fault_plan.attackers(case) == attackers(wanted)
    for number in range(1, 40):
        asked = [client for client in range(clients) if (client + number) % 3]
        down, up = ({k: MIB * (k + ways) for k in asked} for ways in (1, 2))
        mine = planned(wanted, number, asked, down, up)
        theirs = fault_plan.strike(case, number, {k: down[k] + up[k] for k in asked})
        assert {e["partition"]: e["reason"] for e in mine.excluded} == theirs.missing
        assert mine.simulated_seconds == pytest.approx(theirs.simulated_seconds, rel=1e-12)
        present = [k for k in asked if k not in theirs.missing]
        assert {k for k in present if corrupted(wanted, number, k)} == theirs.damaged


@pytest.mark.parametrize("elements", [1, 2, 40, 5000])
def test_the_verifier_knows_which_damage_shows(elements: int) -> None:
    """Random bits are now and then a finite number: one in 256 values is not."""
    block = {"corrupt": {"probability": 0.99, "damage": "random-bits"}}
    wanted, case = settings(block, clients=4), Case(Faults.model_validate(block), 1, 4, 8)
    seen = set()
    for number in range(1, 60):
        for client in range(4):
            if not corrupted(wanted, number, client):
                continue
            reply = {"b": numpy.zeros(elements - elements // 2, "f4"), "a": numpy.zeros(elements // 2, "f4")}
            sent = spoil(wanted, number, client, {}, reply)
            shows = any(not numpy.isfinite(array).all() for array in sent.values())
            assert shows == fault_plan.damage_shows(case, number, client, elements)
            seen.add(shows)
    assert seen == ({True} if elements == 5000 else {True, False})


def test_other_seeds_and_rounds_draw_others() -> None:
    rounds = {tuple(struck(settings(ALL, clients=50), n)) for n in range(1, 20)}
    runs = {tuple(struck(settings(ALL, clients=50, seed=s), 1)) for s in range(20)}
    hostile = {tuple(attackers(settings(ALL, clients=50, seed=s))) for s in range(20)}
    assert len(rounds) == 19 and len(runs) == len(hostile) == 20


def test_who_else_is_asked_changes_nothing_for_a_client() -> None:
    wanted, every = settings(ALL, clients=30), sizes(30)
    alone = {k: [e["reason"] for e in planned(wanted, 5, [k], {k: MIB}, {k: MIB}).excluded] for k in range(30)}
    together = {e["partition"]: e["reason"] for e in planned(wanted, 5, list(every), every, every).excluded}
    assert {k: found[0] for k, found in alone.items() if found} == together


# --- as large as asked for ---


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
def test_dropouts_are_as_frequent_as_the_spec_says_and_independent(probability: float) -> None:
    wanted = settings({"dropout": {"probability": probability}}, clients=20)
    table = numpy.array([[k in struck(wanted, number) for k in range(20)] for number in range(1, 1001)])
    error = math.sqrt(probability * (1 - probability) / table.size)
    assert abs(table.mean() - probability) < 4 * error
    by_client, by_round = table.mean(axis=0), table.mean(axis=1)
    assert numpy.abs(by_client - probability).max() < 5 * math.sqrt(probability * (1 - probability) / 1000)
    # Binomial over 20 clients: neither the same for everyone nor evened out.
    assert by_round.var() == pytest.approx(probability * (1 - probability) / 20, rel=0.2)
    assert set(struck(wanted, 1).values()) <= {"dropped-out"}


def test_corrupt_replies_are_as_frequent_as_the_spec_says() -> None:
    wanted = settings({"corrupt": {"probability": 0.25, "damage": "nan"}}, clients=20)
    table = [corrupted(wanted, number, k) for number in range(1, 501) for k in range(20)]
    assert abs(numpy.mean(table) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / len(table))


@pytest.mark.parametrize(("spread", "deadline"), [(0.5, 8.0), (0.5, 12.0), (1.0, 4.0)])
def test_lateness_follows_the_log_normal_law(spread: float, deadline: float) -> None:
    """Without bytes a client's time is 8 s times a log-normal factor with median 1."""
    block = {**STRAGGLERS, "client_spread": spread, "round_spread": 0.0, "deadline_seconds": deadline}
    wanted = settings({"stragglers": block}, clients=20_000)
    share = len(struck(wanted, 1, each=0)) / wanted.clients
    due = 1 - NormalDist().cdf(math.log(deadline / 8) / spread)
    assert abs(share - due) < 4 * math.sqrt(due * (1 - due) / wanted.clients)
    assert struck(wanted, 1, each=0) == struck(wanted, 2, each=0), "a client's speed is its own, not a round's"


def test_rounds_differ_where_the_spec_says_so() -> None:
    block = {**STRAGGLERS, "client_spread": 0.0, "round_spread": 1.0, "deadline_seconds": 8.0}
    wanted = settings({"stragglers": block}, clients=50)
    late = [len(struck(wanted, number, each=0)) for number in range(1, 41)]
    assert abs(numpy.mean(late) - 25) < 4 * math.sqrt(50 / 4 / 40) and len(set(late)) > 5


# --- limits ---


def test_a_deadline_is_kept_by_who_needs_just_as_long() -> None:
    """Without spread: 8 steps of 1 s and 2 MiB at 0.5 MiB/s are 12 s."""
    equal = {**STRAGGLERS, "client_spread": 0.0, "round_spread": 0.0, "deadline_seconds": 12.0}
    wanted = settings({"stragglers": equal}, clients=3)
    found = planned(wanted, 1, [0, 1, 2], sizes(3), sizes(3))
    assert (found.excluded, found.simulated_seconds) == ([], 12.0)
    tight = settings({"stragglers": {**equal, "deadline_seconds": math.nextafter(12.0, 0)}}, clients=3)
    assert set(struck(tight, 1).values()) == {"late"} and len(struck(tight, 1)) == 3


def test_a_round_waits_for_its_deadline_only_where_somebody_is_missing() -> None:
    loose = {**STRAGGLERS, "deadline_seconds": 1e9}
    alone = planned(settings({"stragglers": loose}), 1, [4], {4: MIB}, {4: MIB})
    both = planned(settings({"stragglers": loose}), 1, [3, 4], sizes(10), sizes(10))
    assert alone.simulated_seconds is not None and both.simulated_seconds is not None
    assert both.simulated_seconds >= alone.simulated_seconds
    gone = settings({"stragglers": loose, "dropout": {"probability": 0.999}}, clients=3)
    assert planned(gone, 1, [0, 1, 2], sizes(3), sizes(3)).simulated_seconds == 1e9
    assert planned(settings({"dropout": {"probability": 0.5}}), 1, [0], sizes(1), sizes(1)).simulated_seconds is None


def test_more_bytes_and_less_bandwidth_take_longer() -> None:
    wanted = settings({"stragglers": STRAGGLERS})
    little, much = (planned(wanted, 1, [0], {0: each}, {0: each}).simulated_seconds for each in (MIB, 2 * MIB))
    assert little is not None and much is not None and little < much


def test_who_dropped_out_is_not_late_as_well() -> None:
    tight = {**STRAGGLERS, "deadline_seconds": 1e-6}
    found = struck(settings({"stragglers": tight, "dropout": {"probability": 0.5}}, clients=200), 1)
    assert len(found) == 200 and set(found.values()) == {"dropped-out", "late"}


@pytest.mark.parametrize("reference", ["fault-free", "centralised", "local"])
def test_a_reference_has_no_faults(reference: str) -> None:
    wanted = settings(ALL, reference=reference)
    every = sizes(10)
    assert planned(wanted, 1, list(every), every, every) == faults.Planned()
    assert attackers(wanted) == [] and not corrupted(wanted, 1, 0)
    reply = adapter(1)
    assert spoil(wanted, 1, 0, adapter(0), reply) is reply


def test_without_faults_nothing_happens() -> None:
    for block in (None, {}):
        wanted = settings(block)
        assert planned(wanted, 1, [0], {0: 1}, {0: 1}) == faults.Planned()
        assert spoil(wanted, 1, 0, {}, reply := adapter(1)) is reply


# --- attacks ---


def reference(block: dict[str, Any], start: Any, end: Any, z: Any) -> Any:
    """A few lines of numpy that know nothing of the app."""
    start, end = start.astype("f8"), end.astype("f8")
    change = end - start
    if block["attack"] == "sign-flip":
        return start - block["strength"] * change
    if block["attack"] == "scale":
        return start + block["strength"] * change
    return end + block["strength"] * math.sqrt((change**2).mean()) * z


@pytest.mark.parametrize("attack", ["sign-flip", "scale", "noise"])
@pytest.mark.parametrize("strength", [0.5, 1.0, 10.0])
def test_attacks_equal_their_reference(attack: str, strength: float) -> None:
    block = {"clients": 4, "attack": attack, "strength": strength}
    wanted = settings({"byzantine": block}, clients=9)
    hostile = attackers(wanted)
    assert len(hostile) == 4 and hostile == sorted(set(hostile))
    begun, trained = adapter(0), adapter(1)
    for client in range(9):
        sent = spoil(wanted, 7, client, begun, trained)
        if client not in hostile:
            assert sent is trained
            continue
        drawn = numpy.random.default_rng([1, 7, int.from_bytes(b"ATTK", "big"), client])
        for name in sorted(trained):
            z = drawn.standard_normal(trained[name].shape)
            numpy.testing.assert_allclose(sent[name], reference(block, begun[name], trained[name], z), rtol=1e-6)
            assert sent[name].dtype == numpy.float32


def test_noise_is_as_large_as_the_spec_says() -> None:
    wanted = settings({"byzantine": {"clients": 1, "attack": "noise", "strength": 3.0}}, clients=1)
    begun, trained = ({"w": numpy.full((200, 500), value, "f4")} for value in (1.0, 1.5))
    added = spoil(wanted, 1, 0, begun, trained)["w"] - 1.5
    assert added.std() == pytest.approx(3.0 * 0.5, rel=0.01) and abs(added.mean()) < 0.02
    again = spoil(wanted, 2, 0, begun, trained)["w"] - 1.5
    assert abs(numpy.corrcoef(added.ravel(), again.ravel())[0, 1]) < 0.02


def test_what_did_not_change_stays_and_what_was_not_received_counts_from_zero() -> None:
    wanted = settings({"byzantine": {"clients": 1, "attack": "sign-flip", "strength": 1.0}}, clients=1)
    begun, reply = adapter(0), adapter(0)
    reply["a.lora_B"] = reply["a.lora_B"] + 1
    reply["control"] = numpy.ones(3, "f4")
    reply["b.lora_A"] = numpy.ones((1, 3), "f4")
    sent = spoil(wanted, 1, 0, begun, reply)
    numpy.testing.assert_array_equal(sent["a.lora_A"], begun["a.lora_A"])
    numpy.testing.assert_allclose(sent["a.lora_B"], begun["a.lora_B"] - 1, rtol=1e-6)
    numpy.testing.assert_array_equal(sent["control"], -reply["control"])
    numpy.testing.assert_array_equal(sent["b.lora_A"], -numpy.ones((1, 3)))


def test_an_attack_beyond_float32_is_not_finite_and_no_warning() -> None:
    wanted = settings({"byzantine": {"clients": 1, "attack": "scale", "strength": 1e39}}, clients=1)
    sent = spoil(wanted, 1, 0, {}, {"w": numpy.ones(2, "f4")})
    assert numpy.isinf(sent["w"]).all()


def test_damage_leaves_the_clients_own_arrays_alone() -> None:
    for damage in ("nan", "random-bits"):
        wanted = settings({"corrupt": {"probability": 0.999, "damage": damage}}, clients=1)
        reply = adapter(1)
        sent = spoil(wanted, 1, 0, adapter(0), reply)
        assert all(numpy.isfinite(array).all() for array in reply.values())
        assert {name: array.shape for name, array in sent.items()} == {n: a.shape for n, a in reply.items()}
        if damage == "nan":
            assert all(numpy.isnan(array).sum() == 1 for array in sent.values())


def test_only_what_was_planned_is_marked_so() -> None:
    wanted = settings({"corrupt": {"probability": 0.5, "damage": "nan"}}, clients=40)
    told = [{"partition": k, "reason": "not-finite", "detail": ""} for k in range(40)]
    assert [one["planned"] for one in marked(wanted, 3, told)] == [corrupted(wanted, 3, k) for k in range(40)]
    crashed = [{"partition": k, "reason": "error", "detail": ""} for k in range(40)]
    assert not any(one["planned"] for one in marked(wanted, 3, crashed))
    late = {"partition": 0, "reason": "late", "detail": "", "planned": True}
    assert marked(wanted, 3, [late]) == [late]
