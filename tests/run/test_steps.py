"""Where each token of a text begins: as decoding every prefix says, in time that grows with the text alone."""

from __future__ import annotations

import random

import pytest

from ftbench.run.evaluation.steps import steps_of

PIECES = ["a", " be", "c", "\n", " gamma", "", "\u00e9", " \u4e2d\u6587"]


def decode(ids: list[int]) -> str:
    """As a tokenizer that drops the space at a text's beginning."""
    return "".join(PIECES[one] for one in ids).removeprefix(" ")


@pytest.mark.parametrize("seed", range(20))
def test_as_every_prefix_says(seed: int) -> None:
    ids = [3, *random.Random(seed).choices([0, 1, 2, 3, 4, 6, 7], k=60)]
    found = steps_of(decode, ids, [1.0] * len(ids))
    assert [begin for begin, _ in found] == [len(decode(ids[:number])) for number in range(len(ids))]


def test_bytes_of_one_character_begin_where_it_does() -> None:
    data = "x\u4e2dy".encode()

    def by_byte(ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    assert [begin for begin, _ in steps_of(by_byte, list(data), [0.0] * len(data))] == [0, 1, 1, 1, 2]


def test_time_grows_with_the_text() -> None:
    decoded = 0

    def counting(ids: list[int]) -> str:
        nonlocal decoded
        decoded += len(ids)
        return decode(ids)

    ids = [0, 1, 5] * 1000  # an empty piece among them, as special tokens are
    steps_of(counting, ids, [1.0] * len(ids))
    assert decoded < 10 * len(ids)
