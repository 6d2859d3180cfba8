"""A SuperNode's side of Flower's connection: messages that wait at the SuperLink, and replies to them.

Flower's own connection carries it (TLS, the node's key, heartbeats); what is left out is everything that Flower's
SuperNode opens at a site: its Runtime API, its loopback port, and the installation of apps that were sent. Written for
the one version of Flower that the plan pins.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NoReturn

from flwr.app import Error, Message, RecordDict

from ftbench import codes
from ftbench.diagnostics import Diagnostic, printable

INVALID_APP = 7
"""Flower's error code for an app that a node does not run."""
APP_RAISED = 2
"""Flower's error code for an app that raised."""

ACTIVATE, HEARTBEAT = "/flwr.proto.Fleet/ActivateNode", "/flwr.proto.Fleet/SendNodeHeartbeat"
UNAUTHORISED, PRECONDITION, UNAVAILABLE = 401, 412, 503


class Refused(RuntimeError):
    """A SuperLink does not take this node, or not any more; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


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

    def again(self, message: Message) -> Asked:
        """A message that was taken before and not answered. Raises what Flower's client does where its run is over."""
        run = self._get_run(message.metadata.run_id)
        return Asked(message, None, run.fab_hash, dict(run.override_config))

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
def connected(superlink: str, certificates: Path, key: Path, last: int | None = None) -> Iterator[Link]:
    """A connection with TLS and the node's own key. Raises Refused where the SuperLink does not take it.

    `last`: the node's id there when it was connected before. One that was killed is held for connected at the SuperLink
    until two heartbeats were missed, and not activated anew: it goes on where it was, and is missed by nobody.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    from flwr.supernode import fleet_http_connection as flower

    private = load_ssh_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey), "checked when the node was read"
    with (
        _told(flower, last),
        flower.http_request_response(
            superlink, False, certificates.read_bytes(), (private, private.public_key())
        ) as found,
    ):
        yield Link(found)


# --- refusals -----------------------------------------------------------------------------------------------------


@contextmanager
def _told(flower: Any, last: int | None) -> Iterator[None]:
    """Let Flower's connection say why it is refused. By itself it interrupts or ends its process, which a node that
    waits for a SuperLink to be back must not."""
    signed, ends = flower.NodeAuthHttpInterceptor, flower.flwr_exit
    flower.NodeAuthHttpInterceptor = lambda *keys: _Identity(signed(*keys), last)
    flower.flwr_exit = _refused
    try:
        yield
    finally:
        flower.NodeAuthHttpInterceptor, flower.flwr_exit = signed, ends


class _Identity:
    """Flower's signature of each request, and what comes of one that is not taken."""

    def __init__(self, signed: Any, last: int | None) -> None:
        self._signed = signed
        self._last = last

    def intercept(self, context: Any, call_next: Callable[[Any], Any]) -> Any:
        """See Flower's ProtobufClientInterceptor. Raises Refused."""
        import httpx

        response = self._signed.intercept(context, call_next)
        if context.rpc_method == ACTIVATE and self._last is not None and held_for_connected(response):
            from flwr.proto.fleet_pb2 import ActivateNodeResponse

            going_on = ActivateNodeResponse(node_id=self._last).SerializeToString()
            kind = {"content-type": context.request.headers["content-type"]}
            return httpx.Response(200, content=going_on, headers=kind, request=context.request)
        if response.status_code != UNAUTHORISED:
            return response
        if context.rpc_method == HEARTBEAT:  # a thread of its own, where nobody would hear it
            return httpx.Response(UNAVAILABLE, request=context.request)
        raise Refused(why_unauthorised(response.headers.get("date"), datetime.now(UTC)))


def held_for_connected(response: Any) -> bool:
    """Whether a SuperLink does not activate a node because it is active there: a key that it does not know is
    UNAUTHORISED."""
    from flwr.supercore.error import FlowerError
    from flwr.supercore.error.base import ApiErrorCode

    if response.status_code != PRECONDITION:
        return False
    response.read()
    error = FlowerError.from_json(response.text)
    return error is not None and error.code == ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED


def why_unauthorised(date: str | None, here: datetime) -> Diagnostic:
    """Why a signed request was not taken: this machine's clock, where that is further from the SuperLink's (`date`, its
    answer's header) than it accepts; else the key."""
    from flwr.common.constant import SYSTEM_TIME_TOLERANCE, TIMESTAMP_TOLERANCE

    try:
        ahead = (here - parsedate_to_datetime(date or "")).total_seconds()
    except (TypeError, ValueError):
        ahead = 0.0
    late = TIMESTAMP_TOLERANCE + SYSTEM_TIME_TOLERANCE
    if not 1 - late < ahead < SYSTEM_TIME_TOLERANCE - 1:  # the header counts whole seconds
        apart = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the SuperLink's"
        hint = f"set it (timedatectl set-ntp true); it may be {SYSTEM_TIME_TOLERANCE} s ahead and {late} s behind"
        return Diagnostic(codes.NODE_CLOCK, f"this machine's clock is {apart}", hint=hint)
    message = "the SuperLink does not know this node's key, or not any more"
    return Diagnostic(codes.NODE_REFUSED, message, hint=REGISTER)


REGISTER = "the organiser makes the sites' keys known with organiser/register.sh after each start of the SuperLink"
DATES = ("not yet valid", "has expired")


def _refused(_: int, message: str = "", *__: object, **___: object) -> NoReturn:
    """In the place of Flower's `flwr_exit`."""
    known = sys.exc_info()[1]
    if isinstance(known, Refused):
        raise known
    said = " ".join(message.split())
    hint = REGISTER
    if any(one in said for one in DATES):
        hint = "look at this machine's clock; `ftbench site-kit open` makes a certificate anew that ends soon"
    elif "certificate" in said.lower():
        hint = "the kit is of another federation, or something stands between this machine and the SuperLink"
    raise Refused(
        Diagnostic(codes.NODE_REFUSED, f"the SuperLink does not take this node: {printable(said)}", hint=hint)
    )
