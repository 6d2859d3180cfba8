"""The client side: says which partition it holds, and trains."""

from __future__ import annotations

from collections.abc import Sequence

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from . import client_round, client_rows, node, privacy, worker
from .arrays import Arrays, from_record, to_record
from .errors import AppError
from .measure import peak_device_bytes, peak_memory_bytes, peak_reserved_bytes, resident_bytes
from .replies import NOT_KNOWN, TOGETHER
from .settings import Settings

app = ClientApp()
BEGAN = resident_bytes()
"""Resident set of this process when the app was loaded, before it has a base model."""


def partition_of(context: Context) -> int:
    """The node's partition id, from its node config."""
    value = context.node_config.get("partition-id")
    if isinstance(value, bool) or not isinstance(value, int):
        raise AppError(
            "FTB545",
            "this node has no partition id",
            'start the SuperNode with --node-config "partition-id=K num-partitions=N"',
        )
    return value


def settings_of(context: Context) -> Settings:
    """What this node is asked to do, after the self-check."""
    return node.applied(worker.checked_settings(dict(context.run_config)), context.node_config)


def warm(context: Context) -> None:
    """Load the model, so that processes made of this one have it."""
    worker.find_worker(settings_of(context))


def query(message: Message, context: Context) -> Message:
    """Answer with the partition id, after the self-check and a look into the store."""
    partition = partition_of(context)
    worker.check_store(settings_of(context), partition)
    metrics = MetricRecord({"partition-id": partition})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


def train(message: Message, context: Context) -> Message:
    """Train from the arrays in the message and answer with the client's own."""
    wanted, task, sent = _asked(message, context)
    return _reply(message, wanted, task, client_round.carry_out(wanted, task, sent))


def train_together(messages: Sequence[Message], contexts: Sequence[Context]) -> list[Message | Exception]:
    """`train` of several clients of one round at once, on this process's device: the reply of each, or what it raised.

    A reply that came about so says how many trained together. Its arrays are those of `train` but for rounding.
    """
    from . import together_round

    asked = [_asked(*one) for one in zip(messages, contexts, strict=True)]
    found: list[Message | Exception] = []
    for message, (wanted, task, _), made in zip(messages, asked, together_round.carry_out(asked), strict=True):
        if isinstance(made, Exception):
            found.append(made)
            continue
        reply = _reply(message, wanted, task, made[0])
        reply.content["metrics"][TOGETHER] = made[1]
        found.append(reply)
    return found


def _asked(message: Message, context: Context) -> tuple[Settings, client_round.Task, Arrays]:
    config: ConfigRecord = message.content["config"]
    task = client_round.Task(
        partition=partition_of(context),
        round=int(config["round"]),
        learning_rate=float(config["learning-rate"]),
        state=str(config["client-state"]),
        state_dir=str(context.node_config.get("state-dir", "")),
    )
    return settings_of(context), task, from_record(message.content["adapter"])


def _reply(message: Message, wanted: Settings, task: client_round.Task, reply: client_round.Reply) -> Message:
    metrics = MetricRecord(
        {
            "partition-id": task.partition,
            "num-examples": client_rows.sizes(wanted)[task.partition],
            "num-used": NOT_KNOWN if reply.used is None else reply.used,
            "steps": wanted.local_steps,
            "loss": reply.loss,
            "peak-memory-bytes": peak_memory_bytes(),
            "peak-device-bytes": peak_device_bytes(),
            "peak-reserved-bytes": peak_reserved_bytes(),
            "memory-growth-bytes": max(0, peak_memory_bytes() - BEGAN),
            "micro-batch": reply.micro_batch,
            "deterministic": int(worker.deterministic() and not privacy.is_secret(wanted)),
        }
    )
    content = {
        "adapter": to_record(reply.arrays),
        "metrics": metrics,
        "config": ConfigRecord({"client-state": reply.state}),
    }
    return Message(RecordDict(content), reply_to=message)


app.query()(query)
app.train()(train)
