"""lock, compile, publish, pack, killed at their writes: what stands there is old or whole; the next one mends all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_benchmark_commands import publish, tree

KILLED = """
import os, sys
at, seen = int(sys.argv[1]), 0
def counted(real):
    def call(*arguments, **more):
        global seen
        seen += 1
        if seen == at:
            os._exit(137)
        return real(*arguments, **more)
    return call
for name in ("replace", "rename", "fsync", "chmod"):
    setattr(os, name, counted(getattr(os, name)))
from ftbench import atomic
from ftbench.cli.main import run
atomic._exchange = counted(atomic._exchange)
status = run(sys.argv[2:])
print("writes", seen)
sys.exit(status)
"""
POINTS = 7
"""Moments of each command at which it is killed, evenly spread over its writes."""


def carry_out(at: int, words: list[str]) -> tuple[int, int]:
    """Exit status, and how many writes there were."""
    command = [sys.executable, "-c", KILLED, str(at), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    told = done.stdout.rpartition("writes ")[2].strip()
    assert done.returncode in (0, 137), done.stderr
    return done.returncode, int(told) if done.returncode == 0 else at


@pytest.mark.slow
@pytest.mark.parametrize("command", ["lock", "compile", "compile again", "publish", "pack", "pack again"])
def test_killed_it_leaves_old_or_new(command: str, spec: Path, tmp_path: Path, submitted: Any) -> None:
    out = tmp_path / "out"
    if command == "publish":
        publish(spec)
    words = {
        "lock": ["lock", str(spec)],
        "publish": ["publish", str(spec), "--out", str(out)],
        "compile": ["compile", str(spec), "--out", str(out)],
        "pack": ["pack", submitted.good, "--out", str(out / "it.zip")],
    }[command.partition(" ")[0]]
    out.mkdir()
    if command == "lock":
        spec.with_name("quickstart.pins.json").unlink()
    if command == "compile again":
        carry_out(0, words)
        spec.write_text(spec.read_text().replace("  rounds: 8", "  rounds: 7", 1))
    if command == "pack again":
        (out / "it.zip").write_bytes(b"an older one")
    before, spec_text = tree(out), tree(spec.parent)
    status, writes = carry_out(0, words)
    assert status == 0 and writes > 1
    after, after_spec = tree(out), tree(spec.parent)
    for at in sorted({1 + n * (writes - 1) // (POINTS - 1) for n in range(POINTS)}):
        for folder, files in ((out, before), (spec.parent, spec_text)):
            shutil.rmtree(folder)
            for name, data in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
            folder.mkdir(exist_ok=True)
        assert carry_out(at, words)[0] == 137
        seen = {name: data for name, data in tree(out).items() if ".ftb-" not in name}
        assert seen in (before, after), (at, sorted(seen))
        told = {name: data for name, data in tree(spec.parent).items() if ".ftb-" not in name}
        assert told in (spec_text, after_spec), at
        assert carry_out(0, words)[0] == 0
        assert tree(out) == after and tree(spec.parent) == after_spec, at
