"""Files and folders are old or new, never between; what killed writers left goes with the next write of the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ftbench import atomic

OLD = {"a.txt": b"old", "sub/b.txt": b"old too"}
NEW = {"a.txt": b"new", "sub/c.txt": b"new too"}
KILLED = """
import os, sys
from pathlib import Path
from ftbench import atomic
at, seen = int(sys.argv[1]), 0
def counted(real):
    def call(*arguments, **more):
        global seen
        seen += 1
        if seen == at:
            os._exit(9)
        return real(*arguments, **more)
    return call
for name in ("replace", "rename", "fsync", "mkdir", "open", "chmod", "unlink", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
atomic._exchange = counted(atomic._exchange)
atomic.write_folder(Path(sys.argv[2]) / "folder", eval(sys.argv[3]))
atomic.write_file(Path(sys.argv[2]) / "file", b"new")
"""


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_killed_at_every_call(tmp_path: Path) -> None:
    at, ended = 1, False
    while not ended:
        atomic.write_folder(tmp_path / "folder", OLD)
        atomic.write_file(tmp_path / "file", b"old")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
        words = [sys.executable, "-c", KILLED, str(at), str(tmp_path), repr(NEW)]
        ended = subprocess.run(words, check=False).returncode == 0
        assert files(tmp_path / "folder") in (OLD, NEW)
        assert (tmp_path / "file").read_bytes() in (b"old", b"new")
        at += 1
    assert at > 20
    assert files(tmp_path / "folder") == NEW and (tmp_path / "file").read_bytes() == b"new"


def test_what_another_is_writing_stays(tmp_path: Path) -> None:
    import fcntl

    left, kept = tmp_path / ".file.ftb-left", tmp_path / ".file.ftb-kept"
    left.write_bytes(b"")
    with kept.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        atomic.write_file(tmp_path / "file", b"new")
        assert sorted(path.name for path in tmp_path.iterdir()) == [kept.name, "file"]


def test_where_folders_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.ctypes, "CDLL", lambda *_, **__: object())
    for content in (OLD, NEW):
        atomic.write_folder(tmp_path / "folder", content)
        assert files(tmp_path / "folder") == content
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_names_with_signs_of_patterns(tmp_path: Path) -> None:
    (tmp_path / ".a.ftb-1").write_bytes(b"of another file")
    atomic.write_file(tmp_path / "[a]", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.ftb-1", "[a]"]
