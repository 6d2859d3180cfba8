"""The message that a node is at, on disk: a node that was killed answers it when it is back.

A SuperLink hands a message out once. Without this a node that is killed and back before it is missed leaves the round
to wait for its whole time. The file lies where the app cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flwr.app import Message

from ftbench import codes
from ftbench.atomic import PRIVATE, write_file
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.locks import lock

FILE = "asked.pb"
LOCK = ".running"


class Pending:
    """The file of one site's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def keep(self, message: Message) -> None:
        """Put it down, with its content. Raises OSError: the disk is full, say."""
        from flwr.common.serde import message_to_proto

        write_file(self.path, message_to_proto(message).SerializeToString(), PRIVATE)

    def forget(self) -> None:
        """It was answered or refused."""
        self.path.unlink(missing_ok=True)

    def take(self) -> Message | None:
        """The message that an earlier process left unanswered. It is taken once: one that ends whoever answers it does
        not end the next process too."""
        from flwr.common.serde import message_from_proto
        from flwr.proto.message_pb2 import Message as Proto

        try:
            data = self.path.read_bytes()
            self.forget()
        except OSError:
            return None
        try:
            return message_from_proto(Proto.FromString(data))
        except Exception:  # of another version of Flower, say: it is asked no more
            return None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a site's folder while its node runs. Raises InvalidInput (FTB926) where another process holds it."""
    path = folder / LOCK
    with path.open("a", encoding="ascii") as file:
        try:
            lock(file.fileno(), wait=False)
        except OSError as error:
            hint = "end that one first; for another federation, join in a folder of its own (`--out`)"
            message = "a node of this folder runs already"
            raise InvalidInput(Diagnostic(codes.NODE_RUNS, message, Place(str(folder)), hint)) from error
        yield
