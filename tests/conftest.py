"""What holds for every test."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "hub"))

# The app forbids its own process to ask the hub; tests that load it must not leave that to those that ask one of ours.
OFFLINE = {name: os.environ.get(name) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes go by the argument's name and a number: compressed ones hold the second in which they were made, and two
    workers that collect in different seconds would not have the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def hub_allowed() -> Iterator[None]:
    """Each test finds these variables as the first one found them."""
    _restore()
    yield
    _restore()


@pytest.fixture
def heard() -> Iterator[None]:
    """This process and those it starts hear Ctrl-C and the terminal's end, though tests begun by `nohup` or in the
    background are told to ignore both, and so would be whom they start."""
    hangup = getattr(signal, "SIGHUP", None)
    wanted = {signal.SIGINT: signal.default_int_handler} | ({hangup: signal.SIG_DFL} if hangup else {})
    ignored = [number for number in wanted if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, wanted[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _restore() -> None:
    for name, value in OFFLINE.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
