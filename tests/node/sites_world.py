"""Sites in network namespaces of the test's own: a hub with the SuperLink, one wire to each site, TLS on every one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy

from ftbench.data import builtin
from ftbench.run.processes import tree
from ftbench.run.processes.tree import MARKER

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 900.0
CONNECTED = "SuperNode ID"
"""In what `ftbench node` prints once a SuperLink has taken it."""
HUB = "10.77.0.1"
PORT = 9092


def able() -> bool:
    """Whether this user may make network namespaces with wires between them."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Sites:
    """A federation of invented rows: `count` sites in namespaces, an organiser at the hub."""

    def __init__(self, folder: Path, count: int, extra: str = "") -> None:
        self.folder, self.count = folder, count
        self.names = [f"clinic-{number}" for number in range(count)]
        self.marker = f"{tree.new_token()}-test"
        self.tag = self.marker[:6]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLWR_", "FTBENCH_"))}
        self.env = kept | {
            MARKER: self.marker,
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "OMP_NUM_THREADS": "1",
        }
        (folder / "specs").mkdir()
        shutil.copy(ROOT / "specs" / "quickstart.yaml", folder / "specs")
        self.spec = folder / "specs" / "clinics.yaml"
        self.spec.write_text(
            "ftbench: spec/v1\nextends: quickstart.yaml\n"
            'metadata: {name: clinics, title: "Rows that stay at their sites"}\n'
            f"data: {{source: {{kind: sites, sites: [{', '.join(self.names)}]}}}}\n"
            f"federation: {{clients: {count}, partition: {{kind: sites}}, rounds: 3, sampling: {{fraction: 1.0}}}}\n"
            "training: {local_steps: 4}\n"
            "knobs: {federation.rounds: {min: 1, max: 6}, training.local_steps: {min: 1, max: 400}}\n" + extra
        )

    # --- wires ---

    def wire(self) -> None:
        """Make the hub's namespace and one for each site, with a pair of interfaces between."""
        self._ip("netns", "add", self.hub)
        self._ip("-n", self.hub, "link", "set", "lo", "up")
        self._ip("-n", self.hub, "link", "add", "br0", "type", "bridge")
        self._ip("-n", self.hub, "addr", "add", f"{HUB}/24", "dev", "br0")
        self._ip("-n", self.hub, "link", "set", "br0", "up")
        for number in range(self.count):
            space, near = self.space(number), f"v{self.tag}{number}"
            self._ip("netns", "add", space)
            self._ip("-n", space, "link", "set", "lo", "up")
            self._ip("link", "add", near, "netns", self.hub, "type", "veth", "peer", "name", "eth0", "netns", space)
            self._ip("-n", self.hub, "link", "set", near, "master", "br0", "up")
            self._ip("-n", space, "addr", "add", f"10.77.0.{number + 10}/24", "dev", "eth0")
            self._ip("-n", space, "link", "set", "eth0", "up")

    @property
    def hub(self) -> str:
        return f"ftb-{self.tag}-hub"

    def space(self, number: int) -> str:
        return f"ftb-{self.tag}-{number}"

    def bytes_on_wire(self, number: int) -> tuple[int, int]:
        """(received, sent) bytes of a site's interface, TLS and TCP included."""
        text = self.run("cat /proc/net/dev", number)
        words = next(line for line in text.splitlines() if "eth0:" in line).split("eth0:")[1].split()
        return int(words[0]), int(words[8])

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    # --- people ---

    def rows(self, number: int) -> list[dict[str, Any]]:
        """A site's own invented rows: its share of the herbalists' world."""
        every = builtin.rows("micro-world", "train")
        order = numpy.random.default_rng(20).permutation(len(every))
        return [every[k] for k in order[number :: self.count]]

    def join(self, number: int) -> Path:
        """The site's one command before the benchmark is compiled; the file that it hands out."""
        name = self.names[number]
        home = self.folder / f"at-{name}"
        home.mkdir(exist_ok=True)
        own = home / "own.jsonl"
        own.write_text("".join(json.dumps(row) + "\n" for row in self.rows(number)))
        self.run(f"ftbench site-kit join {self.spec} --site {name} --rows {own} --licence CC0-1.0 --out {home}", number)
        return home / f"{name}.site.json"

    def open(self) -> None:
        """The organiser's one command."""
        locks = " ".join(str(self.join(number)) for number in range(self.count))
        self.run(f"ftbench site-kit open {self.spec} {locks} --superlink {HUB}:{PORT} --out {self.folder}")

    def superlink(self) -> None:
        """Start the SuperLink and make the sites' keys known."""
        process = self.start("organiser/superlink.sh", "superlink")
        self.said("superlink", "Uvicorn running on", process)
        self.run("organiser/register.sh")

    def node(self, number: int, how: str = "--kit kit") -> subprocess.Popen[bytes]:
        """Start a site's node, in its namespace."""
        name = self.names[number]
        before = self.log(name).count(CONNECTED) if (self.folder / f"{name}.log").exists() else 0
        process = self.start(f"ftbench node at-{name}/{name} {how}", name, number)
        self.said(name, CONNECTED, process, times=before + 1)
        return process

    def all_rows(self) -> str:
        """A store with every site's rows, as nobody has in truth: for the inline engine."""
        store = self.folder / "everything" / "data"
        store.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            site = self.folder / f"at-{name}" / name
            digest = json.loads((site / "site.json").read_bytes())["digest"]
            shutil.copy(site / "rows.jsonl", store / f"{digest}.jsonl")
            shutil.copy(site / "rows.salt", store / f"{digest}.salt")
        return str(store.parent)

    # --- commands ---

    def run(self, text: str, number: int | None = None) -> str:
        """Run a command to its end at the hub or at a site; what it prints."""
        done = subprocess.run(
            self._words(text, number), cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, text: str, name: str, number: int | None = None) -> subprocess.Popen[bytes]:
        """Start a command that goes on; its output is in `NAME.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self._words("exec " + text, number),
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )

    def _words(self, text: str, number: int | None) -> list[str]:
        space = self.hub if number is None else self.space(number)
        return ["ip", "netns", "exec", space, "bash", "-euo", "pipefail", "-c", text]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def said(self, name: str, text: str, process: subprocess.Popen[bytes] | None = None, *, times: int = 1) -> None:
        """Wait until a log has that text so many times: it goes on where an earlier process of the name ended."""
        end = time.monotonic() + PATIENCE
        while self.log(name).count(text) < times:
            over = process is not None and process.poll() is not None
            assert not over and time.monotonic() < end, f"{name} never said {text!r}\n{self.log(name)}"
            time.sleep(0.1)

    def until(self, holds: Any, why: str, process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait; not any longer than `process` is there, of which something is awaited."""
        end = time.monotonic() + PATIENCE
        while not holds():
            over = process is not None and process.poll() is not None
            assert not over and time.monotonic() < end, f"{why}\n{self.log('run') if over else ''}"
            time.sleep(0.1)

    def journal(self, number: int) -> list[dict[str, Any]]:
        """The site's own record of what came and left."""
        name = self.names[number]
        path = self.folder / f"at-{name}" / name / "state" / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def ledger(self, run: str) -> list[dict[str, Any]]:
        path = self.folder / run / "ledger.jsonl"
        return [json.loads(line)["body"] for line in path.read_bytes().splitlines()] if path.exists() else []

    def rounds(self, run: str) -> int:
        return sum(line["event"] == "round" for line in self.ledger(run))

    def end(self) -> None:
        left = tree.end(self.marker)
        for space in [self.hub, *map(self.space, range(self.count))]:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)
        assert left == []


@contextmanager
def federation(folder: Path, count: int, extra: str = "") -> Iterator[Sites]:
    """Wires, joined sites and an open federation; nodes are started by the test."""
    made = Sites(folder, count, extra)
    try:
        made.wire()
        made.open()
        made.superlink()
        yield made
    finally:
        made.end()
