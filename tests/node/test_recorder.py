"""The recorder and its reader: what a node's own connection carries through it over TLS is read whole, text and all."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import wire
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.common.serde import message_to_proto
from flwr.proto import fleet_pb2, heartbeat_pb2, message_pb2, run_pb2
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree, iterate_object_tree
from leaks import Search

from ftbench.node import certificates
from ftbench.node.link import connected

ROW = "Question: which jar is for noska irul? Answer:"
NODE, RUN = 7, 5


def asked() -> Message:
    message = make_message(
        Metadata(
            run_id=RUN,
            message_id="",
            src_node_id=1,
            dst_node_id=NODE,
            reply_to_message_id="",
            group_id="1",
            created_at=time.time(),
            ttl=600.0,
            message_type="train",
        ),
        content=RecordDict({"adapter": packed(numpy.arange(5000, dtype="float32") / 7), "config": ConfigRecord()}),
    )
    message.metadata.__dict__["_message_id"] = message.object_id
    return message


def packed(values: Any) -> ArrayRecord:
    return ArrayRecord({"safetensors": Array(numpy.frombuffer(values.tobytes(), dtype=numpy.uint8))})


class SuperLink(http.server.ThreadingHTTPServer):
    """Has one message for whoever asks, and takes every answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "superlink.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.message = asked()
        self.objects = {name: item.deflate() for name, item in get_all_nested_objects(self.message).items()}
        self.given = False

    def answer(self, kind: str, request: Any) -> Any:
        if kind == "activate-node":
            return fleet_pb2.ActivateNodeResponse(node_id=NODE)
        if kind == "pull-messages" and not self.given:
            self.given = True
            return fleet_pb2.PullMessagesResponse(
                messages_list=[message_to_proto(without_content(self.message))],
                message_object_trees=[get_object_tree(self.message)],
            )
        if kind == "get-run":
            return run_pb2.GetRunResponse(run=run_pb2.Run(run_id=RUN, fab_hash="a" * 64))
        if kind == "pull-object":
            return message_pb2.PullObjectResponse(
                object_found=True, object_available=True, object_content=self.objects[request.object_id]
            )
        if kind == "push-messages":
            names = [one.object_id for one in iterate_object_tree(request.message_object_trees[0])]
            return fleet_pb2.PushMessagesResponse(objects_to_push=names, session_id="s")
        if kind == "push-object":
            return message_pb2.PushObjectResponse(stored=True)
        if kind == "send-node-heartbeat":
            return heartbeat_pb2.SendNodeHeartbeatResponse(success=True)
        return wire.KINDS[kind][1]()


def without_content(message: Message) -> Message:
    from flwr.app.message import remove_content_from_message

    bare: Message = remove_content_from_message(message)
    return bare


class Answer(http.server.BaseHTTPRequestHandler):
    server: SuperLink
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        kind = self.path.removeprefix(wire.PATH)
        request = wire.KINDS[kind][0].FromString(self.rfile.read(int(self.headers["content-length"])))
        body = self.server.answer(kind, request).SerializeToString()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with keys and what the recorder keeps, and the recorder's address."""
    first = certificates.make("lab", "127.0.0.1")
    second = certificates.make("lab", "127.0.0.1", (first.authority, first.authority_key))
    (tmp_path / "ca.pem").write_bytes(first.authority)
    (tmp_path / "superlink.pem").write_bytes(first.superlink + first.superlink_key)
    (tmp_path / "certificate").write_bytes(second.superlink)
    (tmp_path / "key").write_bytes(second.superlink_key)
    (tmp_path / "kept").mkdir()
    key = ec.generate_private_key(ec.SECP384R1())
    (tmp_path / "node.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    server = SuperLink(tmp_path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    names = {"certificate": "certificate", "key": "key", "authority": "ca.pem", "folder": "kept"}
    recorder = wire.Recorder(
        ("127.0.0.1", port),
        ("127.0.0.1", server.server_address[1]),
        {name: tmp_path / path for name, path in names.items()},
    )
    threading.Thread(target=recorder.serve, daemon=True).start()
    yield tmp_path, f"127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


def crossed(made: tuple[Path, str], content: RecordDict) -> wire.Wire:
    folder, address = made
    with connected(address, folder / "ca.pem", folder / "node.key") as link:
        found = link.next()
        assert found is not None and link.content(found).content["config"] == ConfigRecord()
        link.reply(found.message, content, 1.0)
        assert link.next() is None
    until = time.monotonic() + 20
    while True:  # the recorder is another thread, and may be a moment behind
        read = wire.read(folder / "kept")
        if any(call.kind == "deactivate-node" for call in read.calls) or time.monotonic() > until:
            return read
        time.sleep(0.05)


@pytest.fixture(scope="module")
def search() -> Search:
    return Search([ROW], lambda _: [301, 17, 4021, 88, 1999, 12, 640])


def test_every_call_and_record_is_read(made: tuple[Path, str], search: Search) -> None:
    values = numpy.arange(5000, dtype="float32") / 9
    found = crossed(made, RecordDict({"adapter": packed(values), "config": ConfigRecord({"client-state": ""})}))
    kinds = {call.kind for call in found.calls}
    assert kinds - {"send-node-heartbeat"} == {
        "activate-node",
        "pull-messages",
        "get-run",
        "pull-object",
        "confirm-message-received",
        "push-messages",
        "push-object",
        "deactivate-node",
    }
    assert all(call.status == 200 for call in found.calls)
    (down,), (up,) = found.messages(wire.DOWN), found.messages(wire.UP)
    array = "safetensors: uint8 (20000,)"
    assert wire.listed(down) == {"ArrayRecord adapter": array, "ConfigRecord config": ""}
    assert wire.listed(up) == {"ArrayRecord adapter": array, "ConfigRecord config": "client-state: str"}
    assert up.content["adapter"]["safetensors"].numpy().tobytes() == values.tobytes()
    assert [search.found(data) for data in found.streams.values() if search.found(data)] == []


@pytest.mark.parametrize("way", ["text", "values"])
def test_a_row_that_crossed_is_seen_behind_tls(made: tuple[Path, str], search: Search, way: str) -> None:
    values = numpy.ones(5000, dtype="float32")
    if way == "values":
        values[77 : 77 + len(ROW)] = [ord(one) for one in ROW]
    state = ROW if way == "text" else ""
    found = crossed(made, RecordDict({"adapter": packed(values), "config": ConfigRecord({"client-state": state})}))
    # Heartbeats may have a connection of their own.
    up, down = (
        [form for name, data in found.streams.items() if name.endswith(side) for form in search.found(data)]
        for side in (wire.UP, wire.DOWN)
    )
    assert ("u1" if way == "text" else "<f4") in up
    assert down == []
