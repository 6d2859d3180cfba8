"""A Flower app of a few lines that keeps to the contract of a run folder, for tests of the engine around it."""

from __future__ import annotations

import sys
from pathlib import Path

from ftbench.run.engines.engine import TrainJob
from ftbench.run.processes import tree

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "tiny"
version = "1.0.0"
license = "Apache-2.0"
dependencies = []
[tool.flwr.app]
publisher = "tests"
[tool.flwr.app.components]
serverapp = "tiny.server_app:app"
clientapp = "tiny.client_app:app"
[tool.flwr.app.config]
run-dir = ""
mode = ""
"""

CLIENT = """
import os
import signal
from pathlib import Path

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message, context):
    if context.run_config["mode"] == "hang":
        (Path(context.run_config["run-dir"]) / "waiting").write_text("")
        while True:
            signal.pause()
    told = {"partition": context.node_config["partition-id"], "threads": os.environ["OMP_NUM_THREADS"]}
    told["devices"] = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    return Message(RecordDict({"told": ConfigRecord(told)}), reply_to=message)
"""

SERVER = """
import json
import os
from pathlib import Path

from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    run_dir, mode = Path(context.run_config["run-dir"]), context.run_config["mode"]
    if mode == "refuse":
        told = {"code": "FTB546", "message": "no data", "hint": "fetch it"}
        (run_dir / "error.json").write_text(json.dumps(told))
        raise RuntimeError("refused")
    if mode == "raise":
        raise RuntimeError("boom in the server")
    if mode == "die":
        os._exit(9)
    ids = []
    while len(ids) < 3:
        ids = list(grid.get_node_ids())
    messages = [Message(RecordDict(), dst_node_id=i, message_type=MessageType.TRAIN) for i in ids]
    replies = list(grid.send_and_receive(messages))
    told = sorted(reply.content["told"]["partition"] for reply in replies)
    (run_dir / "told.json").write_text(json.dumps(told))
    devices = sorted(reply.content["told"]["devices"] for reply in replies)
    (run_dir / "devices.json").write_text(json.dumps(devices))
    if mode == "silent":
        return
    body = {"event": "finished", "rounds": 0, "round": 0, "adapter": "0" * 64, "bytes_down": 0, "bytes_up": 0}
    line = {"seq": 0, "prev": "0" * 64, "body": body}
    (run_dir / "ledger.jsonl").write_text(json.dumps(line) + "\\n")
"""


def make_job(
    folder: Path, mode: str = "", *, fab_hash: str = "", round_timeout: float = 600.0, workers: int = 1, gpus: int = 0
) -> TrainJob:
    """The app in `folder` with an empty run folder beside it, and the job to run it."""
    package = folder / "compiled" / "app" / "tiny"
    package.mkdir(parents=True)
    (package.parent / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text("")
    (package / "client_app.py").write_text(CLIENT)
    (package / "server_app.py").write_text(SERVER)
    run_dir = folder / 'run "ä'
    (run_dir / "logs").mkdir(parents=True)
    return TrainJob(
        compiled=folder / "compiled",
        run_config={"run-dir": str(run_dir), "mode": mode},
        run_dir=run_dir,
        logs=run_dir / "logs",
        clients=3,
        workers=workers,
        client_gpus=1.0 if gpus else 0.0,
        gpus=gpus,
        fab_hash=fab_hash,
        round_timeout=round_timeout,
        marker=f"{tree.new_token()}-test",
    )


def main(folder: Path) -> None:
    """Run the hanging app until somebody ends this process."""
    from ftbench.interrupts import in_order
    from ftbench.run.engines.flower import FlowerSimulation

    job = make_job(folder, "hang")
    announced = False

    def tick() -> None:
        nonlocal announced
        if not announced and (job.run_dir / "waiting").exists():
            announced = True
            print(job.marker, flush=True)

    with in_order():
        FlowerSimulation().train(job, tick)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
