"""The level SPOT-RUN: evidence is held to the draw, to the bundle and to what was measured of machines."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import forge
import pytest

from ftbench.result.documents import Answer, Verdict
from ftbench.result.names import LEDGER
from ftbench.spec.model import SpotRule
from ftbench.verify.checks.spot_items import escape
from ftbench.verify.context import Context
from ftbench.verify.draw import draw, stratified, validations
from ftbench.verify.evidence import AggregationAgain, ClientAgain, Evidence, ItemAgain, Machine, ValidationAgain
from ftbench.verify.verifier import checks, climb

NONCE = "00" * 16
Change = Callable[[Evidence], dict[str, Any]]


@pytest.fixture(scope="module")
def climbed(world: forge.World) -> tuple[Context, Verdict]:
    """A genuine bundle at RESCORED."""
    context = world.context(forge.make(world).files)
    verdict = climb(context, "SPOT-RUN", checks(context))
    assert verdict.level == "RESCORED"
    return context, verdict


def evidence(context: Context, nonce: str = NONCE) -> Evidence:
    """What an honest spot-run of this bundle would find: what the bundle says."""
    machine = Machine(device="cpu", threads=1, packages={})
    empty = Evidence(
        bundle=context.manifest_digest,
        nonce=nonce,
        machine=machine,
        keep_every=1,
        items=[],
        clients=[],
        aggregations=[],
    )
    context.spot = empty
    context.__dict__.pop("drawn", None)
    replies = {(body.round, reply.partition): reply for body in context.rounds for reply in body.replies}
    by_round = {body.round: body for body in context.rounds}
    samples = {task: context.samples[task] for task in context.drawn.items}
    return empty.model_copy(
        update={
            "items": [
                ItemAgain(
                    task=task,
                    index=index,
                    item=samples[task][index].item,
                    untuned=samples[task][index].untuned,
                    tuned=samples[task][index].tuned,
                    untuned_steps=[(0, 5.0)],
                    tuned_steps=[(0, 5.0)],
                )
                for task, indices in sorted(context.drawn.items.items())
                for index in indices
            ],
            "clients": [
                ClientAgain(
                    round=number,
                    partition=client,
                    update=replies[number, client].update,
                    loss=replies[number, client].loss,
                    state=by_round[number].client_states.get(str(client), ""),
                    distance=0.0,
                )
                for number, client in context.drawn.clients
            ],
            "aggregations": [
                AggregationAgain(
                    round=number, adapter=by_round[number].adapter, state=by_round[number].strategy_state or ""
                )
                for number in context.drawn.aggregations
            ],
            "validations": [
                ValidationAgain(round=number, loss=by_round[number].validation_loss)
                for number in context.drawn.validations
            ],
        }
    )


def judged(climbed: tuple[Context, Verdict], change: Change = lambda _: {}) -> tuple[str, dict[str, tuple[str, str]]]:
    """Level, and what the checks of a spot-run say of changed evidence."""
    context, before = climbed
    found = evidence(context)
    context.spot = found.model_copy(update=change(found))
    context.__dict__.pop("drawn", None)
    made = {one.check: one for one in before.checks}
    verdict = climb(context, "SPOT-RUN", checks(context), made)
    return verdict.level, {one.check: (one.outcome, one.evidence) for one in verdict.checks if one.level == "SPOT-RUN"}


def first(items: list[Any], **update: Any) -> list[Any]:
    return [items[0].model_copy(update=update), *items[1:]]


def last(items: list[Any], **update: Any) -> list[Any]:
    return [*items[:-1], items[-1].model_copy(update=update)]


def test_an_honest_run_reaches_the_level(climbed: tuple[Context, Verdict]) -> None:
    level, found = judged(climbed)
    assert level == "SPOT-RUN" and {outcome for outcome, _ in found.values()} == {"passed"}
    assert "50 items" in found["spot-drawn"][1] or "items" in found["spot-drawn"][1]


def test_clients_that_trained_beside_others_are_told_of(
    climbed: tuple[Context, Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = climbed
    beside = [body.model_copy(update={"clients_together": 2}) for body in context.rounds]
    before = len(context.notes)
    judged(climbed)
    assert not [note for note in context.notes[before:] if "beside others" in note]
    monkeypatch.setattr(type(context), "rounds", property(lambda _: beside))
    assert judged(climbed)[0] == "SPOT-RUN"
    assert [note for note in context.notes if "beside others on one device" in note]
    del context.notes[before:]


def test_without_evidence_no_check_of_it_is_made(climbed: tuple[Context, Verdict]) -> None:
    assert not [one for one in climbed[1].checks if one.level == "SPOT-RUN"]


def likelihood(found: Evidence) -> list[Any]:
    place = next(i for i, one in enumerate(found.items) if one.tuned.loglikelihoods)
    item = found.items[place]
    moved = [value - 0.01 for value in item.tuned.loglikelihoods or []]
    again = item.tuned.model_copy(update={"loglikelihoods": moved})
    return [*found.items[:place], item.model_copy(update={"tuned": again}), *found.items[place + 1 :]]


@pytest.mark.parametrize(
    ("check", "outcome", "change"),
    [
        ("spot-drawn", "failed", lambda e: {"bundle": "ab" * 32}),
        ("spot-drawn", "failed", lambda e: {"items": e.items[1:]}),
        ("spot-drawn", "failed", lambda e: {"clients": []}),
        ("spot-drawn", "failed", lambda e: {"aggregations": []}),
        ("spot-drawn", "failed", lambda e: {"nonce": "5a" * 16}),
        ("spot-drawn", "not-run", lambda e: {"machine": e.machine.model_copy(update={"device": "cuda"})}),
        ("spot-items", "failed", lambda e: {"items": first(e.items, item="cd" * 32)}),
        ("spot-items", "failed", lambda e: {"items": likelihood(e)}),
        ("spot-clients", "failed", lambda e: {"clients": first(e.clients, update="cd" * 32, distance=None)}),
        ("spot-clients", "failed", lambda e: {"clients": first(e.clients, update="cd" * 32, distance=0.5)}),
        ("spot-clients", "failed", lambda e: {"clients": first(e.clients, loss=9.0)}),
        ("spot-clients", "failed", lambda e: {"clients": first(e.clients, state="cd" * 32)}),
        ("spot-clients", "not-run", lambda e: {"clients": first(e.clients, update=None, reason="not kept")}),
        ("spot-clients", "passed", lambda e: {"clients": first(e.clients, update="cd" * 32, distance=1e-6)}),
        ("spot-aggregations", "failed", lambda e: {"aggregations": first(e.aggregations, adapter="cd" * 32)}),
        ("spot-aggregations", "failed", lambda e: {"aggregations": first(e.aggregations, state="cd" * 32)}),
        ("spot-drawn", "failed", lambda e: {"keep_every": 2}),
        ("spot-drawn", "failed", lambda e: {"validations": []}),
        ("spot-aggregations", "failed", lambda e: {"aggregations": last(e.aggregations, adapter="cd" * 32)}),
        ("spot-validations", "failed", lambda e: {"validations": first(e.validations, loss=0.5)}),
        ("spot-validations", "failed", lambda e: {"validations": last(e.validations, loss=float("nan"))}),
        ("spot-validations", "not-run", lambda e: {"validations": first(e.validations, loss=None, reason="x")}),
        ("spot-aggregations", "not-run", lambda e: {"aggregations": first(e.aggregations, adapter=None, reason="x")}),
    ],
)
def test_each_check_catches_its_own(climbed: tuple[Context, Verdict], check: str, outcome: str, change: Change) -> None:
    level, found = judged(climbed, change)
    assert found[check][0] == outcome, found[check]
    assert level == ("SPOT-RUN" if outcome == "passed" else "RESCORED")


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([(0, 5.0)], "failed"),  # sure of every token: the text cannot go on otherwise
        ([(0, 5.0), (1, 1e-4)], "passed"),  # nearly tied before the difference
        ([(0, 5.0), (90, 1e-4)], "failed"),  # nearly tied after it
        (None, "failed"),
    ],
)
def test_a_text_may_differ_from_a_tie_on(
    world: forge.World, steps: list[tuple[int, float]] | None, outcome: str
) -> None:
    from ftbench.verify.bands import BANDS
    from ftbench.verify.checks.spot_items import _text

    band = BANDS["cpu", "float32", None]
    found = list(_text(Answer(text="yes, it is"), Answer(text="yes. It is"), steps, band))
    assert bool(found) == (outcome == "failed"), found
    assert not list(_text(Answer(text="same"), Answer(text="same"), [], band))


def test_nobody_foresees_the_draw(climbed: tuple[Context, Verdict]) -> None:
    """Equal for equal bundle and nonce, another for another of either; every item and reply can be drawn."""
    context, _ = climbed
    sizes = {task: len(lines) for task, lines in context.samples.items()}
    rule = SpotRule(items=10, client_rounds=2, aggregations=1)
    one = draw("ab" * 32, b"n" * 16, rule, sizes, context.rounds)
    assert one == draw("ab" * 32, b"n" * 16, rule, sizes, context.rounds)
    assert one != draw("ac" * 32, b"n" * 16, rule, sizes, context.rounds)
    drawn = [draw("ab" * 32, secrets.token_bytes(16), rule, sizes, context.rounds) for _ in range(300)]
    asked = {(task, index) for one in drawn for task, indices in one.items.items() for index in indices}
    assert len(asked) == sum(sizes.values())
    assert len({client for one in drawn for client in one.clients}) == sum(len(b.replies) for b in context.rounds)
    assert all(sum(map(len, one.items.values())) >= 10 and min(map(len, one.items.values())) for one in drawn)


def test_all_rounds_that_were_kept_are_aggregated_again(climbed: tuple[Context, Verdict]) -> None:
    """The spec's number from all rounds, then every other one that the archive says was kept."""
    rounds = climbed[0].rounds

    def drawn(keep_every: int, aggregations: int = 1) -> list[int]:
        return draw("ab" * 32, b"n" * 16, SpotRule(aggregations=aggregations), {}, rounds, keep_every).aggregations

    numbers = [body.round for body in rounds]
    assert len(drawn(0)) == 1 and len(drawn(0, 2)) == 2
    assert sorted(drawn(1)) == numbers and drawn(1)[0] == drawn(0)[0]
    assert set(drawn(2)) == {drawn(0)[0]} | {number for number in numbers if number % 2}


def test_the_scored_round_is_always_validated_again(climbed: tuple[Context, Verdict]) -> None:
    context, _ = climbed
    context.spot = evidence(context)
    scored, final = context.result.checkpoint_round, context.rounds[-1].round
    for number in range(20):
        drawn = draw("ab" * 32, bytes([number]) * 16, SpotRule(), {}, context.rounds, 1)
        found = validations(drawn, SpotRule(), scored, final)
        assert scored in found and len(found) == 2 and (final == scored or final not in found)


def test_a_share_of_every_task_is_drawn() -> None:
    assert stratified({"a": 1000, "b": 10, "c": 1}, 50) == {"a": 50, "b": 1, "c": 1}
    assert stratified({"a": 3}, 50) == {"a": 3}
    assert escape(640, 64, 50) == pytest.approx(0.0041, abs=1e-4) and escape(10, 6, 5) == 0.0


def test_a_forged_share_is_caught_as_often_as_told(climbed: tuple[Context, Verdict]) -> None:
    """Forged replies in the ledger, resealed: over 200 nonces they are caught as often as they are drawn."""
    context, _ = climbed
    rule, bundle = SpotRule(client_rounds=2), "ab" * 32
    replies = [(body.round, reply.partition) for body in context.rounds for reply in body.replies]
    forged = set(replies[: len(replies) // 4 or 1])
    caught = sum(
        bool(forged & set(draw(bundle, number.to_bytes(16, "big"), rule, {"a": 1}, context.rounds).clients))
        for number in range(200)
    )
    expected = 1 - escape(len(replies), len(forged), 2)
    assert abs(caught / 200 - expected) < 3 * (expected * (1 - expected) / 200) ** 0.5
    assert context.bundle.files[LEDGER]
