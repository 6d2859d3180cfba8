"""What crossed a wire: a proxy that ends TLS, keeps each byte and passes it on; what it kept, as messages and records.

Flower's connection is protobuf over HTTP/1.1 over TLS. `Recorder` stands between a site's node and the SuperLink with a
certificate of the federation's own authority. `Wire` reads what it kept: each call with its protobuf, each object that
crossed in pieces put together again as the Flower message that it belongs to.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
from flwr.app import ArrayRecord, Message
from flwr.proto import fleet_pb2, heartbeat_pb2, message_pb2, run_pb2
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

UP, DOWN = "up", "down"
"""From the site to the SuperLink, and back."""
PATH = "/v1/fleet/"
PIECE = 1 << 16
KINDS: Mapping[str, tuple[Any, Any]] = {
    "activate-node": (fleet_pb2.ActivateNodeRequest, fleet_pb2.ActivateNodeResponse),
    "deactivate-node": (fleet_pb2.DeactivateNodeRequest, fleet_pb2.DeactivateNodeResponse),
    "send-node-heartbeat": (heartbeat_pb2.SendNodeHeartbeatRequest, heartbeat_pb2.SendNodeHeartbeatResponse),
    "pull-messages": (fleet_pb2.PullMessagesRequest, fleet_pb2.PullMessagesResponse),
    "push-messages": (fleet_pb2.PushMessagesRequest, fleet_pb2.PushMessagesResponse),
    "get-run": (run_pb2.GetRunRequest, run_pb2.GetRunResponse),
    "pull-object": (message_pb2.PullObjectRequest, message_pb2.PullObjectResponse),
    "push-object": (message_pb2.PushObjectRequest, message_pb2.PushObjectResponse),
    "confirm-message-received": (
        message_pb2.ConfirmMessageReceivedRequest,
        message_pb2.ConfirmMessageReceivedResponse,
    ),
}
"""Every call that a site's node may make, by the last part of its path."""


class Recorder:
    """One wire. Run it in the network namespace of its listener: sockets are made by the process that calls `serve`."""

    def __init__(self, listen: tuple[str, int], superlink: tuple[str, int], files: Mapping[str, Path]) -> None:
        """`files`: `certificate` and `key` of this proxy, `authority` of the SuperLink's; `folder`: where it keeps."""
        self.listen, self.superlink, self.files = listen, superlink, files

    def serve(self) -> None:
        """Until the process ends. In one thread: two that read and write one TLS connection at once end the process."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        here.load_cert_chain(self.files["certificate"], self.files["key"])
        there = ssl.create_default_context(cafile=str(self.files["authority"]))
        numbers = itertools.count()

        async def carry(up: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
            number = next(numbers)
            with suppress(OSError):
                host, port = self.superlink
                back, on = await asyncio.open_connection(host, port, ssl=there, server_hostname=host)
                ends = ((up, on, UP), (back, down, DOWN))
                await asyncio.gather(*(self._copy(*two, f"{number:04d}.{way}") for *two, way in ends))

        host, port = self.listen
        server = await asyncio.start_server(carry, host, port, ssl=here)
        print("recording", flush=True)
        async with server:
            await server.serve_forever()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, name: str) -> None:
        with (self.files["folder"] / name).open("ab", buffering=0) as file, suppress(OSError):
            while data := await source.read(PIECE):
                file.write(data)
                target.write(data)
                await target.drain()
        target.close()


@dataclass(frozen=True)
class Call:
    """A request and what came back."""

    kind: str
    headers: list[tuple[str, str]]
    request: Any
    response: Any
    """None: the call was refused, or the connection ended before its answer."""
    status: int
    bytes_up: int
    """Of the request's body."""
    bytes_down: int


@dataclass
class Wire:
    """All that one recorder kept."""

    streams: dict[str, bytes]
    """By file name: decrypted bytes as they were sent, headers included."""
    calls: list[Call] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Pieces of messages, by their digest."""

    def messages(self, way: str) -> Iterator[Message]:
        """The messages that crossed, whole; an error that was sent in place of an answer has none of its own pieces."""
        for call in self.calls:
            box = call.request if way == UP else call.response
            kind = "push-messages" if way == UP else "pull-messages"
            if call.kind != kind or box is None:
                continue
            for tree in box.message_object_trees:
                yield inflate_object_from_contents(tree.object_id, dict(self.objects))


def read(folder: Path) -> Wire:
    """What a recorder kept in a folder. Raises AssertionError for bytes that are no call of `KINDS`."""
    wire = Wire({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    for name, up in wire.streams.items():
        if name.endswith(UP):
            wire.calls += _calls(up, wire.streams.get(name.removesuffix(UP) + DOWN, b""))
    for call in wire.calls:
        if call.kind == "push-object":
            wire.objects[call.request.object_id] = call.request.object_content
        elif call.kind == "pull-object" and call.response is not None:
            wire.objects[call.request.object_id] = call.response.object_content
    return wire


def _calls(up: bytes, down: bytes) -> Iterator[Call]:
    """The calls of one connection, in their order."""
    asked = list(_bodies(h11.Connection(h11.SERVER), up))
    answered = list(_bodies(h11.Connection(h11.CLIENT), down, [head.method for head, _ in asked]))
    for position, (head, body) in enumerate(asked):
        target = head.target.decode()
        kind = target.removeprefix(PATH)
        assert target.startswith(PATH) and kind in KINDS, f"a call of an unknown kind: {target}"
        request, response = KINDS[kind]
        back, data = answered[position] if position < len(answered) else (None, b"")
        headers = [(name.decode(), value.decode()) for name, value in head.headers]
        if back is not None:
            coded = [value for name, value in back.headers if name in (b"content-encoding", b"location")]
            assert not coded, f"an answer that is not what it seems: {coded}"
        told = response.FromString(data) if back is not None and back.status_code == 200 else None
        status = back.status_code if back is not None else 0
        yield Call(kind, headers, request.FromString(body), told, status, len(body), len(data))


def _bodies(reader: Any, data: bytes, methods: list[bytes] | None = None) -> Iterator[tuple[Any, bytes]]:
    """(head, body) of every request, or of every response, of a stream; one that was cut off is left out."""
    reader.receive_data(data)
    reader.receive_data(b"")
    head, body = None, bytearray()
    if methods is not None:
        if not methods:
            return
        _ask(reader, methods.pop(0))
    while True:
        try:
            event = reader.next_event()
        except h11.RemoteProtocolError:
            return  # the connection ended within one
        if isinstance(event, h11.Request | h11.Response):
            head, body = event, bytearray()
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            yield head, bytes(body)
            if methods is None:
                reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                reader.send(h11.EndOfMessage())
            if methods == [] or reader.our_state is h11.MUST_CLOSE or reader.their_state is h11.MUST_CLOSE:
                return
            reader.start_next_cycle()
            if methods is not None:
                _ask(reader, methods.pop(0))
        elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return


def _ask(reader: Any, method: bytes) -> None:
    reader.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())


def listed(message: Message) -> dict[str, str]:
    """Record → what it holds, of a message: the names and types of single values, of arrays the bytes."""
    if message.has_error():
        return {"error": f"code {message.error.code}"}
    found = {}
    for name, record in sorted(message.content.items()):
        if isinstance(record, ArrayRecord):
            held = ", ".join(f"{key}: {array.dtype} {array.shape}" for key, array in record.items())
        else:
            held = ", ".join(f"{key}: {type(value).__name__}" for key, value in sorted(record.items()))
        found[f"{type(record).__name__} {name}"] = held
    return found


if __name__ == "__main__":
    import sys

    own, link, *paths = sys.argv[1:]
    ends = [(host, int(port)) for host, _, port in (one.rpartition(":") for one in (own, link))]
    names = ("certificate", "key", "authority", "folder")
    Recorder(ends[0], ends[1], dict(zip(names, map(Path, paths), strict=True))).serve()
