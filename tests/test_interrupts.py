"""SIGTERM and SIGHUP are Ctrl-C while a command runs; what was ignored before stays ignored."""

from __future__ import annotations

import signal
import threading

import pytest

from ftbench.interrupts import SIGNALS, in_order


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", SIGNALS)
def test_they_interrupt(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), in_order():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_what_nohup_ignores_is_ignored_still() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with in_order():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_nothing() -> None:
    found = []

    def look() -> None:
        with in_order():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
