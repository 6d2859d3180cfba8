"""A Grid that calls the ClientApp serially in this process: Flower's own public seam for an engine."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.client_app import ClientAppException
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

RUN_ID = 1
SERVER_NODE = 1
FIRST_NODE = 1001
"""Node ids mean nothing; they are kept apart from partition ids so that nobody mistakes one for the other."""
CLIENT_RAISED = 2
"""Flower's error code for an exception in the ClientApp."""


class InlineGrid(Grid):  # type: ignore[misc]
    """Carries copies of messages to clients and of their replies back.

    A client runs when its reply is pulled, so that no more replies are in memory than are asked for at a time. What it
    raises becomes an error reply, as in Flower.
    """

    def __init__(self, client: ClientApp, run_config: Mapping[str, Any], clients: int) -> None:
        self.client = client
        self.run_config = dict(run_config)
        self.partitions = {FIRST_NODE + number: number for number in range(clients)}
        self.node_configs: dict[int, dict[str, Any]] = {}
        """Partition id → what that node's config holds besides, as a SuperNode's may."""
        self._waiting: dict[str, Message] = {}
        # `Message(...)` takes its sender from here; Flower's launchers set it too.
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN_ID, SERVER_NODE, 1

    def set_run(self, run: Any) -> None:
        """Not used: there is one run."""

    @property
    def run(self) -> Any:
        """Not available: there is no SuperLink that knows of this run."""
        raise NotImplementedError("an inline run has no record in a SuperLink")

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Deprecated in Flower; the constructor does the same."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Every node, in no meaningful order."""
        return list(self.partitions)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Take each message; returns their ids in the same order."""
        ids = []
        for message in messages:
            name = uuid4().hex
            self._waiting[name] = message
            ids.append(name)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Deliver those of these messages that were not delivered yet, and return the replies."""
        replies = (self._answer(name) for name in list(message_ids) if name in self._waiting)
        return [reply for reply in replies if reply is not None]

    def _answer(self, name: str) -> Message | None:
        return copy.deepcopy(self.deliver(self._sent(name)))

    def _sent(self, name: str) -> Message:
        """A copy of what waits under that name, which waits no more."""
        sent = copy.deepcopy(self._waiting.pop(name))
        sent.metadata.__dict__["_message_id"] = name
        return sent

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Push, then pull."""
        return self.pull_messages(self.push_messages(messages))

    def deliver(self, message: Message) -> Message | None:
        """Let the node's client answer. None would mean that no reply ever comes."""
        try:
            return self.client(message, self._context(message))
        except Exception as error:
            return self._raised(message, error)

    def _context(self, message: Message) -> Context:
        """That of the node to which a message goes."""
        node = message.metadata.dst_node_id
        partition = self.partitions[node]
        config = {"partition-id": partition, "num-partitions": len(self.partitions)}
        config |= self.node_configs.get(partition, {})
        return Context(
            run_id=RUN_ID, node_id=node, node_config=config, state=RecordDict(), run_config=dict(self.run_config)
        )

    def _raised(self, message: Message, error: Exception) -> Message:
        """The error reply of a client that raised, in Flower's own words, so that a ledger reads the same whichever
        engine carried the messages."""
        traceback.print_exception(error)
        raised = ClientAppException(str(error))
        return Message(Error(code=CLIENT_RAISED, reason=f"{type(raised)}:<'{raised}'>"), reply_to=message)
