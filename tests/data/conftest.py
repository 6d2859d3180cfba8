"""A hub on loopback, and a clock on which nobody waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "hub"))

from server import HubServer

from ftbench.data.hub import Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The server; ftbench's commands in this process and in others ask it, without a token."""
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that somebody wanted to wait; nobody does. `huggingface_hub` waits by itself, too."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def connect(hub: HubServer, waits: list[float], tmp_path: Path) -> Callable[[], Hub]:
    """Makes connections to the server, with their own waits among `waits`."""
    return lambda: Hub(tmp_path / "scratch", endpoint=hub.endpoint, sleep=waits.append)
