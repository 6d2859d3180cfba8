"""Work that several processes share: the order of results, what is raised, and processes that are ended."""

from __future__ import annotations

import os
import signal

import pytest

from ftbench import parallel
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


def test_results_come_in_order_from_other_processes() -> None:
    told: list[int] = []
    found = list(parallel.each(lambda one: (one, os.getpid()), list(range(20)), told.append))
    assert [one for one, _ in found] == told == list(range(20))
    assert os.getpid() not in {process for _, process in found}


def test_one_item_or_one_processor_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(parallel.each(lambda one: os.getpid(), [1])) == [os.getpid()]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert list(parallel.each(lambda one: os.getpid(), [1, 2])) == [os.getpid()] * 2


def test_within_a_process_there_are_no_more_of_them() -> None:
    def within(_: int) -> set[int]:
        return {os.getpid(), *parallel.each(lambda one: os.getpid(), [1, 2, 3])}

    assert all(len(one) == 1 for one in parallel.each(within, [1, 2]))


def test_what_is_raised_there_is_raised_here() -> None:
    def refuse(number: int) -> int:
        raise InvalidInput(Diagnostic("FTB603", f"not {number}"))

    with pytest.raises(InvalidInput, match="not 7") as raised:
        list(parallel.each(refuse, [7, 8]))
    assert [one.code for one in raised.value.diagnostics] == ["FTB603"]


def test_what_an_ended_process_left_is_done_here() -> None:
    here = os.getpid()

    def work(number: int) -> int:
        if number == 3 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert list(parallel.each(work, list(range(6)))) == list(range(6))
