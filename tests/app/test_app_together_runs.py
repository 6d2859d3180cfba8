"""Runs whose clients train together: near the runs whose clients take turns, for every strategy and kind of privacy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from safetensors.numpy import load_file
from test_app_processes import ALL, KINDS

from ftbench.app import client_app, together_steps, training, worker
from ftbench.app.errors import AppError
from ftbench.run.engines.inline_grid import InlineGrid
from ftbench.run.engines.inline_together import TogetherGrid

MakeBench = Callable[..., Any]


def played(bench: Any, most: int = 1) -> tuple[Any, list[dict[str, Any]]]:
    """The final adapter as one vector, and the ledger's rounds."""

    def grid(client: Any, config: Any, clients: int) -> InlineGrid:
        if most == 1:
            return InlineGrid(client, config, clients)
        return TogetherGrid(client, config, clients, most, client_app.train_together)

    bench.play(grid=bench.grid(grid))
    (adapter,) = (bench.run_dir / "adapter").glob("*.safetensors")
    arrays = load_file(adapter)
    whole = numpy.concatenate([arrays[name].ravel() for name in sorted(arrays)])
    return whole, [line for line in bench.ledger if line["event"] == "round"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_run_ends_near_the_one_whose_clients_take_turns(
    make_bench: MakeBench, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    due, turns = played(make_bench({**ALL, **KINDS[kind]}, name=f"{kind}-turns"))
    said = capsys.readouterr().out
    assert "together" not in said
    found, rounds = played(make_bench({**ALL, **KINDS[kind]}, name=f"{kind}-together"), 3)
    said = capsys.readouterr().out
    covered = kind != "flora"
    assert numpy.linalg.norm(found - due) <= 1e-5 * numpy.linalg.norm(due)
    assert [line.get("clients_together") for line in turns] == [None, None]
    assert [line.get("clients_together") for line in rounds] == ([3, 3] if covered else [None, None])
    assert ("clients 0, 1, 2: 3 together" if covered else "not together: the strategy acts beside") in said
    for one, other in zip(turns, rounds, strict=True):
        assert [reply["loss"] for reply in one["replies"]] == pytest.approx([r["loss"] for r in other["replies"]])
        assert one["bytes_up"] == other["bytes_up"]


def test_fewer_train_together_where_memory_does_not_last(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    due, _ = played(make_bench({**ALL, "federation.rounds": 1}, name="turns"))
    true = together_steps.train

    def small(net: Any, adapters: Any, clients: Any) -> Any:
        if len(clients) > 2:
            raise AppError(training.OUT_OF_MEMORY, "out of memory")
        return true(net, adapters, clients)

    monkeypatch.setattr(together_steps, "train", small)
    found, rounds = played(make_bench({**ALL, "federation.rounds": 1}, name="small"), 4)
    assert numpy.linalg.norm(found - due) <= 1e-5 * numpy.linalg.norm(due)
    assert rounds[0]["clients_together"] == 2
    assert "not enough memory together: 2, then 2" in capsys.readouterr().out


def test_a_client_that_fails_fails_alone(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    true = worker.examples_of

    def lacks(held: Any, wanted: Any, partition: int) -> Any:
        if partition == 1:
            raise AppError("FTB555", "none of the rows can be learnt from")
        return true(held, wanted, partition)

    monkeypatch.setattr(worker, "examples_of", lacks)
    _, rounds = played(make_bench({**ALL, "federation.rounds": 1}), 4)
    assert [reply["partition"] for reply in rounds[0]["replies"]] == [0, 2, 3]
    assert rounds[0]["clients_together"] == 3
    assert "none of the rows" in rounds[0]["excluded"][0]["detail"]


def test_what_fails_for_all_is_said_of_each(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(together_steps, "train", broken)
    with pytest.raises(AppError, match="broken"):
        played(make_bench({**ALL, "federation.rounds": 1}), 4)
