"""Planted divergences are found where they were planted, in at most log2 of the rounds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.replay.bisect import bisect, environments, read
from ftbench.result.documents import LedgerLine, Round

BUNDLES = Path(__file__).resolve().parents[2] / "results" / "bundles"
ROUNDS = 40
SHA = "{:064x}"
Body = dict[str, Any]


def ledger(change: Callable[[list[Body]], None] = lambda _: None, rounds: int = ROUNDS) -> list[LedgerLine]:
    """A run of two clients a round; `change` plants a divergence, after which every adapter is another."""
    bodies: list[Body] = [
        {
            "event": "started",
            "spec_hash": SHA.format(1),
            "entry": SHA.format(2),
            "base_model": SHA.format(3),
            "seed": 1,
            "clients": 4,
            "rounds": rounds,
            "trainable_parameters": 10,
            "adapter": SHA.format(4),
        }
    ]
    for number in range(1, rounds + 1):
        bodies.append(
            {
                "event": "round",
                "round": number,
                "learning_rate": 0.1,
                "sampled": [0, 2],
                "replies": [
                    {
                        "partition": k,
                        "examples": 9,
                        "used": 9,
                        "steps": 2,
                        "loss": 1.0,
                        "update": SHA.format(number * 10 + k),
                    }
                    for k in (0, 2)
                ],
                "excluded": [],
                "bytes_down": 1,
                "bytes_up": 1,
                "adapter": SHA.format(number * 1000),
                "strategy_state": None,
                "client_states": {},
                "validation_loss": None,
                "privacy": None,
                "simulated_seconds": None,
            }
        )
    change(bodies)
    return [LedgerLine(seq=i, prev=SHA.format(0), body=body) for i, body in enumerate(bodies)]


def from_round(number: int, plant: Callable[[Body], None]) -> Callable[[list[Body]], None]:
    def change(bodies: list[Body]) -> None:
        plant(bodies[number])
        for body in bodies[number:]:
            body["adapter"] = SHA.format(7_000_000 + body["round"])
        for body in bodies[number + 1 :]:  # whoever begins from another adapter ends at another update
            for reply in body["replies"]:
                reply["update"] = SHA.format(9_000_000 + body["round"] * 10 + reply["partition"])

    return change


def reply(partition: int, **fields: Any) -> Callable[[Body], None]:
    def plant(body: Body) -> None:
        next(one for one in body["replies"] if one["partition"] == partition).update(fields)

    return plant


def started(**fields: Any) -> Callable[[list[Body]], None]:
    return lambda bodies: bodies[0].update(fields)


OTHER = SHA.format(123456789)
PLANTED: list[tuple[Callable[[list[Body]], None], tuple[int | None, int | None, str]]] = [
    (started(spec_hash=OTHER), (0, None, "code")),
    (started(seed=2, entry=OTHER), (0, None, "seed")),
    (started(base_model=OTHER), (0, None, "model")),
    (from_round(1, reply(0, update=OTHER)), (1, 0, "arithmetic")),
    (from_round(40, reply(2, update=OTHER)), (40, 2, "arithmetic")),
    (from_round(17, reply(2, examples=8, used=8, update=OTHER)), (17, 2, "data")),
    (from_round(23, reply(0, used=7, update=OTHER)), (23, 0, "data")),
    (from_round(9, lambda body: body.update(learning_rate=0.2)), (9, None, "schedule")),
    (from_round(31, lambda body: body.update(sampled=[1, 2])), (31, None, "seed")),
    (from_round(28, lambda body: body["replies"].pop()), (28, None, "replies")),
    (from_round(12, lambda body: None), (12, None, "aggregation")),
]


@pytest.mark.parametrize(("change", "where"), PLANTED)
def test_each_is_found(change: Callable[[list[Body]], None], where: tuple[int | None, int | None, str]) -> None:
    found = bisect(ledger(), ledger(change))
    assert (found.round, found.partition, found.cause) == where, found
    assert found.differing
    assert found.compared <= math.ceil(math.log2(ROUNDS + 1))


def test_equal_runs_do_not_part() -> None:
    found = bisect(ledger(), ledger())
    assert found.round is None and found.cause == "nothing"
    shorter = bisect(ledger(), ledger(lambda bodies: bodies.__delitem__(slice(20, None))))
    assert shorter.round is None and shorter.rounds == [40, 19]


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_round_alone_that_differs_is_not_passed_over(number: int) -> None:
    """A loss told otherwise, or a ledger edited in one place: every later round is equal again."""
    change: Callable[[list[Body]], None] = lambda bodies: reply(2, loss=0.5)(bodies[number])  # noqa: E731
    found = bisect(ledger(), ledger(change))
    assert (found.round, found.partition) == (number, 2), found
    twice = bisect(ledger(lambda bodies: bodies[ROUNDS].update(learning_rate=9.0)), ledger(change))
    assert twice.round == number, twice


def test_what_machines_say_is_told(tmp_path: Path) -> None:
    for name, torch in (("a", "2.13.0"), ("b", "2.12.0")):
        (tmp_path / name).mkdir()
        told = {"python": "3.11", "system": "Linux", "cpu_count": 2, "devices": [], "packages": {"torch": torch}}
        (tmp_path / name / "environment.json").write_text(json.dumps(told))
    assert environments(tmp_path / "a", tmp_path / "b") == ["torch: 2.13.0 and 2.12.0"]
    assert environments(tmp_path / "a", tmp_path) == []


def test_an_environment_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    for name, text in (("a", "{}"), ("b", "[" * 10_000), ("c", '{"python": 3}'), ("d", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "environment.json").write_text(text)
        assert environments(tmp_path / name, tmp_path / "a") == []


def bundles(prefix: str) -> list[Path]:
    return sorted(path for path in BUNDLES.glob("*.zip") if path.name.startswith(prefix))


def test_real_bundles_as_they_are_handed_in() -> None:
    """Archives, as results/ keeps them: of one benchmark three seeds, which part before the first round."""
    one, two, three = map(read, bundles("quickstart-rounds3-"))
    assert bisect(one, one).cause == "nothing" and bisect(one, one).round is None
    for other in (two, three):
        found = bisect(one, other)
        assert (found.round, found.cause) == (0, "seed") and "seed: 1 and" in " ".join(found.differing)
    paths = bundles("quickstart-rounds3-")
    assert environments(paths[0], paths[0]) == []


PLANTS: list[tuple[str, Callable[[Body], None]]] = [
    ("data", lambda body: body["replies"][0].update(used=body["replies"][0]["used"] - 1)),
    ("schedule", lambda body: body.update(learning_rate=body["learning_rate"] / 2)),
    ("seed", lambda body: body["sampled"].__setitem__(0, 10_000)),
    ("arithmetic", lambda body: body["replies"][-1].update(update=OTHER)),
    ("aggregation", lambda body: body.update(adapter=OTHER)),
]
"""Five kinds, each planted into every round of a genuine run's ledger."""


@pytest.mark.parametrize(("cause", "plant"), PLANTS, ids=[name for name, _ in PLANTS])
def test_planted_into_a_genuine_ledger(cause: str, plant: Callable[[Body], None]) -> None:
    lines = read(bundles("micro-general-nlp-")[0])
    numbers = [line.body.round for line in lines if isinstance(line.body, Round)]
    assert len(numbers) >= 2
    for number in numbers:
        made = []
        for line in lines:
            value = line.model_dump(mode="json")
            if value["body"]["event"] == "round":
                if value["body"]["round"] == number:
                    plant(value["body"])
                elif value["body"]["round"] > number:  # what follows from another adapter is another
                    value["body"]["adapter"] = SHA.format(7_000_000 + value["body"]["round"])
            made.append(LedgerLine.model_validate(value))
        found = bisect(lines, made)
        assert (found.round, found.cause) == (number, cause), found
        assert found.compared <= math.ceil(math.log2(len(numbers) + 1))


def test_no_ledger_is_said_plainly(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", "bisect", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3 and "there is no ledger here" in done.stderr and "Traceback" not in done.stderr
