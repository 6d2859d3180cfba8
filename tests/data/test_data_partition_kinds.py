"""Each kind of partition against its definition, and what holds of all: a disjoint cover, the same for a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbench.data.digests import partition_bytes
from ftbench.data.partition import deal, label_of
from ftbench.data.partitions.base import Shares
from ftbench.data.partitions.size_skew import sizes
from ftbench.data.skew import skew, total_variation
from ftbench.errors import InvalidInput
from ftbench.spec.canonical import sha256
from ftbench.spec.partitions import (
    DirichletPartition,
    NaturalPartition,
    Partition,
    PathologicalPartition,
    ShardPartition,
    SizeSkewPartition,
)


def dirichlet(alpha: float, draw: str = "clients", min_rows: int | None = None) -> DirichletPartition:
    block = {"kind": "dirichlet", "label": "y", "alpha": alpha, "draw": draw, "min_rows": min_rows}
    return DirichletPartition.model_validate(block)


def pathological(classes: int) -> PathologicalPartition:
    return PathologicalPartition(kind="pathological", label="y", classes=classes)


def shard(shards: int) -> ShardPartition:
    return ShardPartition(kind="shard", label="y", shards=shards)


ONE_EACH = NaturalPartition(kind="natural", group="y", deal="one-each")
IN_TURN = NaturalPartition(kind="natural", group="y", deal="in-turn")
LINEAR = SizeSkewPartition(kind="size-skew", growth="linear", ratio=5.0)
EXPONENTIAL = SizeSkewPartition(kind="size-skew", growth="exponential", ratio=8.0)

LABELS = [f'"{"abcd"[row * row % 7 % 4]}"' for row in range(240)]
"""Three labels of unlike frequency."""
USERS = [f'"u{row * row % 11}"' for row in range(240)]
EVERY: dict[str, tuple[Partition, list[str]]] = {
    "dirichlet-clients": (dirichlet(0.3), LABELS),
    "dirichlet-labels": (dirichlet(0.8, "labels", 5), LABELS),
    "pathological": (pathological(2), LABELS),
    "shard": (shard(2), LABELS),
    "natural": (IN_TURN, USERS),
    "linear": (LINEAR, []),
    "exponential": (EXPONENTIAL, []),
}
GOLDEN = {
    "dirichlet-clients": "3d449916d2db878f4ad892c87e91bd8cfecc748a488f944a905dfb32ade4320d",
    "dirichlet-labels": "c2054aaf11f5edbe9d8b7da1d61d2a093aa0c2638d281dbc252aa27774aed4fd",
    "pathological": "3e71c2f600d00c023669ce0c537c32acb39df3e162162e0cf73c3bdd7cf30eb8",
    "shard": "4272cbb9d5e458bf595e8142fba6b2ba63fc75612f3e745e7a4852eab7901a66",
    "natural": "f334e5241f852fcee5ed2af3c1a073050ed3d88215bc23dfd9c3e5fd46cedf9e",
    "linear": "187b8375532654842790574de6e522e774a81875c6a370c043521ee76058014c",
    "exponential": "e40d94b081818307d66942aa8f320566eac149abe240d2011a51a2319c05b250",
}
"""sha256 of the partition of 240 rows to 5 clients with seed 7. Another one is another benchmark for every spec."""
blocks = st.one_of(
    st.floats(0.001, 1e6).map(dirichlet),
    st.floats(0.5, 100).map(lambda alpha: dirichlet(alpha, "labels", 1)),
    st.integers(1, 4).map(pathological),
    st.integers(1, 5).map(shard),
    st.just(IN_TURN),
    st.floats(1.01, 50).map(lambda ratio: SizeSkewPartition(kind="size-skew", growth="linear", ratio=ratio)),
    st.floats(1.01, 50).map(lambda ratio: SizeSkewPartition(kind="size-skew", growth="exponential", ratio=ratio)),
)


def held(share: list[int], labels: list[str]) -> Counter[str]:
    return Counter(labels[row] for row in share)


def assert_cover(shares: Shares, rows: int, clients: int) -> None:
    assert len(shares) == clients and all(shares)
    assert sorted(row for share in shares for row in share) == list(range(rows))


@settings(max_examples=200, deadline=None)
@given(
    block=blocks,
    labels=st.lists(st.sampled_from(['"a"', '"b"', '"c"', "1"]), min_size=20, max_size=200),
    clients=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_goes_to_one_client_or_it_is_refused(
    block: Partition, labels: list[str], clients: int, seed: int
) -> None:
    try:
        shares = deal(len(labels), clients, block, seed, labels)
    except InvalidInput as error:
        assert {one.code for one in error.diagnostics} == {"FTB309"} and all(one.hint for one in error.diagnostics)
        return
    assert_cover(shares, len(labels), clients)
    assert deal(len(labels), clients, block, seed, labels) == shares


@pytest.mark.parametrize("name", EVERY)
def test_it_depends_on_the_seed(name: str) -> None:
    block, labels = EVERY[name]
    found = {sha256(partition_bytes(deal(240, 5, block, seed, labels))) for seed in range(10)}
    assert len(found) == 10


def golden(name: str) -> str:
    block, labels = EVERY[name]
    return sha256(partition_bytes(deal(240, 5, block, 7, labels)))


@pytest.mark.parametrize("name", EVERY)
def test_it_is_the_same_for_ever(name: str) -> None:
    assert golden(name) == GOLDEN[name]


def test_another_process_deals_the_same() -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_data_partition_kinds as t;"
        "print(*map(t.golden, t.EVERY))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99", "TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [golden(name) for name in EVERY]


# --- dirichlet --------------------------------------------------------------------------------------------------------

MANY = [str(row % 10) for row in range(5000)]


@pytest.mark.parametrize("draw", ["clients", "labels"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_skew_grows_as_alpha_falls(draw: str, seed: int) -> None:
    least = 1 if draw == "labels" else None
    found = [
        skew(deal(5000, 20, dirichlet(alpha, draw, least), seed, MANY), MANY).heterogeneity
        for alpha in (0.1, 0.5, 5.0, 1e4)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.6 and found[-1] < 0.1


def test_clients_that_draw_hold_equal_sizes() -> None:
    shares = deal(5003, 20, dirichlet(0.1), 1, [*MANY, "0", "1", "2"])
    assert [len(share) for share in shares] == [251] * 3 + [250] * 17


def test_the_first_client_s_mix_is_a_dirichlet_draw() -> None:
    """Mean p and variance p (1 − p) / (alpha + 1) of Dir(alpha · p), plus the multinomial's own."""
    labels = ["0"] * 1500 + ["1"] * 500
    alpha, size = 3.0, 100
    parts = [held(deal(2000, 20, dirichlet(alpha), seed, labels)[0], labels)["0"] / size for seed in range(600)]
    variance = 0.75 * 0.25 * (1 / (alpha + 1) + (1 - 1 / (alpha + 1)) / size)
    assert abs(numpy.mean(parts) - 0.75) < 4 * (variance / 600) ** 0.5
    assert 0.8 < numpy.var(parts) / variance < 1.25


def test_a_label_s_shares_are_a_dirichlet_draw() -> None:
    """Mean 1 / K and variance (1 / K) (1 − 1 / K) / (K alpha + 1) of Dir(alpha, …, alpha)."""
    labels, clients, alpha = ["0"] * 1000 + ["1"] * 1000, 4, 5.0
    block = dirichlet(alpha, "labels", 1)
    parts = [held(deal(2000, clients, block, seed, labels)[2], labels)["0"] / 1000 for seed in range(600)]
    variance = 0.25 * 0.75 / (clients * alpha + 1)
    assert abs(numpy.mean(parts) - 0.25) < 4 * (variance / 600) ** 0.5
    assert 0.8 < numpy.var(parts) / variance < 1.25


@settings(max_examples=40, deadline=None)
@given(least=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_min_rows_holds(least: int, seed: int) -> None:
    shares = deal(240, 5, dirichlet(1.0, "labels", least), seed, LABELS)
    assert min(map(len, shares)) >= least


@pytest.mark.parametrize(("least", "told"), [(45, "none of 1000 draws"), (49, "do not give each")])
def test_min_rows_that_no_draw_gives_is_refused(least: int, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        deal(240, 5, dirichlet(0.01, "labels", least), 1, LABELS)


# --- the others -------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(clients=st.integers(4, 12), classes=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_pathological_gives_exactly_so_many_classes(clients: int, classes: int, seed: int) -> None:
    labels = [f'"{row % 4}"' for row in range(240)]
    shares = deal(240, clients, pathological(classes), seed, labels)
    assert {len(held(share, labels)) for share in shares} == {classes}
    for label in set(labels):
        parts = [count for share in shares if (count := held(share, labels)[label])]
        assert max(parts) - min(parts) <= 1


def test_shards_are_contiguous_in_the_sorted_rows() -> None:
    """100 clients with 2 of 200 shards of sorted rows of 10 labels: nobody has more than 4 labels, most have 2."""
    labels = [str(row % 10) for row in range(6000)]
    shares = deal(6000, 100, shard(2), 1, labels)
    assert {len(share) for share in shares} == {60}
    kinds = Counter(len(held(share, labels)) for share in shares)
    assert set(kinds) <= {1, 2} and kinds[2] > 70


def test_natural_groups_stay_whole() -> None:
    groups = sorted(set(USERS))
    shares = deal(240, len(groups), ONE_EACH, 1, USERS)
    assert [set(held(share, USERS)) for share in shares] == [{group} for group in groups]
    in_turn = deal(240, 3, IN_TURN, 1, USERS)
    owners = [set(held(share, USERS)) for share in in_turn]
    assert sum(map(len, owners)) == len(groups) == len(set.union(*owners))
    assert max(map(len, owners)) - min(map(len, owners)) <= 1


def test_sizes_rise_as_said() -> None:
    assert sizes(300, 5, LINEAR) == [20, 40, 60, 80, 100]
    assert sizes(150, 4, EXPONENTIAL) == [10, 20, 40, 80]
    assert sizes(10, 1, LINEAR) == [10]
    for rows in range(20, 60):
        assert sum(sizes(rows, 7, EXPONENTIAL)) == rows


REFUSED: list[tuple[Partition, int, list[str], str]] = [
    (pathological(5), 5, LABELS, "no client can have 5"),
    (pathological(1), 2, LABELS, "leave out some"),
    (shard(100), 5, LABELS, "cannot be cut"),
    (ONE_EACH, 5, USERS, "values in the training rows"),
    (IN_TURN, 100, USERS, "too few"),
    (SizeSkewPartition(kind="size-skew", growth="exponential", ratio=1e6), 20, LABELS, "no rows"),
]


@pytest.mark.parametrize(("block", "clients", "labels", "told"), REFUSED)
def test_what_cannot_be_dealt_is_refused(block: Partition, clients: int, labels: list[str], told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        deal(240, clients, block, 1, labels)
    (one,) = caught.value.diagnostics
    assert one.code == "FTB309" and one.hint


def test_a_label_with_fewer_rows_than_owners_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has 1 rows for 4 clients"):
        deal(101, 4, pathological(2), 1, ['"a"'] * 100 + ['"b"'])


# --- skew -------------------------------------------------------------------------------------------------------------


def test_total_variation() -> None:
    labels = ["a", "a", "b", "b"]
    apart = skew([[0, 1], [2, 3]], labels)
    assert apart.distances == [0.5, 0.5] and apart.heterogeneity == 0.5
    assert skew([[0, 2], [3, 1]], labels).heterogeneity == 0
    assert total_variation({"a": 1}, {"a": 1, "b": 3}) == 0.75
    assert apart.counts == [{"a": 2}, {"b": 2}] and apart.pooled == {"a": 2, "b": 2}


def test_labels_of_other_types_stay_apart() -> None:
    assert len({label_of(value) for value in (1, "1", True, None, "true", [1])}) == 6
