"""`python -P inside.py APP_DIR`: the app of a compiled benchmark, answering message after message until the pipe ends.

The pipe ends with whoever asks: so does this process then, whatever it is at.

The process that runs in the site's sandbox. It imports nothing of ftbench: what it is given and answers goes through
standard input and output, each a frame of eight bytes' length and so many bytes. What the app prints is standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import struct
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

LENGTH = struct.Struct(">Q")


def read_frame(file: IO[bytes]) -> bytes | None:
    """The next frame; None at the end of the pipe."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    data = file.read(size)
    return data if len(data) == size else None


def write_frame(file: IO[bytes], data: bytes) -> None:
    """Write one frame whole."""
    file.write(LENGTH.pack(len(data)))
    file.write(data)
    file.flush()


def answer(app: Any, said: Mapping[str, Any], content: bytes) -> tuple[dict[str, str], bytes]:
    """What the app answers: ({}, content), or ({"error": why}, nothing)."""
    from flwr.app import Context, Message, RecordDict
    from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
    from flwr.proto.recorddict_pb2 import RecordDict as Proto
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = said["run_id"], said["node_id"], 1
    # Of our own making: who asked is nothing that a client goes by.
    message = Message(
        recorddict_from_proto(Proto.FromString(content)),
        dst_node_id=said["node_id"],
        message_type=said["type"],
        group_id=said["group"],
        ttl=3600.0,
    )
    message.metadata.__dict__["_message_id"] = "asked"
    context = Context(
        run_id=said["run_id"],
        node_id=said["node_id"],
        node_config=said["node_config"],
        state=RecordDict(),
        run_config=said["run_config"],
    )
    try:
        reply = app(message, context)
        return {}, recorddict_to_proto(reply.content).SerializeToString()
    except Exception as error:
        import traceback

        traceback.print_exc()
        return {"error": str(error)}, b""


def _asked(file: IO[bytes]) -> queue.SimpleQueue[tuple[bytes, bytes]]:
    """Messages as they come; this process ends at the end of the pipe."""
    found: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()

    def read() -> None:
        try:
            while (head := read_frame(file)) is not None and (content := read_frame(file)) is not None:
                found.put((head, content))
        finally:
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return found


def main(app_dir: str) -> None:
    """Serve until standard input ends."""
    asked = _asked(os.fdopen(os.dup(0), "rb"))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the app prints goes to the log
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.dont_write_bytecode = True
    sys.path.insert(0, app_dir)
    app: Any = None
    while True:
        head, content = asked.get()
        try:
            app = app or importlib.import_module("ftbench_app.client_app").app
            said, data = answer(app, json.loads(head), content)
        except Exception as error:
            said, data = {"error": f"{type(error).__name__}: {error}"}, b""
        write_frame(replies, json.dumps(said).encode())
        write_frame(replies, data)


if __name__ == "__main__":
    main(sys.argv[1])
