"""The ServerApp beside `ftbench run`: whose task is carried out, and what is refused before anything begins."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftbench import codes
from ftbench.errors import MissingResource
from ftbench.run.engines import flower_here
from ftbench.run.engines.flower_here import ServerAppHere, address


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> ServerAppHere:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text('[superlink.lab]\naddress = "127.0.0.1:1"\nroot-certificates = "/ca.pem"\n')
    (tmp_path / "secret").write_bytes(b"s" * 48)
    (tmp_path / "bin").mkdir()
    app = tmp_path / "bin" / flower_here.SERVER_APP
    app.write_text(f'#!{sys.executable} -P\nimport os, sys\nprint(sys.argv[1:], os.environ["FLWR_HOME"])\n')
    app.chmod(0o755)
    monkeypatch.setattr(flower_here, "commands", lambda: tmp_path / "bin")
    monkeypatch.setattr(flower_here, "LOOK_SECONDS", 0.0)
    return ServerAppHere("lab", tmp_path / "secret", logs=tmp_path, folder=tmp_path, env={}, say=said.append)


def waits(monkeypatch: pytest.MonkeyPatch, here: ServerAppHere, *tasks: tuple[int, str]) -> None:
    found = [(SimpleNamespace(run_id=number), token) for number, token in tasks]
    monkeypatch.setattr(here, "_acquire", lambda: found.pop(0) if found else (None, ""))


def test_only_the_task_of_this_run_is_carried_out(
    here: ServerAppHere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    waits(monkeypatch, here, (6, "another"), (7, "ours"))
    here.look("7")
    assert "run 6 of somebody else" in said[0]
    assert not (tmp_path / flower_here.LOG).exists()
    here.look("7")
    here.look("7")
    here.close()
    told = (tmp_path / flower_here.LOG).read_text()
    assert "ours" not in told  # a command line is seen by every user of the machine
    assert "'--runtime-api-address', '127.0.0.1:1'" in told
    assert "'--root-certificates', '/ca.pem'" in told
    assert str(tmp_path / "flwr") in told
    assert (tmp_path / "token").read_text() == "ours"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_one_that_does_not_end_is_ended(here: ServerAppHere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin" / flower_here.SERVER_APP).write_text(f"#!{sys.executable} -P\nimport time\ntime.sleep(600)\n")
    monkeypatch.setattr(flower_here, "END_SECONDS", 0.2)
    waits(monkeypatch, here, (7, "ours"))
    here.look("7")
    began = time.monotonic()
    here.close()
    assert time.monotonic() - began < 60


def test_no_secret_no_run(tmp_path: Path) -> None:
    with pytest.raises(MissingResource) as refused:
        ServerAppHere("lab", tmp_path / "none", logs=tmp_path, folder=tmp_path, env={}, say=print)
    assert refused.value.diagnostics[0].code == codes.NO_SECRET


@pytest.mark.parametrize(
    ("config", "certificates"),
    [
        ({"address": "a:1", "root-certificates": "/x.pem"}, Path("/x.pem")),
        ({"address": "a:1", "insecure": True, "root-certificates": "/x.pem"}, None),
        ({"address": "a:1"}, None),
    ],
)
def test_where_a_connection_leads(config: dict[str, Any], certificates: Path | None) -> None:
    assert address(config) == flower_here.Address("a:1", certificates)
