"""Where two runs of one entry part: the first round, then the first client, and what kind of thing differs there.

Ledgers name by digest all that a round began from and came to, so the first round that differs is found without doing
anything again. Of two genuine runs no round is equal any more after one whose adapter differs, so a binary search
compares at most log2 of them. Ledgers can say otherwise: of a round that differs in a loss alone, or that somebody
edited, the next may be equal. So before an answer all rounds ahead of it are looked at, and only then called equal.
Which of two updates comes out again, this cannot say: `ftbench verify --spot` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import ledger, names, safejson
from ftbench.result.documents import Environment, LedgerLine, Round, Started
from ftbench.result.files import BUNDLE
from ftbench.result.opening import is_archive, open_bundle
from ftbench.spec.primitives import Block

MAX_ENVIRONMENT = 2**20
"""Bytes of an environment.json that are read."""

Cause = Literal["nothing", "code", "entry", "model", "seed", "data", "schedule", "replies", "arithmetic", "aggregation"]


class Divergence(Block):
    """`ftbench bisect`: where two runs part."""

    format: Literal["ftbench/output/bisect/v1"] = "ftbench/output/bisect/v1"
    """Format of this document."""
    rounds: list[int]
    """Committed rounds of each."""
    compared: int
    """Rounds that were compared to find the first that differs: log2 of them, or as many as lie up to it where a later
    one is equal again."""
    round: int | None
    """The first round that differs; 0: the conditions of the run; null: none of those that both have."""
    partition: int | None
    """The first client of it whose reply differs; null: none does, or the round itself was asked otherwise."""
    cause: Cause
    """What differs: `code` (the benchmark's), `entry`, `model`, `seed`, `data` (rows held or used), `schedule` (the
    learning rate), `replies` (who replied), `arithmetic` (the same question, another update), `aggregation` (the same
    replies, another adapter)."""
    differing: list[str]
    """Fields that differ there, with both values."""
    environments: list[str] = []
    """What the two say of their machines, where that differs."""


def read(path: Path) -> list[LedgerLine]:
    """The ledger of a run's folder, of a bundle (a folder or an archive), or the file itself. Raises InvalidInput where
    there is none, or it does not hold together."""
    if is_archive(path):
        data = open_bundle(path).files.get(names.LEDGER)
        if data is not None:
            return ledger.chained(data, f"{path}: {names.LEDGER}")
    named = path.is_file() and not is_archive(path)
    for one in [path] if named else [path / names.LEDGER, path / BUNDLE / names.LEDGER]:
        if one.is_file():
            return ledger.read(one, drop_torn=True)
    hint = "give a run's folder, a bundle (its folder or archive), or a ledger.jsonl"
    raise InvalidInput(Diagnostic(codes.BAD_LEDGER, "there is no ledger here", Place(str(path)), hint))


def bisect(one: Sequence[LedgerLine], other: Sequence[LedgerLine]) -> Divergence:
    """Where two ledgers part."""
    rounds = [[line.body for line in lines if isinstance(line.body, Round)] for lines in (one, other)]
    counts = [len(found) for found in rounds]
    begun = [next((line.body for line in lines if isinstance(line.body, Started)), None) for lines in (one, other)]
    if begun[0] is not None and begun[1] is not None and begun[0] != begun[1]:
        differing = _fields(begun[0].model_dump(), begun[1].model_dump())
        return Divergence(
            rounds=counts, compared=0, round=0, partition=None, cause=_of_start(differing), differing=_told(differing)
        )
    low, high, compared = 0, min(counts), 0
    # All rounds below `low` are equal; where `high` is a round of both, it differs.
    while low < high:
        middle, compared = (low + high) // 2, compared + 1
        if rounds[0][middle] == rounds[1][middle]:
            low = middle + 1
        else:
            high = middle
    earlier = next((i for i in range(low) if rounds[0][i] != rounds[1][i]), None)
    if earlier is not None:
        low, compared = earlier, earlier + 1
    if low == min(counts):
        return Divergence(rounds=counts, compared=compared, round=None, partition=None, cause="nothing", differing=[])
    cause, partition, differing = _of_round(rounds[0][low], rounds[1][low])
    return Divergence(
        rounds=counts, compared=compared, round=low + 1, partition=partition, cause=cause, differing=_told(differing)
    )


def environments(one: Path, other: Path) -> list[str]:
    """What two runs say of their machines, where it differs; empty where one says nothing that can be read: it stands
    beside what the ledgers say, which is true without it."""
    found = []
    for path in (one, other):
        try:
            told = safejson.parse_model(_environment(path), Environment, names.ENVIRONMENT, max_bytes=MAX_ENVIRONMENT)
        except InvalidInput:
            return []
        found.append(told.model_dump(mode="json"))
    packages = _fields(found[0].pop("packages"), found[1].pop("packages"))
    return _told({**_fields(found[0], found[1]), **packages})


def _environment(path: Path) -> bytes:
    """The document's bytes; none where there is none."""
    if is_archive(path):
        return open_bundle(path).files.get(names.ENVIRONMENT, b"")
    for place in (path / names.ENVIRONMENT, path / BUNDLE / names.ENVIRONMENT):
        if place.is_file():
            with place.open("rb") as file:
                return file.read(MAX_ENVIRONMENT + 1)
    return b""


Differing = Mapping[str, tuple[Any, Any]]


def _fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (one.get(name), other.get(name))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    }


def _of_start(differing: Differing) -> Cause:
    ways: list[tuple[str, Cause]] = [
        ("spec_hash", "code"), ("base_model", "model"), ("seed", "seed"), ("entry", "entry")
    ]  # fmt: skip
    return next((cause for name, cause in ways if name in differing), "entry")


def _of_round(one: Round, other: Round) -> tuple[Cause, int | None, dict[str, tuple[Any, Any]]]:
    asked = _fields(
        {"sampled": one.sampled, "learning_rate": one.learning_rate},
        {"sampled": other.sampled, "learning_rate": other.learning_rate},
    )
    if asked:
        return ("seed" if "sampled" in asked else "schedule"), None, asked
    replies = [{reply.partition: reply for reply in body.replies} for body in (one, other)]
    if replies[0].keys() != replies[1].keys():
        return "replies", None, {"replied": (sorted(replies[0]), sorted(replies[1]))}
    for partition in sorted(replies[0]):
        apart = _fields(replies[0][partition].model_dump(), replies[1][partition].model_dump())
        if apart:
            return ("data" if {"examples", "used"} & apart.keys() else "arithmetic"), partition, apart
    rest = _fields(one.model_dump(mode="json"), other.model_dump(mode="json"))
    rest.pop("replies", None)
    return "aggregation", None, rest


def _told(differing: Differing) -> list[str]:
    return [f"{name}: {_short(a)} and {_short(b)}" for name, (a, b) in differing.items()]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
