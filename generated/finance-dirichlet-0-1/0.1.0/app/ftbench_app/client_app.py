"""The client side: says which partition it holds, and trains."""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from . import shares, worker
from .arrays import from_record, to_record
from .errors import AppError
from .measure import peak_device_bytes, peak_memory_bytes

app = ClientApp()


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


def query(message: Message, context: Context) -> Message:
    """Answer with the partition id, after the self-check and a look into the store."""
    worker.check_store(worker.checked_settings(dict(context.run_config)))
    metrics = MetricRecord({"partition-id": partition_of(context)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


def train(message: Message, context: Context) -> Message:
    """Train from the adapter in the message and answer with the client's own."""
    wanted = worker.checked_settings(dict(context.run_config))
    partition = partition_of(context)
    task: ConfigRecord = message.content["config"]
    arrays, loss = worker.train(
        wanted,
        partition,
        round_number=int(task["round"]),
        learning_rate=float(task["learning-rate"]),
        arrays=from_record(message.content["adapter"]),
    )
    metrics = MetricRecord(
        {
            "partition-id": partition,
            "num-examples": shares.sizes(wanted)[partition],
            "steps": wanted.local_steps,
            "loss": loss,
            "peak-memory-bytes": peak_memory_bytes(),
            "peak-device-bytes": peak_device_bytes(),
            "deterministic": int(worker.deterministic()),
        }
    )
    return Message(RecordDict({"adapter": to_record(arrays), "metrics": metrics}), reply_to=message)


app.query()(query)
app.train()(train)
