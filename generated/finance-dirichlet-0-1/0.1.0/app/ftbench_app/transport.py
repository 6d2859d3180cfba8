"""Talking to the nodes: who is there, which partition each holds, and asking some of them with a time limit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid

from .errors import CODES, AppError

POLL_SECONDS = 0.1
"""Flower's own send_and_receive looks every 3 s, which is longer than a small round."""
NODE_WAIT_SECONDS = 60.0
"""How long nodes may take to appear."""

# Module names, so that a test can put its own clock in.
now = time.monotonic
sleep = time.sleep


def wait_for_nodes(grid: Grid, clients: int, timeout: float) -> list[int]:
    """Node ids once all `clients` are there. Raises AppError when there are more, or fewer for too long."""
    end = now() + min(timeout, NODE_WAIT_SECONDS)
    while True:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) == clients:
            return nodes
        if len(nodes) > clients or now() >= end:
            raise AppError(
                "FTB545",
                f"the benchmark has {clients} clients, but there are {len(nodes)} SuperNodes",
                f"start exactly {clients} SuperNodes (in simulation: --num-supernodes {clients})",
            )
        sleep(POLL_SECONDS)


def exchange(grid: Grid, messages: Sequence[Message], timeout: float) -> list[Message | None]:
    """Send all messages and wait for their replies. Position i holds the reply to message i, None where none came.

    A second reply to the same message is ignored.
    """
    ids = list(grid.push_messages(messages))
    replies: dict[str, Message] = {}
    waiting = {name for name in ids if name}
    end = now() + timeout
    while waiting:
        for reply in grid.pull_messages(sorted(waiting)):
            name = reply.metadata.reply_to_message_id
            if name in waiting:
                waiting.remove(name)
                replies[name] = reply
        if not waiting or now() >= end:
            break
        sleep(POLL_SECONDS)
    # A push that failed as a whole returns no ids at all.
    return [replies.get(name) for name in ids] if len(ids) == len(messages) else [None] * len(messages)


def find_partitions(grid: Grid, clients: int, timeout: float) -> dict[int, int]:
    """Partition id → node id. Raises AppError unless the nodes hold the partitions 0 … clients − 1, one each."""
    nodes = wait_for_nodes(grid, clients, timeout)
    questions = [
        Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY, ttl=max(timeout, 1.0)) for node in nodes
    ]
    found: dict[int, int] = {}
    for node, reply in zip(nodes, exchange(grid, questions, timeout), strict=True):
        if reply is None:
            raise AppError("FTB545", f"node {node} did not say which partition it holds", "look into its log")
        if reply.has_error():
            reason = reason_of(reply)
            # The client's own code, where its refusal has one, says what kind of trouble it is.
            code = next((known for known in CODES if known in reason), "FTB555")
            raise AppError(code, f"a client refused to take part: {reason.replace(f'{code} ', '')}")
        try:
            partition = int(reply.content["metrics"]["partition-id"])
        except (KeyError, TypeError, ValueError):
            raise AppError("FTB545", f"node {node} did not say which partition it holds") from None
        if partition in found or not 0 <= partition < clients:
            raise AppError(
                "FTB545",
                f"node {node} says that it holds partition {partition}; each of 0 to {clients - 1} is needed once",
                "give every SuperNode its own partition-id",
            )
        found[partition] = node
    return found


def reason_of(reply: Message, limit: int = 500) -> str:
    """What an error reply says, on one line, cut to `limit` characters."""
    reason = str(reply.error.reason or f"error code {reply.error.code}")
    # Flower wraps what a client raised twice; what it said itself stands between these.
    _, found, said = reason.partition("Exception ClientAppException occurred. Message: ")
    return one_line(said.removesuffix("'>") if found else reason, limit)


def one_line(text: str, limit: int = 500) -> str:
    """Text for the ledger: printable, spaces run together, cut short."""
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)[:limit]
