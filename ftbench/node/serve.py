"""A site's node: waits for messages, lets the app that the site allows answer them, sends what may leave."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flwr.app import Message, RecordDict

from ftbench import codes
from ftbench.atomic import PRIVATE, write_file
from ftbench.diagnostics import Place
from ftbench.errors import InvalidInput
from ftbench.node import allowed, gate
from ftbench.node.allowed import Allowed
from ftbench.node.asked import Pending
from ftbench.node.journal import Journal, listed
from ftbench.node.link import INVALID_APP, Asked, Link, Refused, connected
from ftbench.node.resident import Died, Resident
from ftbench.node.settings import Node

POLL_SECONDS = 0.1
"""Between two looks for a message while a run goes on; Flower's SuperNode looks every 3 s."""
IDLE_SECONDS = 2.0
"""The same while none has come for a minute."""
BUSY_FOR = 60.0
AGAIN_SECONDS = 10.0
"""From a connection that failed to the next try."""
FLOATS = 8
"""Bytes for each trainable parameter of the budget: an adapter and a control variate in float32."""
ROOM = 1 << 20
REFUSED = "FTB514 this site does not run this app"
HELD = "FTB515 this site held the reply back"
FULL = "FTB558"
NODE_ID = "node.id"

Say = Callable[[str], None]


class Server:
    """The node's life between the first message and its end."""

    def __init__(self, node: Node, say: Say) -> None:
        """Reads what is allowed. Raises InvalidInput, MissingResource where the node cannot begin."""
        settings = node.settings
        self.node, self.say = node, say
        self.allowed = allowed.read(node.path(settings.apps), node.path(settings.signers) if settings.signers else None)
        self.state = node.path(settings.state)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.journal = Journal(self.state)
        self.pending = Pending(node.folder)
        self._resident: tuple[str, Resident] | None = None
        for digest, one in self.allowed.items():
            # Whether it can be sealed is known before the first message.
            self._process(one)
            by = f", signed by {one.signer}" if one.signer else ""
            say(f"runs {one.lock.name} {one.lock.version}, app {digest[:12]}{by}")

    def _last(self) -> int | None:
        """This node's id when it was connected before."""
        try:
            return int((self.node.folder / NODE_ID).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def conduct(self) -> None:
        """Serve until the process is ended. A connection that fails is made again, also where a SuperLink that was
        started anew does not know this node yet.

        Raises InvalidInput (FTB924, FTB925) where the first one is refused."""
        settings = self.node.settings
        certificates, key = self.node.path(settings.root_certificates), self.node.path(settings.key)
        once = False
        try:
            while True:
                try:
                    with connected(settings.superlink, certificates, key, self._last()) as link:
                        once = True
                        with contextlib.suppress(OSError):  # a full disk: it is another time's loss
                            write_file(self.node.folder / NODE_ID, f"{link.node_id}\n".encode(), PRIVATE)
                        self.say(f"connected to {settings.superlink}, SuperNode ID {link.node_id}")
                        self._serve(link)
                except Refused as refused:
                    if not once:
                        raise InvalidInput(replace(refused.diagnostic, place=Place(settings.superlink))) from refused
                    self.say(f"{refused.diagnostic.code} {refused}")
                self.say(f"no connection to {settings.superlink}; once more in {AGAIN_SECONDS:.0f} s")
                time.sleep(AGAIN_SECONDS)
        finally:
            self.end()

    def end(self) -> None:
        """Let go of the app's process."""
        if self._resident is not None:
            self._resident[1].end()
            self._resident = None

    def _serve(self, link: Link) -> None:
        from flwr.supercore.run import RunNotRunningException

        last = 0.0
        self._answer_again(link)
        while True:
            try:
                asked = link.next()
                if asked is not None:
                    self._carry_out(link, asked)
                    last = time.monotonic()
                    continue
            except RunNotRunningException:
                self.say("a run ended before its message was answered")
            time.sleep(POLL_SECONDS if time.monotonic() - last < BUSY_FOR else IDLE_SECONDS)

    def _answer_again(self, link: Link) -> None:
        """Answer what this node was at when it was killed, or its connection failed, where that is still asked."""
        from flwr.supercore.run import RunNotRunningException
        from httpx import HTTPError

        message = self.pending.take()
        if message is None or message.metadata.dst_node_id != link.node_id:
            return
        try:
            asked = link.again(message)
            one = self.allowed.get(asked.fab_hash)
            if one is not None:
                self.say(f"{_called(message)}: was not answered; once more")
                self._conclude(link, one, asked, message, time.monotonic())
        except (HTTPError, RunNotRunningException):
            self.say(f"{_called(message)}: was not answered, and is asked no more")

    def _carry_out(self, link: Link, asked: Asked) -> None:
        began = time.monotonic()
        one = self.allowed.get(asked.fab_hash)
        if one is None:
            reason = f"{REFUSED}: its digest {asked.fab_hash[:12]} is not on its list"
            self.say(f"{_called(asked.message)}: refused, app {asked.fab_hash[:12]} is not allowed here")
            link.refuse(asked.message, reason, INVALID_APP)
            self._note(asked, {"refused": reason})
            return
        whole = link.content(asked)
        try:
            self.pending.keep(whole)
        except OSError as error:
            # What could not be written down does not leave either.
            reason = f"{FULL} {codes.APP[FULL]}: this site's folder takes no message"
            self.say(f"{_called(asked.message)}: refused, {error.filename}: {error.strerror}")
            link.refuse(asked.message, reason)
            self._note(asked, {"came": listed(whole.content), "refused": reason})
            return
        self._conclude(link, one, asked, whole, began)

    def _conclude(self, link: Link, one: Allowed, asked: Asked, whole: Message, began: float) -> None:
        """Let the app answer, and send what may leave."""
        what, pulled = _called(whole), time.monotonic()
        answer = self._answer(one, whole, asked.run_config, link.node_id)
        answered = time.monotonic()
        if isinstance(answer, str):
            self.say(f"{what}: {answer}")
            link.refuse(asked.message, answer)
            self.pending.forget()
            self._note(asked, {"came": listed(whole.content), "refused": answer})
            return
        sent = link.reply(asked.message, answer, answered - pulled)
        self.pending.forget()
        seconds = time.monotonic() - began
        said = {"came": listed(whole.content), "left": listed(answer), "bytes": sent, "seconds": round(seconds, 3)}
        said["app_seconds"] = round(answered - pulled, 3)
        self._note(asked, said)
        self.say(f"{what}: answered in {seconds:.1f} s, {sent:,} bytes left")

    def _note(self, asked: Asked, said: dict[str, Any]) -> None:
        try:
            self.journal.note(asked.message, fab=asked.fab_hash, said=said)
        except OSError as error:
            self.say(f"{self.journal.path} lacks this message: {error.strerror}")

    def _answer(self, one: Allowed, message: Message, overrides: Mapping[str, Any], node_id: int) -> RecordDict | str:
        """What may leave, or the error that is told instead."""
        from flwr.common.config import get_fused_config_from_dir
        from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
        from flwr.proto.recorddict_pb2 import RecordDict as Proto

        metadata = message.metadata
        said = {
            "run_id": metadata.run_id,
            "node_id": node_id,
            "type": metadata.message_type,
            "group": metadata.group_id,
            "node_config": self._config(),
            "run_config": dict(get_fused_config_from_dir(one.app, dict(overrides))),
        }
        sent = recorddict_to_proto(message.content).SerializeToString()
        try:
            told, data = self._process(one).answer(said, sent, metadata.ttl)
        except Died as error:
            return f"FTB559 the app's process at this site: {error}"
        if "error" in told:
            return gate.told(told["error"], codes.APP)
        try:
            answer = recorddict_from_proto(Proto.FromString(data))
            held = gate.check(message, answer, most_bytes(one))
        except Exception:  # whatever the app wrote that nobody can read
            held = gate.Held("it cannot be read")
        return f"{HELD}: {held.why}" if isinstance(held, gate.Held) else answer

    def _config(self) -> dict[str, Any]:
        """The node config, as a SuperNode would have it on its command line."""
        node, settings = self.node, self.node.settings
        return {
            "partition-id": settings.partition,
            "num-partitions": settings.clients,
            "store": ":".join(str(path) for path in node.stores),
            "data": str(node.path(settings.rows)),
            "state-dir": str(self.state),
        }

    def _process(self, one: Allowed) -> Resident:
        """The process of that app; another's is ended first, so that one model is loaded at a time."""
        digest = one.lock.fab_hash
        if self._resident is not None and self._resident[0] == digest:
            return self._resident[1]
        self.end()
        rows = self.node.path(self.node.settings.rows)
        read = [rows, rows.with_suffix(".salt"), *self.node.stores]
        made = Resident(
            one.app,
            read=read,
            write=self.state,
            sealed=self.node.settings.sealed,
            log=self.state / "app.log",
            secret_noise=self.node.settings.secret_noise,
        )
        self._resident = digest, made
        return made


def _called(message: Message) -> str:
    """A message for people."""
    metadata = message.metadata
    return f"run {metadata.run_id}, {metadata.message_type}" + (
        f", round {metadata.group_id}" if metadata.group_id else ""
    )


def most_bytes(one: Allowed) -> int:
    """Most bytes that the arrays of a reply may have together."""
    return FLOATS * int(one.plan.typed_spec().budget.trainable_parameters) + ROOM


def key_of(path: Path) -> None:
    """Raise InvalidInput (FTB518) for a private key that a node cannot use."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    from ftbench.diagnostics import Diagnostic, Place
    from ftbench.errors import InvalidInput

    try:
        if isinstance(load_ssh_private_key(path.read_bytes(), None), ec.EllipticCurvePrivateKey):
            return
        why = "it is on no NIST curve"
    except OSError as error:
        why = error.strerror or "it cannot be read"
    except (ValueError, UnsupportedAlgorithm) as error:
        why = f"it cannot be read: {error}"
    hint = 'ssh-keygen -q -t ecdsa -b 384 -N "" -f node.key'
    raise InvalidInput(Diagnostic(codes.NODE_FOLDER, f"the node's key is of no use: {why}", Place(str(path)), hint))
