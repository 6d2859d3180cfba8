"""The app's process at a site: it stays, it is sealed off, and what becomes of it harms nobody."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from flwr.app import ConfigRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as Proto

from ftbench.app.privacy import noise
from ftbench.node import box
from ftbench.node.resident import Died, Resident

APP = """
import os, socket, sys, time
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()
count = 0

@app.train()
def train(message, context):
    global count
    count += 1
    asked = message.content["asked"]["what"]
    found = ""
    if asked == "raise":
        raise ValueError("FTB555 as asked")
    if asked == "die":
        os._exit(3)
    if asked == "sleep":
        time.sleep(600)
    if asked == "print":
        print("a row", flush=True)
    if asked == "flood":
        os.write(int(context.node_config["out"]), b"\\xff" * 16)
    if asked.startswith("read "):
        found = open(asked[5:]).read()
    if asked.startswith("write "):
        open(asked[6:], "w").write("x")
    if asked.startswith("connect "):
        socket.create_connection(("127.0.0.1", int(asked[8:])), timeout=2)
    if asked == "processes":
        found = " ".join(name for name in os.listdir("/proc") if name.isdecimal())
    if asked == "environment":
        found = " ".join(sorted(os.environ))
    return Message(RecordDict({"said": ConfigRecord({"count": count, "found": found})}), reply_to=message)
"""


@pytest.fixture(scope="module", autouse=True)
def bubblewrap() -> None:
    assert box.why_not() == "", "tests of the sandbox need bubblewrap"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "app" / "ftbench_app").mkdir(parents=True)
    (folder / "app" / "ftbench_app" / "client_app.py").write_text(APP)
    (folder / "state").mkdir()
    (folder / "rows.jsonl").write_text("a row")
    (folder / "node.key").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def resident(home: Path) -> Iterator[Resident]:
    made = Resident(
        home / "app", read=[home / "rows.jsonl"], write=home / "state", sealed=True, log=home / "state" / "app.log"
    )
    yield made
    made.end()


def ask(resident: Resident, what: str, seconds: float = 300.0) -> dict[str, Any]:
    content = recorddict_to_proto(RecordDict({"asked": ConfigRecord({"what": what})})).SerializeToString()
    said = {"run_id": 1, "node_id": 2, "type": "train", "group": "1", "node_config": {"out": 1}, "run_config": {}}
    told, data = resident.answer(said, content, seconds)
    return told or dict(recorddict_from_proto(Proto.FromString(data))["said"])


def test_it_stays_from_message_to_message_and_survives_an_error(resident: Resident) -> None:
    first = ask(resident, "")["count"]
    assert ask(resident, "raise") == {"error": "FTB555 as asked"}
    assert ask(resident, "")["count"] == first + 2


def test_what_it_prints_stays_at_the_site(resident: Resident, home: Path) -> None:
    ask(resident, "print")
    assert "a row" in (home / "state" / "app.log").read_text()


def test_it_reads_what_it_needs_and_nothing_else(resident: Resident, home: Path) -> None:
    assert ask(resident, f"read {home / 'rows.jsonl'}")["found"] == "a row"
    for path in (home / "node.key", Path("/etc/passwd"), Path.home() / ".bashrc"):
        assert "No such file" in ask(resident, f"read {path}")["error"]


def test_it_writes_to_its_state_and_nowhere_else(resident: Resident, home: Path) -> None:
    assert "error" not in ask(resident, f"write {home / 'state' / 'mine'}")
    for path in (home / "rows.jsonl", home / "app" / "ftbench_app" / "client_app.py"):
        assert "Read-only" in ask(resident, f"write {path}")["error"]
    assert (home / "rows.jsonl").read_text() == "a row"


def test_it_reaches_nobody(resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert "error" in ask(resident, f"connect {listener.getsockname()[1]}")
    assert str(os.getpid()) not in ask(resident, "processes")["found"].split()
    assert not {"USER", "SSH_AUTH_SOCK", "FTBENCH_STORE"} & set(ask(resident, "environment")["found"].split())


@pytest.mark.parametrize("asked", [True, False])
def test_secret_noise_is_a_switch_that_the_app_sees(home: Path, asked: bool) -> None:
    made = Resident(
        home / "app", read=[], write=home / "state", sealed=True, log=home / "state" / "app.log", secret_noise=asked
    )
    try:
        assert (noise.SWITCH in ask(made, "environment")["found"].split()) == asked
    finally:
        made.end()


def test_one_that_dies_is_started_again(resident: Resident) -> None:
    with pytest.raises(Died, match="it ended"):
        ask(resident, "die")
    assert ask(resident, "")["count"] == 1


def test_one_that_gives_no_answer_is_ended(resident: Resident) -> None:
    with pytest.raises(Died, match="no answer in time"):
        ask(resident, "sleep", seconds=1.0)
    assert ask(resident, "")["count"] == 1


def test_an_answer_without_end_is_not_taken(home: Path, tmp_path: Path) -> None:
    made = Resident(home / "app", read=[], write=tmp_path, sealed=False, log=tmp_path / "log")
    made._words = ["head", "-c", "100", "/dev/zero"]
    with pytest.raises(Died):
        made.answer({}, b"", 30.0)
    script = tmp_path / "large"
    script.write_bytes(struct.pack(">Q", 2**40))
    made._words = ["cat", str(script), "-"]
    with pytest.raises(Died, match="more than any reply"):
        made.answer({}, b"", 30.0)
    made.end()


def test_one_that_is_not_sealed_ends_with_its_node(tmp_path: Path) -> None:
    """In the middle of an answer, which may take hours."""
    (tmp_path / "ftbench_app").mkdir()
    text = f"import time; open({str(tmp_path / 'up')!r}, 'w').close(); time.sleep(600)"
    (tmp_path / "ftbench_app" / "client_app.py").write_text(text)
    asks = (
        "import sys; from pathlib import Path; from ftbench.node.resident import Resident; here = Path(sys.argv[1]); "
        "Resident(here, read=[], write=here, sealed=False, log=here / 'log').answer({}, b'', 600)"
    )
    node = subprocess.Popen([sys.executable, "-c", asks, str(tmp_path)])
    while not (tmp_path / "up").exists() and node.poll() is None:
        time.sleep(0.02)
    [app] = psutil.Process(node.pid).children()
    node.kill()
    node.wait(60)
    app.wait(60)
