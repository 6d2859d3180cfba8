"""The cache of answers: what it is keyed by and what survives a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.run.evaluation.cache import Cache, key

CONDITIONS: dict[str, object] = {"model": "m", "adapter": None, "dtype": "float32", "stack": {"t": "1"}, "bos": True}


@pytest.mark.parametrize(
    "change", [{"model": "n"}, {"adapter": "a"}, {"dtype": "bfloat16"}, {"stack": {"t": "2"}}, {"bos": False}]
)
def test_every_condition_is_in_the_key(change: dict[str, object]) -> None:
    assert key(CONDITIONS, "p", " o") != key({**CONDITIONS, **change}, "p", " o")


def test_context_and_continuation_are_kept_apart_in_the_key() -> None:
    assert key(CONDITIONS, "a b", " c") != key(CONDITIONS, "a", " b c")
    assert key(CONDITIONS, "a", " b") == key(dict(reversed(CONDITIONS.items())), "a", " b")


def test_answers_come_back_exactly(tmp_path: Path) -> None:
    values = {"k1": (-10.540613174438477, False), "k2": (-0.0, True), "k3": (-1e-300, False), "k4": (-3.0, True)}
    with Cache(tmp_path / "a" / "cache.jsonl") as cache:
        cache.put(list(values.items())[:2])
        cache.put(list(values.items())[2:])
    with Cache(tmp_path / "a" / "cache.jsonl") as cache:
        assert len(cache) == 4
        assert {k: cache.likelihood(k) for k in values} == values
        assert cache.likelihood("other") is None


def test_a_torn_last_line_is_dropped_wherever_it_tears(tmp_path: Path) -> None:
    path = tmp_path / "cache.jsonl"
    with Cache(path) as cache:
        cache.put([("k1", (-1.5, True))])
        cache.put([("k2", (-2.5, False))])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(first, len(whole)):
        path.write_bytes(whole[:size])
        with Cache(path) as cache:
            assert (cache.likelihood("k1"), cache.likelihood("k2")) == ((-1.5, True), None)
            cache.put([("k3", (-3.5, True))])
        with Cache(path) as cache:
            assert (len(cache), cache.likelihood("k3")) == (2, (-3.5, True))


UNREADABLE = [b"", b"{", b"[]", b"\xff", b'{"key":1,"value":[1,true]}', b'{"key":"k","value":[true,true]}', b"{}"]


@pytest.mark.parametrize("line", UNREADABLE)
def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "cache.jsonl"
    path.write_bytes(line + b'\n{"key":"k1","value":[-1,true]}\n')
    with Cache(path) as cache:
        assert (len(cache), cache.likelihood("k1")) == (1, (-1.0, True))
