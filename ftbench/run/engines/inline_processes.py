"""A Grid that lets several clients of a round train at once, each in a process made of this one.

The processes share the loaded model's memory. A client's round follows from its message alone, so the run ends at the
same adapter whatever the number of processes. Not for CUDA: a process that has used a device cannot be divided.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any

from flwr.app import Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp

from ftbench.parallel import end_with
from ftbench.run.engines.inline_grid import FIRST_NODE, RUN_ID, InlineGrid


class ProcessGrid(InlineGrid):
    """`InlineGrid` whose training messages are answered by `processes` processes."""

    def __init__(
        self,
        client: ClientApp,
        run_config: Mapping[str, Any],
        clients: int,
        processes: int = 2,
        warm: Callable[[Context], None] | None = None,
    ) -> None:
        """`warm`: called once before processes are made, with a client's context, to load what they share."""
        super().__init__(client, run_config, clients)
        self._processes = processes
        self._warm = warm
        self._crew: list[Connection] = []

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Deliver those of these messages that were not delivered yet, several at a time, and return the replies."""
        names = [name for name in message_ids if name in self._waiting]
        kinds = {self._waiting[name].metadata.message_type for name in names}
        if len(names) < 2 or kinds != {MessageType.TRAIN}:
            return super().pull_messages(names)
        if not self._crew:
            self._start()
        replies: dict[str, Message | None] = {}
        free, busy, left = list(self._crew), dict[Connection, str](), list(names)
        while left or busy:
            while free and left:
                connection, name = free.pop(), left.pop(0)
                sent = self._waiting.pop(name)
                sent.metadata.__dict__["_message_id"] = name
                connection.send(sent)
                busy[connection] = name
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                name = busy.pop(ready)
                try:
                    replies[name] = ready.recv()
                except EOFError:
                    raise RuntimeError("a process in which clients train was ended") from None
                free.append(ready)
        return [reply for name in names if (reply := replies[name]) is not None]

    def close(self) -> None:
        """End the processes."""
        while self._crew:
            self._crew.pop().close()

    def _start(self) -> None:
        if self._warm is not None:
            config = {"partition-id": 0, "num-partitions": len(self.partitions), **self.node_configs.get(0, {})}
            context = Context(
                run_id=RUN_ID, node_id=FIRST_NODE, node_config=config, state=RecordDict(), run_config=self.run_config
            )
            with contextlib.suppress(Exception):  # what is wrong each client says for itself
                self._warm(context)
        made = multiprocessing.get_context("fork")
        for _ in range(self._processes):
            ours, theirs = made.Pipe()
            self._crew.append(ours)
            made.Process(target=self._serve, args=(theirs, os.getpid()), daemon=True).start()
            theirs.close()

    def _serve(self, connection: Connection, parent: int) -> None:
        """A process's life: answer message after message, and end with whoever sends them."""
        for other in self._crew:
            other.close()
        end_with(parent)
        while True:
            try:
                message = connection.recv()
            except EOFError:
                os._exit(0)
            connection.send(self.deliver(message))
