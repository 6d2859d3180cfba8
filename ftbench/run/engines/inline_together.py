"""A Grid whose clients of a round train together: in this process, on its device, in passes that they share.

For CUDA, where `inline_processes` is of no use. The run does not end at the same bits as one whose clients take turns,
so it is a mode that is asked for, and the ledger's rounds say how many trained together.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flwr.app import Context, Message, MessageType
from flwr.clientapp import ClientApp

from ftbench.run.engines.inline_grid import InlineGrid

Train = Callable[[Sequence[Message], Sequence[Context]], list[Message | Exception]]


class TogetherGrid(InlineGrid):
    """`InlineGrid` whose training messages are answered `most` at a time."""

    def __init__(self, client: ClientApp, run_config: Mapping[str, Any], clients: int, most: int, train: Train) -> None:
        """`train`: the app's own, of several messages at once."""
        super().__init__(client, run_config, clients)
        self._most = most
        self._train = train

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Deliver those of these messages that were not delivered yet, several at a time, and return the replies."""
        names = [name for name in message_ids if name in self._waiting]
        kinds = {self._waiting[name].metadata.message_type for name in names}
        if len(names) < 2 or kinds != {MessageType.TRAIN}:
            return super().pull_messages(names)
        found: list[Message] = []
        for start in range(0, len(names), self._most):
            sent = [self._sent(name) for name in names[start : start + self._most]]
            found += self._together(sent)
        return found

    def _together(self, sent: list[Message]) -> list[Message]:
        try:
            answers = self._train(sent, [self._context(one) for one in sent])
        except Exception as error:  # of all of them: nobody says whose it is
            answers = [error] * len(sent)
        return [
            self._raised(message, one) if isinstance(one, Exception) else copy.deepcopy(one)
            for message, one in zip(sent, answers, strict=True)
        ]
