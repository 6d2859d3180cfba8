"""A SuperNode's side of Flower's connection: messages that wait at the SuperLink, and replies to them.

Flower's own connection carries it (TLS, the node's key, heartbeats); what is left out is everything that Flower's
SuperNode opens at a site: its Runtime API, its loopback port, and the installation of apps that were sent. Written for
the one version of Flower that the plan pins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.app import Error, Message, RecordDict

INVALID_APP = 7
"""Flower's error code for an app that a node does not run."""
APP_RAISED = 2
"""Flower's error code for an app that raised."""


@dataclass(frozen=True)
class Asked:
    """A message without its content, and whose run it belongs to."""

    message: Message
    tree: Any
    fab_hash: str
    run_config: dict[str, Any]
    """What the run overrides of the app's own config."""


class Link:
    """An open connection to a SuperLink."""

    def __init__(self, callbacks: tuple[Any, ...]) -> None:
        (
            self.node_id,
            self._receive,
            self._send,
            self._get_run,
            _get_fab,
            self._pull_object,
            self._push_object,
            self._confirm,
        ) = callbacks
        self._runs: dict[int, Any] = {}

    def next(self) -> Asked | None:
        """The message that waits, if one does."""
        found = self._receive()
        if found is None:
            return None
        message, tree = found
        number = message.metadata.run_id
        if number not in self._runs:
            self._runs = {number: self._get_run(number)}  # the latest alone: a node may stay for months
        run = self._runs[number]
        return Asked(message, tree, run.fab_hash, dict(run.override_config))

    def content(self, asked: Asked) -> Message:
        """The same message with its content, which is taken from the SuperLink."""
        from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree

        number = asked.message.metadata.run_id
        whole = pull_and_inflate_object_from_tree(
            asked.tree,
            lambda name: self._pull_object(number, name),
            lambda name: self._confirm(number, name),
            return_type=Message,
        )
        whole.metadata.__dict__["_message_id"] = asked.tree.object_id
        return whole

    def reply(self, asked: Message, content: RecordDict, seconds: float) -> int:
        """Send what the app answered; returns the bytes of everything that was sent."""
        return self._push(Message(content, reply_to=asked), seconds)

    def refuse(self, asked: Message, reason: str, code: int = APP_RAISED) -> int:
        """Send an error in place of an answer."""
        return self._push(Message(Error(code=code, reason=reason), reply_to=asked), 0.0)

    def _push(self, message: Message, seconds: float) -> int:
        from flwr.supercore.inflatable.inflatable_object import (
            get_all_nested_objects,
            get_object_tree,
            no_object_id_recompute,
        )
        from flwr.supercore.inflatable.inflatable_utils import push_object_contents_from_iterable

        message.metadata.__dict__["_message_id"] = message.object_id
        run_id, sent = message.metadata.run_id, 0
        with no_object_id_recompute():
            wanted, session = self._send(message, get_object_tree(message), seconds)

            def contents() -> Iterator[tuple[str, bytes]]:
                nonlocal sent
                for name, item in get_all_nested_objects(message).items():
                    if name in wanted:
                        data = item.deflate()
                        sent += len(data)
                        yield name, data

            push_object_contents_from_iterable(
                contents(), lambda name, data: self._push_object(run_id, session, name, data)
            )
        return sent


@contextmanager
def connected(superlink: str, certificates: Path, key: Path) -> Iterator[Link]:
    """A connection with TLS and the node's own key. Flower ends this process where it is refused (exit code 305)."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    from flwr.supernode.fleet_http_connection import http_request_response

    private = load_ssh_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey), "checked when the node was read"
    with http_request_response(superlink, False, certificates.read_bytes(), (private, private.public_key())) as found:
        yield Link(found)
