"""Clients of a round in several processes: one digest whatever their number, strategy and kind of privacy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftbench.app import client_app
from ftbench.run.engines.inline_grid import InlineGrid
from ftbench.run.engines.inline_processes import ProcessGrid

MakeBench = Callable[..., Any]
PRIVATE = {
    "kind": "central",
    "epsilon": 1e15,
    "delta": 0.01,
    "noise_multiplier": 0.1,
    "clipping": "fixed",
    "clip": 0.2,
    "quantile": None,
    "clip_learning_rate": None,
    "count_noise_multiplier": None,
}
ADAPTIVE = {"clipping": "adaptive", "quantile": 0.5, "clip_learning_rate": 0.5, "count_noise_multiplier": 0.2}
ALL = {"federation.clients": 4, "federation.sampling": {"fraction": 1.0}, "federation.rounds": 2}
KINDS: dict[str, dict[str, Any]] = {
    "fedavg": {"adapter.dropout": 0.1},
    "dora": {"adapter.kind": "dora", "transport.up": "int8"},
    "scaffold": {"strategy.kind": "scaffold", "strategy.server_learning_rate": 1.0},
    "flora": {"strategy.kind": "flora"},
    "ffa": {"strategy.kind": "ffa-lora"},
    "fedprox": {"strategy.kind": "fedprox", "strategy.mu": 0.5},
    "private-central": {"privacy": PRIVATE},
    "private-adaptive": {"privacy": {**PRIVATE, **ADAPTIVE}},
    "private-local": {"privacy": {**PRIVATE, "kind": "local"}},
}


def played(bench: Any, processes: int) -> list[Any]:
    def grid(*given: Any) -> InlineGrid:
        return ProcessGrid(*given, processes, client_app.warm) if processes > 1 else InlineGrid(*given)

    made = bench.grid(grid)
    bench.play(grid=made)
    if isinstance(made, ProcessGrid):
        assert len(made._crew) == processes
        made.close()
    return [line.get("adapter") for line in bench.ledger]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_digest_whatever_the_number_of_processes(make_bench: MakeBench, kind: str) -> None:
    found = [played(make_bench({**ALL, **KINDS[kind]}, name=f"{kind}-{n}"), n) for n in (1, 2, 3)]
    assert found[0][-1] is not None
    assert found[0] == found[1] == found[2]


def test_a_client_that_fails_is_a_reply_and_a_process_that_ends_is_not(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from ftbench.app import client_round

    def fails(*_: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(client_round, "carry_out", fails)
    bench = make_bench({**ALL, "federation.rounds": 1})
    with pytest.raises(Exception, match="broken"):
        played(bench, 2)
    monkeypatch.setattr(client_round, "carry_out", lambda *_: os._exit(9))
    with pytest.raises(RuntimeError, match="was ended"):
        played(make_bench({**ALL, "federation.rounds": 1}, name="ended"), 2)
