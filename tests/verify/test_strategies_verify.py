"""What a ledger must look like under strategies that choose one reply."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ftbench.app import strategy
from ftbench.result.documents import Round
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify.checks import averaging, state_kept


def line(number: int, updates: list[str], adapter: str) -> Round:
    replies = [
        {"partition": k, "examples": 4 + k, "steps": 2, "loss": 1.0, "update": update * 64}
        for k, update in enumerate(updates)
    ]
    body: dict[str, Any] = {
        "event": "round",
        "round": number,
        "learning_rate": 0.1,
        "sampled": list(range(len(updates))),
        "replies": replies,
        "excluded": [],
        "bytes_down": 0,
        "bytes_up": 0,
        "adapter": adapter * 64,
        "strategy_state": None,
        "client_states": {},
    }
    return Round.model_validate(body)


def problems(kind: str, *rounds: Round) -> list[str]:
    context = SimpleNamespace(
        rounds=rounds,
        started=SimpleNamespace(adapter="0" * 64),
        partition=SimpleNamespace(digests=["a", "b", "c"]),
        in_force=SimpleNamespace(strategy=SimpleNamespace(kind=kind), privacy=None),
    )
    return list(averaging._problems(context))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "adapter", "told"),
    [
        ("krum", "2", ""),
        ("krum", "9", "the adapter is none of the 3 updates, of which it must be one"),
        ("krum", "0", "none of the 3 updates"),
        ("multikrum", "9", ""),
        ("multikrum", "2", "the adapter is one client's update, not the mean of 3"),
        ("fedmedian", "2", "one client's update"),
        ("scaffold", "9", ""),
    ],
)
def test_what_the_next_adapter_can_be(kind: str, adapter: str, told: str) -> None:
    found = problems(kind, line(1, ["1", "2", "3"], adapter))
    assert told in "; ".join(found)
    assert bool(found) == bool(told)


@pytest.mark.parametrize("kind", ["fedavg", "fedmedian", "fedtrimmedavg"])
def test_of_one_reply_nothing_else_can_be_made(kind: str) -> None:
    assert problems(kind, line(1, ["1"], "1")) == []
    (told,) = problems(kind, line(1, ["1"], "9"))
    assert "not the only update" in told


def test_a_krum_run_whose_clients_go_on_from_the_reply_chosen() -> None:
    assert problems("krum", line(1, ["1", "2", "3"], "2"), line(2, ["4", "5", "6"], "6")) == []
    (copied, *_) = problems("krum", line(1, ["1", "2", "3"], "2"), line(2, ["4", "2", "6"], "6"))
    assert "client 1 sent back the adapter that it was sent" in copied


def test_the_states_expected_are_those_that_strategies_keep() -> None:
    """Two hands, one rule: which kinds the app has clients keep a state for."""
    keeping = {kind for kind in STRATEGIES if strategy.find_strategy(kind).keeps_client_state}
    assert keeping == {kind for kind, one in STRATEGIES.items() if one.client_keeps} == {"scaffold"}


@pytest.mark.parametrize(
    ("server", "clients", "told"),
    [
        ("f", ["0", "1", "2"], ""),
        (None, ["0", "1", "2"], "no state of the server, which keeps scaffold"),
        ("f", [], "states of 0 clients, of whose 3 usable replies 3 leave one"),
        ("f", ["0", "1"], "states of 2 clients"),
        ("f", ["0", "1", "3"], "states of 3 clients"),
    ],
)
def test_a_round_of_scaffold_names_the_state_of_the_server_and_of_each_reply(
    server: str | None, clients: list[str], told: str
) -> None:
    body = line(1, ["1", "2", "3"], "9").model_copy(
        update={"strategy_state": server and server * 64, "client_states": dict.fromkeys(clients, "e" * 64)}
    )
    found = list(state_kept._round(body, ["scaffold"], ["scaffold"]))
    assert told in "; ".join(found)
    assert bool(found) == bool(told)
