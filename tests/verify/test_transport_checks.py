"""Transport in bundles: bytes by coding and strategy, states where there must be some, and who lies of either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import forge
import pytest

from ftbench.result import adapter
from ftbench.result.documents import Round, Verdict
from ftbench.spec.model import Spec
from ftbench.verify import traffic
from ftbench.verify.checks import state_kept

CODINGS = ("float32", "bf16", "int8")


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    """The forged benchmark with both codings as knobs."""

    def change(value: dict[str, Any]) -> None:
        value["transport"] = {"down": "float32", "up": "int8"}
        value["knobs"] |= {f"transport.{way}": {"choices": list(CODINGS)} for way in ("down", "up")}

    return forge.make_world(tmp_path_factory.mktemp("coded"), change)


def bundle(world: forge.World, down: str, up: str) -> forge.Forged:
    return forge.make(world, sets=(f"transport.down={down}", f"transport.up={up}"))


def failed(verdict: Verdict) -> list[str]:
    return [check.check for check in verdict.checks if check.outcome == "failed"]


@pytest.mark.parametrize("down", CODINGS)
@pytest.mark.parametrize("up", CODINGS)
def test_a_genuine_bundle_is_accepted(coded: forge.World, down: str, up: str) -> None:
    verdict = coded.verdict(bundle(coded, down, up).files)
    assert verdict.accepted, [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"]
    told = next(c.evidence for c in verdict.checks if c.check == "bytes-counted")
    assert f"down in {down}" in told and f"up in {up}" in told
    noted = any(f"travelled in {down} down and {up} up" in note for note in verdict.not_checked)
    assert noted == ({down, up} != {"float32"})


Edit = Callable[[dict[str, Any]], None]


def claim(direction: str, part: float) -> Edit:
    def edit(body: dict[str, Any]) -> None:
        body[f"bytes_{direction}"] = round(body[f"bytes_{direction}"] * part)

    return edit


def drop(body: dict[str, Any]) -> None:
    body["client_states"] = {}


def hide(body: dict[str, Any]) -> None:
    body["strategy_state"] = None


def invent(body: dict[str, Any]) -> None:
    body["strategy_state"] = "a" * 64
    body["client_states"] = {str(reply["partition"]): "b" * 64 for reply in body["replies"]}


def of_another(body: dict[str, Any]) -> None:
    """The state of a client that was asked and left out."""
    for client in body["sampled"]:
        body["client_states"].setdefault(str(client), "c" * 64)


@pytest.mark.parametrize(
    ("down", "up", "edit", "check"),
    [
        # int8 was asked for, and the bytes are those of float32, or the reverse.
        ("int8", "int8", claim("up", 4), "bytes-counted"),
        ("int8", "int8", claim("down", 4), "bytes-counted"),
        ("float32", "float32", claim("up", 1 / 4), "bytes-counted"),
        ("float32", "float32", claim("down", 1 / 2), "bytes-counted"),
        ("bf16", "bf16", claim("up", 1 / 2), "bytes-counted"),
        ("int8", "int8", drop, "state-kept"),
        ("int8", "int8", hide, "state-kept"),
        ("float32", "bf16", drop, "state-kept"),
        ("bf16", "float32", hide, "state-kept"),
        ("float32", "float32", invent, "state-kept"),
        ("float32", "int8", of_another, "state-kept"),
    ],
)
def test_a_sealed_forgery_falls(coded: forge.World, down: str, up: str, edit: Edit, check: str) -> None:
    made = bundle(coded, down, up)
    with made.lines() as lines:
        for line in lines:
            if line["body"]["event"] == "round":
                edit(line["body"])
    forge.reseal(made)
    verdict = coded.verdict(made.files)
    assert check in failed(verdict) and verdict.level == "INTACT"
    assert all(found.code != "FTB699" for found in verdict.checks), "a check broke off"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_scales_are_counted_too(coded: forge.World, direction: str) -> None:
    """As if one byte an element were all."""
    made = bundle(coded, "int8", "int8")
    elements = adapter.parameters(forge.tensors(4, 1))
    with made.lines() as lines:
        for line in lines:
            if line["body"]["event"] == "round":
                clients = line["body"]["sampled"] if direction == "down" else line["body"]["replies"]
                line["body"][f"bytes_{direction}"] = len(clients) * elements
    forge.reseal(made)
    assert failed(coded.verdict(made.files)) == ["bytes-counted"]


@pytest.mark.parametrize(("told", "really"), [("int8", "float32"), ("float32", "int8"), ("bf16", "int8")])
def test_another_coding_claimed_after_the_run(coded: forge.World, told: str, really: str) -> None:
    """The entry is rewritten, and all that follows from it, but not the bytes."""
    made = bundle(coded, really, really)
    with made.entry() as entry:
        entry["knobs"] |= {"transport.down": told, "transport.up": told}
    forge.reseal(made)
    assert "bytes-counted" in failed(coded.verdict(made.files))


def test_the_worst_case_is_that_of_the_coding(coded: forge.World, tmp_path: Any) -> None:
    """A budget that one round of int8 keeps and one of float32 does not."""
    per_client = {coding: forge.wire(coding, forge.tensors(4, 1)) for coding in CODINGS}
    need = sum(
        2 * per_client["int8"] * len(line["sampled"])
        for line in forge.json.loads("[" + ",".join(_rounds(bundle(coded, "int8", "int8"))) + "]")
    )

    def change(value: dict[str, Any]) -> None:
        value["budget"]["communication_mib"] = need / 2**20
        value["transport"] = {"down": "int8", "up": "int8"}
        value["knobs"] |= {f"transport.{way}": {"choices": list(CODINGS)} for way in ("down", "up")}

    tight = forge.make_world(tmp_path, change)
    assert tight.verdict(bundle(tight, "int8", "int8").files).accepted
    assert "budget-kept" in failed(tight.verdict(bundle(tight, "bf16", "int8").files))


def _rounds(made: forge.Forged) -> list[str]:
    with made.lines() as lines:
        return [forge.json.dumps(line["body"]) for line in lines if line["body"]["event"] == "round"]


SHAPES = {
    "base_model.model.m.lora_A.weight": (4, 10),
    "base_model.model.m.lora_B.weight": (7, 4),
    "base_model.model.m.lora_magnitude_vector": (7,),
}


def body(number: int, sampled: list[int], replied: list[int]) -> Round:
    digest = "0" * 64
    return Round.model_validate(
        {
            "event": "round",
            "round": number,
            "learning_rate": 0.1,
            "sampled": sampled,
            "replies": [{"partition": k, "examples": 1, "steps": 1, "loss": 1.0, "update": digest} for k in replied],
            "excluded": [{"partition": k, "reason": "error", "detail": ""} for k in sampled if k not in replied],
            "bytes_down": 0,
            "bytes_up": 0,
            "adapter": digest,
            "strategy_state": None,
            "client_states": {},
        }
    )


def spec(world: forge.World, kind: str, down: str, up: str, ranks: list[int] | None = None) -> Spec:
    from ftbench.spec.model import Strategy
    from ftbench.spec.transport import Transport

    found = world.spec
    return found.model_copy(
        update={
            "strategy": Strategy.model_construct(kind=kind),
            "transport": Transport.model_validate({"down": down, "up": up}),
            "adapter": found.adapter.model_copy(update={"client_ranks": ranks}),
        }
    )


A, B, M = 40, 28, 7
"""Elements of the three tensors at rank 4."""


@pytest.mark.parametrize(
    ("kind", "down", "up", "first", "second"),
    [
        ("fedavg", "float32", "float32", (4 * (A + B + M),) * 2, (4 * (A + B + M),) * 2),
        ("fedavg", "bf16", "int8", (2 * (A + B + M), A + B + M + 4 * (4 + 4 + 1)), None),
        ("scaffold", "float32", "bf16", (8 * (A + B + M), 4 * (A + B + M)), None),
        ("scaffold", "int8", "float32", (2 * (A + B + M + 36), 8 * (A + B + M)), None),
        ("ffa-lora", "float32", "int8", (4 * (B + M), B + M + 4 * 5), None),
        # Rank 0, then two replies of rank 4: (8, 10) and (7, 8), whose shorter side is 7.
        ("flora", "float32", "float32", (4 * M, 4 * (A + B + M)), (4 * (2 * (A + B) + M), 4 * (A + B + M))),
        ("flora", "int8", "float32", (M + 4, 4 * (A + B + M)), (2 * (A + B) + M + 4 * (8 + 7 + 1), 4 * (A + B + M))),
    ],
)
def test_bytes_of_a_client_by_hand(
    coded: forge.World, kind: str, down: str, up: str, first: tuple[int, int], second: tuple[int, int] | None
) -> None:
    rounds = [body(1, [0, 2, 5], [0, 5]), body(2, [1, 3], [1])]
    one, two = traffic.rounds(spec(coded, kind, down, up), SHAPES, rounds)
    assert one.down == dict.fromkeys([0, 2, 5], first[0]), "who does not reply is charged as well"
    assert one.up == dict.fromkeys([0, 2, 5], first[1])
    assert (two.down[1], two.up[1]) == (second or first)
    assert one.worst == 3 * sum(first)


def test_clients_of_different_ranks(coded: forge.World) -> None:
    found = spec(coded, "flexlora", "float32", "int8", [4, 2, 1])
    (due,) = traffic.rounds(found, SHAPES, [body(1, [0, 1, 2, 3], [0])])
    sizes = {rank: 10 * rank + 7 * rank + M for rank in (4, 2, 1)}
    assert due.down == {k: 4 * sizes[rank] for k, rank in enumerate([4, 2, 1, 4])}
    assert due.up == {k: sizes[rank] + 4 * (2 * rank + 1) for k, rank in enumerate([4, 2, 1, 4])}


@pytest.mark.parametrize(
    ("kind", "down", "up", "server", "clients"),
    [
        ("fedavg", "float32", "float32", False, False),
        ("fedavg", "int8", "float32", True, False),
        ("fedavg", "float32", "bf16", False, True),
        ("fedyogi", "float32", "float32", True, False),
        ("scaffold", "float32", "float32", True, True),
        ("flora", "bf16", "int8", True, False),
        ("krum", "float32", "int8", False, True),
    ],
)
def test_who_keeps_a_state(coded: forge.World, kind: str, down: str, up: str, server: bool, clients: bool) -> None:
    found = spec(coded, kind, down, up)
    assert bool(state_kept.server_keeps(found)) == server
    assert bool(state_kept.clients_keep(found)) == clients
