"""What clients keep: only what no round can need again is removed, and only in a folder that is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from ftbench.app import client_state, node, settings, state
from ftbench.app.errors import AppError
from ftbench.app.strategy import base

MakeBench = Callable[..., Any]


def kept(folder: Path, value: float, second: int) -> str:
    """A state of partition 3 that was written at that second."""
    name = client_state.keep(folder, 3, {"strategy/a": numpy.full(2, value, dtype="f4")})
    os.utime(state.path_of(folder / client_state.FOLDER / "3", name), (second, second))
    return name


def held(folder: Path) -> set[str]:
    return {path.stem for path in (folder / client_state.FOLDER / "3" / "state").iterdir()}


def test_states_before_the_committed_one_go(tmp_path: Path) -> None:
    names = [kept(tmp_path, value, 100 + value) for value in range(3)]
    (tmp_path / client_state.FOLDER / "3" / "state" / ".x.safetensors.1.tmp").touch()
    os.utime(tmp_path / client_state.FOLDER / "3" / "state" / ".x.safetensors.1.tmp", (99, 99))
    found = client_state.load(tmp_path, 3, names[1])
    assert found is not None and found["strategy/a"].tolist() == [1, 1]
    assert held(tmp_path) == set(names[1:])


def test_a_visit_that_comes_late_does_not_remove_what_was_committed_since(tmp_path: Path) -> None:
    """A message of round 1 that waited in a queue is carried out after the reply to round 2's was committed."""
    committed = kept(tmp_path, 2, 200)
    assert client_state.load(tmp_path, 3, "") is None
    assert held(tmp_path) == {committed}
    old, new = kept(tmp_path, 1, 100), kept(tmp_path, 3, 300)
    client_state.load(tmp_path, 3, old)
    assert held(tmp_path) == {old, committed, new}


def test_without_a_state_dir_the_runs_folder_must_be_there(make_bench: MakeBench, tmp_path: Path) -> None:
    """A site elsewhere does not make itself a folder where the server has its run."""
    bench = make_bench()
    wanted = settings.read(bench.config, bench.plan)
    with pytest.raises(AppError, match="state-dir") as refused:
        client_state.root(wanted)
    assert refused.value.code == "FTB540"
    bench.run_dir.mkdir()
    assert client_state.root(wanted) == bench.run_dir
    assert client_state.root(wanted, str(tmp_path / "site")).parent == tmp_path / "site"


@pytest.mark.parametrize(("value", "said"), [("site/state", "not absolute"), (3, "must be a path in quotes")])
def test_a_state_dir_is_a_whole_path(make_bench: MakeBench, value: Any, said: str) -> None:
    bench = make_bench()
    with pytest.raises(AppError, match=said):
        node.applied(settings.read(bench.config, bench.plan), {"state-dir": value})


def test_a_state_that_the_strategy_did_not_announce_is_not_lost_silently(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a strategy of the open division may, that forgot `keeps_client_state`."""
    monkeypatch.setattr(base.Strategy, "reply", lambda self, received, trained, outcome, state: (trained, trained))
    bench = make_bench({"federation.rounds": 1})
    with pytest.raises(AppError, match="keeps_client_state"):
        bench.play()
    monkeypatch.setattr(base.Strategy, "keeps_client_state", True)
    bench.play(resume=True)
    committed = bench.ledger[-2]
    assert committed["client_states"].keys() == {str(partition) for partition in committed["sampled"]}
