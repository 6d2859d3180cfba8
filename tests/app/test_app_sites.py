"""Clients at sites: salted digests of their rows, nodes that come back under another id, noise of a site's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.app import worker
from ftbench.app.errors import AppError
from ftbench.app.privacy import noise
from ftbench.data.digests import rows_bytes
from ftbench.run.engines.inline_grid import InlineGrid

Bench = Any  # conftest.Bench
Make = Callable[..., Bench]
SITES = {"data.source": {"kind": "sites", "sites": ["ana", "bo", "cy"]}, "federation.partition": {"kind": "sites"}}


def at_sites(bench: Bench, folder: Path) -> dict[int, dict[str, str]]:
    """The node configs of sites that hold their rows and a salt; the benchmark pins their salted digests."""
    configs: dict[int, dict[str, str]] = {}
    shares = bench.world.store.partition(bench.plan.pins["partition"]["digest"])
    folder.mkdir(exist_ok=True)
    for number, share in enumerate(shares):
        data, salt = rows_bytes([bench.world.rows[k] for k in share]), bytes([number]) * 32
        (folder / f"{number}.jsonl").write_bytes(data)
        (folder / f"{number}.salt").write_text(salt.hex() + "\n")
        bench.plan.pins["partition"]["digests"][number] = hashlib.sha256(salt + data).hexdigest()
        configs[number] = {"data": str(folder / f"{number}.jsonl")}
    bench.config["spec-hash"] = bench.plan.spec_hash
    worker._checked[bench.plan.spec_hash] = bench.plan
    return configs


def play(bench: Bench, configs: dict[int, dict[str, Any]], kind: type[InlineGrid] = InlineGrid) -> None:
    grid = bench.grid(kind)
    grid.node_configs = configs
    worker._workers.clear()
    bench.play(grid=grid)


def adapters(bench: Bench) -> list[str]:
    return [line["adapter"] for line in bench.ledger if line["event"] == "round"]


def test_rows_at_sites_end_at_the_adapter_of_rows_in_one_place(make_bench: Make, tmp_path: Path) -> None:
    together, apart = make_bench(name="together"), make_bench(SITES, name="apart")
    together.play()
    play(apart, at_sites(apart, tmp_path / "rows"))
    assert adapters(apart) == adapters(together)


@pytest.mark.parametrize(
    ("harm", "match"),
    [
        (lambda folder: (folder / "1.salt").unlink(), "salt of this site's rows cannot be read"),
        (lambda folder: (folder / "1.salt").write_text("00\n"), "salt of this site's rows is damaged"),
        (lambda folder: (folder / "1.salt").write_text("00" * 32), "does not hold the rows of partition 1"),
        (lambda folder: (folder / "1.jsonl").write_bytes(b"{}\n"), "does not hold the rows of partition 1"),
        (lambda folder: (folder / "1.jsonl").unlink(), "there is no file"),
    ],
)
def test_other_rows_or_another_salt_are_refused_at_the_first_message(
    make_bench: Make, tmp_path: Path, harm: Callable[[Path], object], match: str
) -> None:
    bench = make_bench(SITES)
    configs = at_sites(bench, tmp_path / "rows")
    harm(tmp_path / "rows")
    with pytest.raises(AppError, match=match) as refused:
        play(bench, configs)
    assert refused.value.code == "FTB546"
    assert not (bench.run_dir / "ledger.jsonl").exists()


def test_a_node_without_rows_says_that_they_are_at_their_site(make_bench: Make) -> None:
    with pytest.raises(AppError, match="rows of partition 0 are at their site"):
        play(make_bench(SITES), {})


class Moving(InlineGrid):
    """The node of partition 1 goes after round 1 and comes back under another id for round 3."""

    def push_messages(self, messages: Any) -> list[str]:
        sent = list(messages)
        if {message.metadata.group_id for message in sent} == {"2"}:
            self.partitions = {node: k for node, k in self.partitions.items() if k != 1}
            names = super().push_messages([m for m in sent if m.metadata.dst_node_id in self.partitions])
            self.partitions[99] = 1
            return [names.pop(0) if m.metadata.dst_node_id in self.partitions else "" for m in sent]
        return super().push_messages(sent)


def test_a_node_that_comes_back_under_another_id_is_found_again(make_bench: Make) -> None:
    changes = {"federation.sampling": {"fraction": 1.0}, "federation.rounds": 4}
    bench = make_bench(changes)
    play(bench, {}, Moving)
    excluded = [[one["partition"] for one in line["excluded"]] for line in bench.ledger if line["event"] == "round"]
    assert excluded == [[], [1], [], []]


class Doubled(InlineGrid):
    """After the question who is there, a node more, to which nothing may be sent: it would raise KeyError."""

    asked = False

    def get_node_ids(self) -> list[int]:
        nodes = super().get_node_ids()
        more = [99] if self.asked else []
        self.asked = True
        return nodes + more


def test_a_second_node_takes_nobodys_place(make_bench: Make) -> None:
    bench = make_bench({"federation.sampling": {"fraction": 1.0}})
    grid = bench.grid(Doubled)
    bench.play(grid=grid)
    plain = make_bench({"federation.sampling": {"fraction": 1.0}}, name="plain")
    plain.play()
    assert adapters(bench) == adapters(plain)


def test_a_run_with_noise_of_a_sites_own_says_that_it_cannot_be_made_again(
    make_bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    privacy = {"kind": "local", "clip": 1.0, "noise_multiplier": 50.0, "epsilon": 1000.0, "delta": 1e-3}
    found = []
    for name in ("seeded", "secret"):
        if name == "secret":
            monkeypatch.setenv(noise.SWITCH, "1")
        bench = make_bench({"privacy": privacy, "federation.sampling": {"fraction": 1.0}}, name=name)
        play(bench, {})
        text = (bench.run_dir / "measurements.jsonl").read_text()
        found.append('"deterministic":true' in text.replace(" ", ""))
    assert found == [True, False]
