"""Properties of partitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbench.data.partition import KINDS, deal
from ftbench.errors import InvalidInput
from ftbench.spec.fields import of
from ftbench.spec.model import IidPartition, Partition

IID = IidPartition(kind="iid")


@settings(max_examples=80, deadline=None)
@given(clients=st.integers(1, 40), extra=st.integers(0, 500), seed=st.integers(0, 2**32 - 1))
def test_iid_covers_every_row_once_in_even_shares(clients: int, extra: int, seed: int) -> None:
    shares = deal(clients + extra, clients, IID, seed)
    assert sorted(number for share in shares for number in share) == list(range(clients + extra))
    sizes = [len(share) for share in shares]
    assert len(sizes) == clients and max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)
    assert shares == deal(clients + extra, clients, IID, seed)


@settings(max_examples=30, deadline=None)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2, unique=True))
def test_iid_depends_on_the_seed(seeds: list[int]) -> None:
    assert deal(100, 4, IID, seeds[0]) != deal(100, 4, IID, seeds[1])


def test_iid_is_the_same_for_ever() -> None:
    # Golden value: another one would make every pinned partition another benchmark.
    assert deal(10, 3, IID, 20261120) == GOLDEN


def test_fewer_rows_than_clients_is_refused() -> None:
    with pytest.raises(InvalidInput, match="FTB308"):
        deal(3, 4, IID, 1)


def test_every_kind_of_the_spec_is_there() -> None:
    kinds = {member.fields["kind"].words[0] for member in of(Partition).members}
    assert set(KINDS) == kinds


GOLDEN = [[2, 5, 3, 8], [0, 9, 4], [7, 6, 1]]
