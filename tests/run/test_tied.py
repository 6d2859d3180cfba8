"""Workers that end with whoever started them, also where that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ftbench.run.merging import CONVERTER
from ftbench.run.processes.tied import run_tied

WAITS = """
import sys, time
from ftbench.run.engines.inline_worker import end_with_stdin
end_with_stdin()
open(sys.argv[1], "w").close()
time.sleep(600)
"""
PARENT = """
import os, sys
from pathlib import Path
from ftbench.run.processes.tied import run_tied
run_tied([sys.executable, "-c", sys.argv[1], sys.argv[2]], Path(sys.argv[3]), os.environ)
"""
SWEEP = """
import sys
from pathlib import Path
from ftbench.run.sweep_many import work
command = [sys.executable, "-c", *sys.argv[2:]]
work([1, 2], ["cpu", "cpu"], command, Path(sys.argv[1]), on_start=lambda _: None, on_end=lambda *_: None)
"""
CELL = """
import os, sys, tempfile
from pathlib import Path
from ftbench.interrupts import in_order
from ftbench.run.processes.tied import end_in_order_with_stdin, run_tied
assert "--tied" in sys.argv
with in_order():
    end_in_order_with_stdin(60)
    assert os.read(0, 1) == b"", "what it starts could read what is not for it"
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        run_tied([sys.executable, "-c", sys.argv[2], folder + "/up"], Path(folder, "log"), os.environ)
"""
CONVERTS = """
import sys
from pathlib import Path
from ftbench.run.merging import to_gguf
to_gguf(Path(sys.argv[1]), Path(sys.argv[1]), Path(sys.argv[2]))
"""
STUBBORN = """
import signal, time
from ftbench.run.processes.tied import end_in_order_with_stdin
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_in_order_with_stdin(0.5)
time.sleep(600)
"""


def test_what_it_says_and_how_it_ended(tmp_path: Path) -> None:
    text = "import os, sys; print('out', os.getcwd(), flush=True); sys.exit('err')"
    status = run_tied([sys.executable, "-c", text], tmp_path / "log", os.environ, tmp_path)
    assert (status, (tmp_path / "log").read_text()) == (1, f"out {tmp_path}\nerr\n")


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_starter(number: signal.Signals, tmp_path: Path) -> None:
    up = tmp_path / "up"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, WAITS, str(up), str(tmp_path / "log")], stderr=-3)
    while not up.exists() and parent.poll() is None:
        time.sleep(0.02)
    [child] = psutil.Process(parent.pid).children()
    parent.send_signal(number)
    parent.wait(60)
    child.wait(60)


def test_merging_ends_when_nobody_waits_for_it() -> None:
    order = '{"base": "nowhere", "adapter": "nowhere", "out": "nowhere", "dtype": "float32"}'
    command = [sys.executable, "-P", "-m", "ftbench.run.merge_worker", order]
    assert subprocess.run(command, input=b"", stderr=-3, timeout=300, check=False).returncode == 3


def test_cells_and_theirs_end_with_a_killed_sweep(tmp_path: Path) -> None:
    """They do so in order: their temporary folders go too."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = [sys.executable, "-c", SWEEP, str(tmp_path / "logs"), CELL, str(temporary), WAITS]
    sweep = subprocess.Popen(words)
    while len(list(temporary.glob("*/up"))) < 2 and sweep.poll() is None:
        time.sleep(0.02)
    started = psutil.Process(sweep.pid).children(recursive=True)
    assert len(started) == 4, "two cells, and a worker of each"
    sweep.kill()
    sweep.wait(60)
    assert psutil.wait_procs(started, timeout=60)[1] == []
    assert list(temporary.iterdir()) == []


def test_who_does_not_end_in_order_is_ended() -> None:
    assert subprocess.run([sys.executable, "-c", STUBBORN], input=b"", timeout=60, check=False).returncode == 3


def test_a_cell_ends_when_its_sweep_is_gone(tmp_path: Path) -> None:
    words = [sys.executable, "-P", "-m", "ftbench", "sweep", "quickstart", "--vary", "adapter.rank=2,4", "--smoke"]
    words += ["--engine", "inline", "--out", str(tmp_path / "out"), "--cell", "1", "--tied"]
    done = subprocess.run(words, input=b"", stderr=subprocess.PIPE, timeout=300, check=False)
    assert done.returncode == 130, done.stderr


def test_a_converter_of_the_user_s_ends_with_its_starter(tmp_path: Path) -> None:
    (tmp_path / CONVERTER).write_text("import sys, time; open(sys.argv[3], 'w').close(); time.sleep(600)")
    parent = subprocess.Popen([sys.executable, "-c", CONVERTS, str(tmp_path), str(tmp_path / "x.gguf")])
    while not (tmp_path / ".part-x.gguf").exists() and parent.poll() is None:
        time.sleep(0.02)
    [child] = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait(60)
    child.wait(60)
