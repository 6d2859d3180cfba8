"""Talking to the nodes: who is there, which partition each holds, and asking some of them with a time limit."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid

from .errors import CODES, AppError

POLL_SECONDS = 0.1
"""Flower's own send_and_receive looks every 3 s, which is longer than a small round."""
NODE_WAIT_SECONDS = 60.0
"""How long nodes may take to appear."""

T = TypeVar("T")

# Module names, so that a test can put its own clock in.
now = time.monotonic
sleep = time.sleep


def wait_for_nodes(grid: Grid, clients: int, timeout: float) -> list[int]:
    """Node ids once there are `clients` of them. Raises AppError when there are more or fewer for too long.

    There are more for a while where a SuperNode came back and its former self has not been missed yet.
    """
    end = now() + min(timeout, NODE_WAIT_SECONDS)
    while True:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) == clients:
            return nodes
        if now() >= end:
            raise AppError(
                "FTB545",
                f"the benchmark has {clients} clients, but there are {len(nodes)} SuperNodes",
                f"start exactly {clients} SuperNodes (in simulation: --num-supernodes {clients})",
            )
        sleep(POLL_SECONDS)


def exchange(
    grid: Grid,
    messages: Iterable[Message],
    timeout: float,
    take: Callable[[int, Message], None],
    at_once: int = 1000,
) -> None:
    """Send all messages and hand each reply to `take` as it comes, with its message's position, until the time is up.

    `at_once`: most messages that are sent, or replies that are fetched, in one go: so many are in memory at a time.
    A message that is not delivered, and a second reply to the same one, come to nothing.
    """
    waiting: dict[str, int] = {}
    position = 0
    for part in batched(messages, at_once):
        ids = list(grid.push_messages(part))
        # A push that failed as a whole returns no ids at all.
        for offset, name in enumerate(ids if len(ids) == len(part) else ()):
            if name:
                waiting[name] = position + offset
        position += len(part)
    end = now() + timeout
    while waiting:
        for names in batched(sorted(waiting, key=waiting.__getitem__), at_once):
            for reply in grid.pull_messages(names):
                found = waiting.pop(reply.metadata.reply_to_message_id, None)
                if found is not None:
                    take(found, reply)
        if not waiting or now() >= end:
            return
        sleep(POLL_SECONDS)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of that size, the last one perhaps shorter."""
    iterator = iter(items)
    while part := list(itertools.islice(iterator, size)):
        yield part


def find_partitions(grid: Grid, clients: int, timeout: float) -> dict[int, int]:
    """Partition id → node id. Raises AppError unless the nodes hold the partitions 0 … clients − 1, one each."""
    nodes = wait_for_nodes(grid, clients, timeout)
    questions = [
        Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY, ttl=max(timeout, 1.0)) for node in nodes
    ]
    found: dict[int, int] = {}
    replies: dict[int, Message] = {}
    exchange(grid, questions, timeout, replies.__setitem__)
    for position, node in enumerate(nodes):
        reply = replies.get(position)
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


def find_again(grid: Grid, nodes: Mapping[int, int], clients: int, timeout: float) -> dict[int, int]:
    """Partition id → node id after SuperNodes came back under other ids. Where nobody new is there nothing is asked.

    A partition passes to a new node only when the one that held it is gone. Nodes that refuse, or that say what cannot
    be, are left alone: their partitions are missing in the round.
    """
    there = set(grid.get_node_ids())
    new = sorted(there - set(nodes.values()))
    found = dict(nodes)
    if not new or all(node in there for node in nodes.values()):
        return found
    wait = min(timeout, NODE_WAIT_SECONDS)
    replies: dict[int, Message] = {}
    exchange(
        grid,
        [Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY, ttl=max(wait, 1.0)) for node in new],
        wait,
        replies.__setitem__,
    )
    for position, node in enumerate(new):
        reply = replies.get(position)
        if reply is None or reply.has_error():
            continue
        try:
            partition = int(reply.content["metrics"]["partition-id"])
        except (KeyError, TypeError, ValueError):
            continue
        if 0 <= partition < clients and found.get(partition) not in there:
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
