"""How things stand by a chain of decisions: what waits, what is accepted, who handed in how much, what is a copy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ftbench.decisions.documents import OPEN, Decision, DecisionLine, Registration
from ftbench.result.signed import Signed


def latest(lines: Sequence[DecisionLine]) -> dict[str, Decision]:
    """Bundle → the last that was decided, in the order in which they were received."""
    return {line.body.document: line.body for line in lines if line.body.event != "registered"}


def pending(lines: Sequence[DecisionLine]) -> list[Decision]:
    """What waits for a decision, oldest first."""
    waiting: dict[str, Decision] = {}
    for line in lines:
        waiting.pop(line.body.document, None)
        if line.body.event in OPEN:
            waiting[line.body.document] = line.body
    return list(waiting.values())


def accepted(lines: Sequence[DecisionLine]) -> list[Decision]:
    """What stands: accepted, and carried since."""
    return [body for body in latest(lines).values() if body.event in ("accepted", "carried")]


def identical(lines: Sequence[DecisionLine], adapter: str | None, answers: str | None, document: str) -> list[str]:
    """Earlier submissions with the same adapter or the same answers, each once, in the order they were received."""
    found = [
        line.body.submission
        for line in lines
        if line.body.event == "received"
        and line.body.document != document
        and line.body.submission is not None
        and ((adapter and line.body.adapter == adapter) or (answers and line.body.answers == answers))
    ]
    return list(dict.fromkeys(found))


def withdrawn(lines: Sequence[DecisionLine], names: Collection[str]) -> list[str]:
    """Those of some submissions of which a bundle was withdrawn, in their order."""
    gone = {body.submission for body in latest(lines).values() if body.event == "withdrawn"}
    return [name for name in names if name in gone]


@dataclass(frozen=True, slots=True)
class Record:
    """What a signer has handed in and registered."""

    handed_in: int
    """Other bundles of this benchmark, the refused and withdrawn ones too."""
    registered: int
    """Registrations of this benchmark."""


def record(
    lines: Sequence[DecisionLine], who: Signed | None, spec_hash: str | None, document: str = ""
) -> Record | None:
    """What the owner of a key has handed in beside this document; None where nobody signed."""
    if who is None:
        return None
    own = [
        line.body.event
        for line in lines
        if line.body.document != document
        and line.body.submitter is not None
        and line.body.submitter.key == who.key
        and line.body.spec_hash == spec_hash
    ]
    return Record(own.count("received"), own.count("registered"))


def registered(
    lines: Sequence[DecisionLine],
    registrations: Mapping[str, Registration],
    who: Signed | None,
    run: tuple[str | None, str | None, int | None],
    before: Collection[str] = (),
) -> str | None:
    """The registration that a run stands in, by the same key: its digest; None where there is none.

    `run`: spec hash, entry and seed. It must have been registered before the bundle was received. `before`: only lines
    up to the reception of one of these bundles count; empty: all lines.
    """
    for line in lines:
        body = line.body
        if body.document in before:
            return None
        known = registrations.get(body.document) if body.event == "registered" else None
        if known is None or who is None or body.submitter is None or body.submitter.key != who.key:
            continue
        spec_hash, entry, seed = run
        if known.spec_hash == spec_hash and any((one.entry, one.seed) == (entry, seed) for one in known.runs):
            return body.document
    return None
