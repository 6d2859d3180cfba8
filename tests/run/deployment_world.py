"""The commands of docs/deployment.md, run as they stand there, with free ports in place of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftbench.run.processes import tree
from ftbench.run.processes.tree import MARKER

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"^```sh ?([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("9092", "9094", "9095")
PATIENCE = 600.0


def blocks() -> list[tuple[str, str]]:
    """(label, commands) of each block of the page, in order."""
    return BLOCK.findall((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8"))


class Lab:
    """A folder beside `specs` and `generated`, as in a checkout, with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.marker = f"{tree.new_token()}-test"
        (folder / "specs").mkdir()
        shutil.copy(ROOT / "specs" / "quickstart.yaml", folder / "specs")
        shutil.copytree(ROOT / "generated" / "quickstart" / "store", folder / "generated" / "quickstart" / "store")
        (folder / "home").mkdir()
        self.folder = folder / "lab"
        self.folder.mkdir()
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        foreign = ("FLWR_", "FTBENCH_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env = kept | {
            MARKER: self.marker,
            "HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "OMP_NUM_THREADS": "1",
        }

    def command(self, text: str) -> str:
        """The page's commands with this lab's ports, inside its folder."""
        for port, ours in self.ports.items():
            text = text.replace(port, str(ours))
        return text

    def run(self, text: str) -> str:
        """Run commands to their end; what they print. Every one must succeed."""
        words = ["bash", "-euo", "pipefail", "-c", self.command(text)]
        where = self.folder.parent if "cd lab" in text else self.folder
        done = subprocess.run(words, cwd=where, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, text: str, name: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on; its output is in `NAME.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            words = ["bash", "-c", "exec " + self.command(text).lstrip()]
            return subprocess.Popen(
                words,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Tests that run in the background have Ctrl-C ignored, and whom they start would too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )

    def said(self, name: str, text: str, process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until a log holds a text."""
        self.until(lambda: text in self.log(name), f"{name} never said {text!r}", process, name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def until(self, holds, why: str, process: subprocess.Popen[bytes] | None = None, name: str = "") -> None:  # type: ignore[no-untyped-def]
        end = time.monotonic() + PATIENCE
        while not holds():
            over = process is not None and process.poll() is not None
            assert not over and time.monotonic() < end, f"{why}\n{self.log(name) if name else ''}"
            time.sleep(0.1)

    def end(self) -> None:
        """Leave no process behind."""
        assert tree.end(self.marker) == []

    def interrupt(self, process: subprocess.Popen[bytes], number: signal.Signals) -> int:
        process.send_signal(number)
        return process.wait(timeout=PATIENCE)


@contextmanager
def lab(folder: Path, *, nodes: bool = True) -> Iterator[Lab]:
    """A SuperLink over TLS with two registered SuperNodes, after the page; they end with the block."""
    made = Lab(folder)
    try:
        for label, text in blocks():
            if "ftbench run" in text:
                break  # the tests do that in their own ways
            if label == "superlink":
                process = made.start(text, label)
                made.said(label, "Uvicorn running on", process)
            elif label and nodes:
                process = made.start(text, label)
                made.said(label, "SuperNode ID", process)
            elif not label:
                made.run(text)
        yield made
    finally:
        made.end()


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
