"""Cells of a sweep at once: which devices, one lock a cell, processes of their own, and the job script."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from runner_world import World

from ftbench import builtin, codes
from ftbench.cli import sweep_files
from ftbench.cli.main import run
from ftbench.compile.compiler import compile_spec
from ftbench.errors import FtbenchError, InvalidInput, RunFailed
from ftbench.run import slurm, sweep, sweep_many
from ftbench.run.rundir import RunDir
from ftbench.run.sweep_many import Going, devices
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec

Captured = pytest.CaptureFixture[str]
RANKS = ("sweep", "quickstart", "--vary", "adapter.rank=2,4", "--seeds", "2", "--out", "out")
CELL = """
import json, os, sys, time
number = int(sys.argv[sys.argv.index("--cell") + 1])
with open("seen", "a") as seen:
    seen.write(json.dumps([number, os.environ["CUDA_VISIBLE_DEVICES"], len(os.sched_getaffinity(0))]) + "\\n")
if number == 2:
    print(json.dumps({"runs": [{"code": "FTB525", "problem": "it failed"}]}))
    sys.exit(5)
if number == 3:
    os._exit(9)
time.sleep(0.2)
"""
FILE = """
ftbench: sweep/v1
title: Ranks
claim: A rank is as good as another.
refuted_by: A difference.
fixed: All else.
specs: [{specs}]
vary: {{adapter.rank: [2, 4]}}
set: {{adapter.alpha: 8}}
seeds: 2
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    path = builtin.specs()["quickstart"]
    compiled = compile_spec(load_spec(path).spec, load_pins(path))
    made = World(tmp_path, compiled, resolve_entry(compiled.plan.typed_spec(), None))
    made.put_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-3", ["0", "1", "2", "3"]), ("0, 2", ["0", "2"]), ("cpu,cpu", ["cpu", "cpu"]), ("GPU-4f,1", ["GPU-4f", "1"])],
)
def test_devices_are_named(text: str, expected: list[str]) -> None:
    assert devices(text, lambda: ["H100"] * 4) == expected


@pytest.mark.parametrize("text", ["", "4", "0-4", "1,1", "GPU-a,GPU-a", "cuda:0", "-1", "auto"])
def test_devices_that_are_not_there_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="FTB531"):
        devices(text, lambda: ["H100"] * 4)


def test_cells_go_one_a_place_and_say_why_they_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.py").write_text(CELL)
    most, going = 0, 0
    ended: dict[int, FtbenchError | None] = {}

    def start(one: Going) -> None:
        nonlocal most, going
        going += 1
        most = max(most, going)

    def end(one: Going, failure: FtbenchError | None) -> None:
        nonlocal going
        going -= 1
        ended[one.number] = failure

    command = [sys.executable, "-P", str(tmp_path / "cell.py")]
    sweep_many.work([1, 2, 3, 4, 5], ["7", "cpu"], command, tmp_path / "logs", on_start=start, on_end=end)
    assert most == 2
    assert sorted(ended) == [1, 2, 3, 4, 5]
    assert [ended[number] for number in (1, 4, 5)] == [None, None, None]
    for number, code in ((2, "FTB525"), (3, codes.CELL_ENDED)):
        failure = ended[number]
        assert isinstance(failure, RunFailed)
        assert failure.diagnostics[0].code == code
    seen = [json.loads(line) for line in Path("seen").read_text().splitlines()]
    assert {device for _, device, _ in seen} == {"7", ""}


def test_cells_on_the_cpu_part_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.py").write_text(
        CELL.replace("import json, os, sys, time", "import json, os, sys, time; time.sleep(.5)")
    )
    command = [sys.executable, "-P", str(tmp_path / "cell.py")]
    sweep_many.work([1, 4], ["cpu", "cpu"], command, tmp_path / "logs", on_start=lambda _: None, on_end=lambda *_: None)
    seen = [json.loads(line) for line in Path("seen").read_text().splitlines()]
    whole = len(os.sched_getaffinity(0))
    assert sum(cores for _, _, cores in seen) == max(whole, 2)


def test_stopping_ends_the_cells_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (open('ended', 'w'), sys.exit(130)))\n"
    (tmp_path / "cell.py").write_text(text + "open('up', 'w')\ntime.sleep(600)\n")

    def start(_: Going) -> None:
        while not Path("up").exists():
            time.sleep(0.05)
        raise KeyboardInterrupt

    command = [sys.executable, "-P", str(tmp_path / "cell.py")]
    with pytest.raises(KeyboardInterrupt):
        sweep_many.work([1], ["cpu"], command, tmp_path / "logs", on_start=start, on_end=lambda *_: None)
    assert Path("ended").exists()


def test_a_cell_is_one_process_s(tmp_path: Path) -> None:
    other = (
        "import sys\nfrom pathlib import Path\nfrom ftbench.errors import RunFailed\n"
        "from ftbench.run.sweep_many import hold_cell\n"
        "try:\n  with hold_cell(Path(sys.argv[1]), Path(sys.argv[2])): print('held')\n"
        "except RunFailed as error: print(error.diagnostics[0].code)\n"
    )

    def elsewhere(cell: str) -> str:
        words = [sys.executable, "-c", other, str(tmp_path), str(tmp_path / cell)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    with sweep_many.hold_cell(tmp_path, tmp_path / "a"):
        assert elsewhere("a") == codes.BUSY
        assert elsewhere("b") == "held"
    assert elsewhere("a") == "held"


def test_a_cell_is_free_when_whoever_held_it_has_ended(tmp_path: Path) -> None:
    text = "import sys\nfrom pathlib import Path\nfrom ftbench.run.sweep_many import hold_cell\n"
    text += "with hold_cell(Path(sys.argv[1]), Path(sys.argv[2])): print('held', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", text, str(tmp_path), str(tmp_path / "a")]
    cells = {1: tmp_path / "a", 2: tmp_path / "b"}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert sweep_many.freed(tmp_path, cells, 0.3) == [2]
        ending = threading.Timer(0.3, holder.stdin.close)
        ending.start()
        assert sweep_many.freed(tmp_path, cells, 60) == [1, 2]
        ending.join()


def test_one_cell_runs_beside_others_and_writes_no_table(world: World, capsys: Captured) -> None:
    with sweep.hold_sweep(Path("out"), shared=True):
        assert run([*RANKS, "--cell", "3", "--json"]) == 0
        assert [path.parent.name for path in Path("out").glob("*/run.json")] == ["quickstart-rank4-s1"]
        assert [one["state"] for one in json.loads(capsys.readouterr().out)["runs"]] == ["whole"]
        assert run([*RANKS, "--cell", "3"]) == 0  # whole already
        assert len(world.engine.jobs) == 1
        assert run([*RANKS]) == 5  # a sweep of one process has the folder alone
    assert not Path("out/sweep.json").exists()
    assert run([*RANKS, "--cell", "5"]) == 2
    assert run([*RANKS, "--cell", "1", "--emit", "slurm"]) == 2
    assert run([*RANKS]) == 0
    assert len(world.engine.jobs) == 4


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the cells' processes, carried out in this one; the second finds its cell held."""
    asked: list[list[str]] = []

    class Process:
        pid, stdin = 0, None

        def __init__(self, words: list[str], stdout: Any, **_: Any) -> None:
            asked.append(words)
            self.returncode = 5 if len(asked) == 2 else 0
            if self.returncode:
                stdout.write(json.dumps({"runs": [{"code": codes.BUSY, "problem": "held"}]}).encode())
            else:
                assert run([word for word in words[words.index("sweep") :] if word != sweep_many.TIED]) == 0

        def poll(self) -> int:
            return self.returncode

    # Of this module alone: other processes are started as ever.
    monkeypatch.setattr(sweep_many, "subprocess", SimpleNamespace(Popen=Process, PIPE=subprocess.PIPE))
    monkeypatch.setattr(sweep_many, "_share_cores", lambda *_: None)
    return asked


def test_devices_run_the_sweep_s_own_command(world: World, asked: list[list[str]], capsys: Captured) -> None:
    """Each cell by the command that a process would be given. One that a cell which is just ending holds is carried
    out after the others."""
    more = ["--keep", "every 2", "--micro-batch", "auto", "--set", "adapter.alpha=8", "--smoke", "--max-seconds", "900"]
    assert run([*RANKS, *more, "--devices", "cpu,cpu"]) == 0
    assert [words[words.index("--cell") + 1] for words in asked] == ["1", "2", "3", "4", "2"]
    assert all(sweep_many.TIED in words for words in asked)
    settings = RunDir.open(next(Path("out").glob("*rank4*s2"))).settings()
    assert (settings.keep, settings.micro_batch, settings.smoke, settings.limits.max_seconds) == (2, -1, True, 900)
    assert [one["state"] for one in json.loads(Path("out/sweep.json").read_bytes())["runs"]] == ["whole"] * 4
    assert "run 4 of 4 on cpu" in capsys.readouterr().err


def test_a_file_s_sweeps_use_several_devices(world: World, asked: list[list[str]]) -> None:
    """One spec after another, each with its own cells, folder and table; what the file settles stands in each cell's
    command, which knows nothing of the file."""
    text = FILE.format(specs="quickstart")
    Path("ranks.yaml").write_text(text)
    assert run(["sweep", "ranks.yaml", "--out", "out", "--devices", "cpu,cpu"]) == 0
    assert [words[words.index("--cell") + 1] for words in asked] == ["1", "2", "3", "4", "2"]
    assert not any("ranks.yaml" in words for words in asked)
    found = json.loads(Path("out/quickstart/sweep.json").read_bytes())
    assert [one["state"] for one in found["runs"]] == ["whole"] * 4
    assert RunDir.open(next(Path("out/quickstart").glob("*rank4*s2"))).entry().knobs["adapter.alpha"] == 8


def test_a_file_s_sweeps_go_to_a_batch_system(world: World, capsys: Captured) -> None:
    Path("ranks.yaml").write_text(FILE.format(specs="quickstart"))
    assert run(["sweep", "ranks.yaml", "--out", "out", "--cell", "2"]) == 0
    assert run(["sweep", "ranks.yaml", "--out", "out", "--emit", "slurm"]) == 0
    text = Path("out/quickstart", slurm.SCRIPT).read_text()
    assert "#SBATCH --array=1,3-4\n" in text and "--vary adapter.rank=2,4 --seeds 2 --set adapter.alpha=8" in text
    assert len({sweep_files._folder(one) for one in ("a.yaml", "../a.yaml", "b/a.yaml", "/a.yaml")}) == 4
    Path("two.yaml").write_text(FILE.format(specs="quickstart, ./own.yaml"))
    capsys.readouterr()
    assert run(["sweep", "two.yaml", "--cell", "2"]) == 2  # of which?
    assert "the file sweeps 2 specs" in capsys.readouterr().err


def test_the_job_script_has_a_task_for_each_run_that_is_not_whole(world: World, capsys: Captured) -> None:
    assert run([*RANKS, "--cell", "2"]) == 0
    assert run([*RANKS, "--emit", "slurm"]) == 0
    text = Path("out", slurm.SCRIPT).read_text()
    assert "#SBATCH --array=1,3-4\n" in text
    assert "--signal=B:TERM@" in text and "scontrol requeue" in text and "HF_HUB_OFFLINE=1" in text
    assert "about" in capsys.readouterr().err
    assert text.index("\ntrap ") < text.index("--cell"), "a signal in between would be lost"
    assert "#SBATCH --time=1:00:00" in text
    subprocess.run([shutil.which("bash") or "bash", "-n", str(Path("out", slurm.SCRIPT))], check=True)


@pytest.mark.parametrize("whole_at_once", [False, True])
def test_a_task_that_is_asked_to_end_is_queued_again(tmp_path: Path, whole_at_once: bool) -> None:
    """The script itself, with a cell that ends in order and a `scontrol` that notes what it is told."""
    (tmp_path / "logs").mkdir()
    code = 0 if whole_at_once else 130
    (tmp_path / "cell.py").write_text(
        f"import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))\n"
        "open('up', 'w').write(' '.join(sys.argv[1:]))\ntime.sleep(600)\n"
    )
    (tmp_path / "scontrol").write_text('#!/bin/sh\necho "$@" > requeued\n')
    (tmp_path / "scontrol").chmod(0o755)
    command = [sys.executable, "-P", str(tmp_path / "cell.py")]
    text = slurm.script(command, [1, 2, 4], name="x", folder=tmp_path, cwd=tmp_path, seconds=None)
    assert "--array=1-2,4\n" in text and "--time=" not in text.split("# Add")[0]
    (tmp_path / slurm.SCRIPT).write_text(text)
    names = {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_JOB_ID": "77", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    task = subprocess.Popen(["bash", str(tmp_path / slurm.SCRIPT)], env={**os.environ, **names})
    while not (tmp_path / "up").exists() or not (tmp_path / "up").read_text():
        time.sleep(0.05)
    task.terminate()
    assert task.wait(60) == code
    assert (tmp_path / "up").read_text() == "--cell 4"
    assert (tmp_path / "requeued").exists() is not whole_at_once
    if not whole_at_once:
        assert (tmp_path / "requeued").read_text() == "requeue 77_4\n"
