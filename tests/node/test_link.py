"""A node whose SuperLink does not take it: what it is told, and that its process goes on. By a real server and TLS."""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flwr.app import Metadata, RecordDict
from flwr.app.message import make_message
from flwr.proto.fleet_pb2 import ActivateNodeResponse
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatResponse
from flwr.supercore.error.base import ApiErrorCode

from ftbench import codes
from ftbench.errors import InvalidInput
from ftbench.node import certificates
from ftbench.node.asked import Pending, alone
from ftbench.node.link import Refused, connected, why_unauthorised


class SuperLink(http.server.ThreadingHTTPServer):
    """Takes nodes, or answers each with a status; its clock is set as a test wants."""

    ahead = timedelta()
    status = 401
    takes = False
    said = b""
    """The body of an answer that takes nobody."""
    context: ssl.SSLContext


class Answer(http.server.BaseHTTPRequestHandler):
    server: SuperLink
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        takes = self.server.takes and self.path.endswith("/activate-node")
        body = ActivateNodeResponse(node_id=7).SerializeToString() if takes else self.server.said
        if self.server.said and self.path.endswith("/send-node-heartbeat"):
            takes, body = True, SendNodeHeartbeatResponse(success=True).SerializeToString()
        self.send_response(200 if takes else self.server.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, _: float | None = None) -> str:
        return format_datetime(datetime.now(UTC) + self.server.ahead, usegmt=True)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "other"):
        made = certificates.make(name, "localhost")
        (folder / f"{name}.ca").write_bytes(made.authority)
        (folder / f"{name}.pem").write_bytes(made.superlink + made.superlink_key)
    key = ec.generate_private_key(ec.SECP384R1())
    (folder / "node.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return folder


@pytest.fixture
def superlink(folder: Path) -> Iterator[SuperLink]:
    server = SuperLink(("127.0.0.1", 0), Answer)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(folder / "ours.pem")
    server.socket = server.context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def refused(superlink: SuperLink, folder: Path, authority: str = "ours") -> Refused:
    address = f"127.0.0.1:{superlink.server_address[1]}"
    with pytest.raises(Refused) as why, connected(address, folder / f"{authority}.ca", folder / "node.key"):
        pass
    return why.value


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_an_hour_apart_are_named_in_seconds(superlink: SuperLink, folder: Path, hours: int) -> None:
    superlink.ahead = timedelta(hours=hours)
    told = refused(superlink, folder).diagnostic
    assert told.code == codes.NODE_CLOCK
    apart = int(told.message.split(" is ")[1].split(" s ")[0].replace(",", ""))
    assert abs(apart - 3600) <= 60
    assert ("ahead" if hours < 0 else "behind") in told.message


@pytest.mark.parametrize(
    ("ahead", "clock"), [(-400, True), (-300, False), (0, False), (3, False), (6, True), (3600, True)]
)
def test_which_clocks_are_to_blame(ahead: int, clock: bool) -> None:
    """As Flower's `node_auth`: from 305 s behind to 5 s ahead."""
    now = datetime(2026, 11, 28, tzinfo=UTC)
    told = why_unauthorised(format_datetime(now, usegmt=True), now + timedelta(seconds=ahead))
    assert (told.code == codes.NODE_CLOCK) is clock


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_server_without_a_clock_leaves_the_key(date: str | None) -> None:
    assert why_unauthorised(date, datetime.now(UTC)).code == codes.NODE_REFUSED


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_key_that_is_not_known_ends_no_process(superlink: SuperLink, folder: Path, status: int) -> None:
    """Flower interrupts the process, or starts a thread that ends it some seconds later."""
    superlink.status = status
    assert refused(superlink, folder).diagnostic.code == codes.NODE_REFUSED
    assert not [one for one in threading.enumerate() if one.name.endswith("(force_exit)")]


def test_a_superlink_that_forgets_a_node_lets_go_of_it(superlink: SuperLink, folder: Path) -> None:
    """As one that was started anew: the node's next question is not taken, and the connection ends."""
    superlink.takes = True
    address = f"127.0.0.1:{superlink.server_address[1]}"
    with connected(address, folder / "ours.ca", folder / "node.key") as link:
        assert link.node_id == 7
        with pytest.raises(Refused):
            link.next()


HELD = {"code": int(ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED), "detail": "Failed to activate SuperNode."}


@pytest.mark.parametrize(
    ("error", "last", "goes_on"),
    [
        (HELD, 41, True),
        (HELD, None, False),
        (HELD | {"code": int(ApiErrorCode.FLEET_NODE_DEACTIVATION_FAILED)}, 41, False),
    ],
)
def test_a_node_that_is_back_before_it_is_missed_goes_on(
    superlink: SuperLink, folder: Path, error: dict[str, object], last: int | None, goes_on: bool
) -> None:
    """A node that was killed is held for connected for a minute, and Flower does not activate it then."""
    superlink.status, superlink.said = 412, json.dumps(error).encode()
    address = f"127.0.0.1:{superlink.server_address[1]}"
    if goes_on:
        with connected(address, folder / "ours.ca", folder / "node.key", last) as link:
            assert link.node_id == last
    else:
        with pytest.raises(Refused), connected(address, folder / "ours.ca", folder / "node.key", last):
            pass


def test_a_certificate_of_somebody_else_is_named(superlink: SuperLink, folder: Path) -> None:
    told = refused(superlink, folder, "other").diagnostic
    assert told.code == codes.NODE_REFUSED
    assert "certificate verify failed" in told.message and "another federation" in told.hint


def test_a_clock_before_the_certificate_is_looked_for(
    superlink: SuperLink, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A federation that was opened minutes ago, and a site whose clock is an hour behind: TLS fails first."""
    monkeypatch.setattr(certificates, "SKEW", -timedelta(hours=1))
    made = certificates.make("ours", "localhost")
    (folder / "later.ca").write_bytes(made.authority)
    (folder / "later.pem").write_bytes(made.superlink + made.superlink_key)
    superlink.context.load_cert_chain(folder / "later.pem")
    told = refused(superlink, folder, "later").diagnostic
    assert told.code == codes.NODE_REFUSED
    assert "not yet valid" in told.message and "clock" in told.hint


def test_a_message_is_kept_with_its_content_and_taken_once(tmp_path: Path) -> None:
    asked = make_message(
        Metadata(
            run_id=5,
            message_id="named",
            src_node_id=1,
            dst_node_id=7,
            reply_to_message_id="",
            group_id="3",
            created_at=1.0,
            ttl=60.0,
            message_type="train",
        ),
        content=RecordDict(),
    )
    pending = Pending(tmp_path)
    pending.keep(asked)
    again = pending.take()
    assert again is not None
    assert (again.metadata.message_id, again.metadata.group_id, again.metadata.ttl) == ("named", "3", 60.0)
    assert pending.take() is None
    pending.path.write_bytes(b"\xff\xff")
    assert pending.take() is None and not pending.path.exists()


def test_two_nodes_of_one_folder(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(InvalidInput) as second, alone(tmp_path):
        pass
    assert second.value.diagnostics[0].code == codes.NODE_RUNS
    with alone(tmp_path):
        pass
    code = "import sys, pathlib; from ftbench.node.asked import alone\nwith alone(pathlib.Path(sys.argv[1])): pass"
    with alone(tmp_path):
        done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and codes.NODE_RUNS in done.stderr
