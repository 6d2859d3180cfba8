"""A node that brings its own store and rows: what it needs, what it refuses, and that it trains alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.app import worker
from ftbench.app.errors import AppError
from ftbench.data.digests import rows_bytes

Bench = Any  # conftest.Bench
Make = Callable[..., Bench]


def lists(bench: Bench) -> list[list[int]]:
    return bench.world.store.partition(bench.plan.pins["partition"]["digest"])


def own_rows(bench: Bench, partition: int, folder: Path) -> Path:
    """A file with the partition's rows."""
    path = folder / f"own-{partition}.jsonl"
    path.write_bytes(rows_bytes([bench.world.rows[number] for number in lists(bench)[partition]]))
    return path


def store_of(bench: Bench, folder: Path) -> Path:
    """A store with the base model and nothing else."""
    shutil.copytree(bench.world.store.roots[0] / "models", folder / "models")
    return folder


def play(bench: Bench, configs: dict[int, dict[str, Any]], **more: Any) -> None:
    grid = bench.grid(**more)
    grid.node_configs = configs
    worker._workers.clear()
    bench.play(grid=grid, **more)


def adapters(bench: Bench) -> list[str]:
    return [line["adapter"] for line in bench.ledger if line["event"] == "round"]


def test_sites_with_their_own_rows_end_at_the_same_adapter(make_bench: Make, tmp_path: Path) -> None:
    together, apart = make_bench(name="together"), make_bench(name="apart")
    together.play()
    lean = store_of(apart, tmp_path / "site")
    configs = {k: {"store": str(lean), "data": str(own_rows(apart, k, tmp_path))} for k in range(3)}
    # One process plays every node here, and its model is kept by the run's roots: each node's store is the same folder.
    play(apart, configs)
    assert adapters(apart) == adapters(together)
    assert not (lean / "data").exists()


def test_rows_in_the_nodes_store_need_no_data_setting(make_bench: Make, tmp_path: Path) -> None:
    together, apart = make_bench(name="together"), make_bench(name="apart")
    together.play()
    lean = store_of(apart, tmp_path / "site")
    (lean / "data").mkdir()
    for number, digest in enumerate(apart.plan.pins["partition"]["digests"]):
        own_rows(apart, number, tmp_path).rename(lean / "data" / f"{digest}.jsonl")
    play(apart, {k: {"store": str(lean)} for k in range(3)})
    assert adapters(apart) == adapters(together)


def test_the_rows_of_another_are_refused_before_the_first_round(make_bench: Make, tmp_path: Path) -> None:
    bench = make_bench()
    with pytest.raises(AppError, match=r"does not hold the rows of partition 1.*pins say") as refused:
        play(bench, {1: {"data": str(own_rows(bench, 2, tmp_path))}})
    assert refused.value.code == "FTB546"
    assert not (bench.run_dir / "ledger.jsonl").exists()


def test_rows_that_change_under_way_exclude_their_client(make_bench: Make, tmp_path: Path) -> None:
    bench = make_bench({"federation.sampling": {"fraction": 1.0}, "federation.min_replies": 2, "federation.rounds": 1})
    path = own_rows(bench, 1, tmp_path)
    grid = bench.grid()
    grid.node_configs = {1: {"data": str(path)}}
    push = grid.push_messages

    def changed(messages: Any) -> Any:
        if (bench.run_dir / "ledger.jsonl").exists():  # after the question who is there
            path.write_bytes(path.read_bytes() + b"{}\n")
        return push(messages)

    grid.push_messages = changed  # type: ignore[method-assign]
    worker._workers.clear()
    bench.play(grid=grid)
    (round_one,) = (line for line in bench.ledger if line["event"] == "round")
    assert [reply["partition"] for reply in round_one["replies"]] == [0, 2]
    (excluded,) = round_one["excluded"]
    assert excluded["partition"] == 1
    assert "does not hold the rows of partition 1" in excluded["detail"]


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"data": "/nowhere/own.jsonl"}, "FTB546.*there is no file /nowhere/own.jsonl"),
        ({"data": "own.jsonl"}, "FTB540.*not absolute"),
        ({"store": "somewhere"}, "FTB540.*not absolute"),
        ({"data": 3}, "FTB540.*must be a path in quotes"),
        ({"store": "/nowhere"}, "FTB546.*base model"),
        ({"num-partitions": 2}, "FTB545.*num-partitions is 2, the benchmark has 3"),
    ],
)
def test_a_node_config_that_cannot_be_is_refused(make_bench: Make, config: dict[str, Any], match: str) -> None:
    with pytest.raises(AppError, match=match):
        play(make_bench(), {1: config})


def test_references_do_not_ask_for_a_sites_rows(make_bench: Make) -> None:
    bench = make_bench(reference="centralised")
    grid = bench.grid()
    grid.partitions = dict(list(grid.partitions.items())[:1])
    bench.play(grid=grid)
    assert bench.ledger[-1]["event"] == "finished"
