"""Files and folders are old or new, never between; what killed writers left goes with the next write of the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftbench import atomic, locks

OLD = {"a.txt": b"old", "sub/b.txt": b"old too"}
NEW = {"a.txt": b"new", "sub/c.txt": b"new too"}
KILLED = """
import os, sys
from pathlib import Path
from ftbench import atomic, locks
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


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("seen", [False, True])
def test_another_s_folder_came_or_went_since_it_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: bool, exchanges: bool
) -> None:
    """Two first writers both found nothing there, and the second was told that a directory is not empty."""
    target = tmp_path / "folder"
    if not exchanges:
        monkeypatch.setattr(atomic.ctypes, "CDLL", lambda *_, **__: object())
    if not seen:
        atomic.write_folder(target, OLD)
    there, told = Path.exists, [seen]
    monkeypatch.setattr(Path, "exists", lambda path: told.pop() if path == target and told else there(path))
    atomic.write_folder(target, NEW)
    assert files(target) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_names_with_signs_of_patterns(tmp_path: Path) -> None:
    (tmp_path / ".a.ftb-1").write_bytes(b"of another file")
    atomic.write_file(tmp_path / "[a]", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.ftb-1", "[a]"]


AT_ONCE = """
import sys
from pathlib import Path
from ftbench import atomic, locks
mine = sys.argv[2].encode()
for number in range(60):
    for name in ("folder", f"folder-{number}"):  # one that is there, and one that both may be the first to write
        atomic.write_folder(Path(sys.argv[1]) / name, {"a.txt": mine, "b/c.txt": mine})
    atomic.write_file(Path(sys.argv[1]) / "file", mine)
"""


def test_writers_of_the_same_at_once(tmp_path: Path) -> None:
    """None takes what another has begun for what a killed one left."""
    both = [subprocess.Popen([sys.executable, "-c", AT_ONCE, str(tmp_path), name]) for name in "xy"]
    assert [process.wait(300) for process in both] == [0, 0]
    numbered = [f"folder-{number}" for number in range(60)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["file", "folder", *numbered])
    assert all(len(set(files(tmp_path / name).values())) == 1 for name in ["folder", *numbered])


def test_a_folder_that_is_swept_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, swept = locks.fcntl.flock, []

    def first_sweep(handle: int, how: int) -> None:
        if how == locks.fcntl.LOCK_EX and len(swept) < 2:
            swept.append(next(path for path in tmp_path.iterdir() if path.stat().st_ino == os.fstat(handle).st_ino))
            shutil.rmtree(swept[-1])
        real(handle, how)

    monkeypatch.setattr(locks.fcntl, "flock", first_sweep)
    atomic.write_folder(tmp_path / "folder", NEW)
    assert len(swept) == 2 and files(tmp_path / "folder") == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_scratch_folder_takes_away_what_a_killed_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.tempfile, "tempdir", str(tmp_path))
    killed = (
        "import os\nfrom ftbench import atomic\nwith atomic.scratch_folder('spot') as one:\n"
        "    (one / 'adapter').write_bytes(bytes(9))\n    os._exit(9)\n"
    )
    words = [sys.executable, "-c", killed]
    assert subprocess.run(words, check=False, env={**os.environ, "TMPDIR": str(tmp_path)}).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    with atomic.scratch_folder("spot") as one, atomic.scratch_folder("spot") as other:
        assert sorted(tmp_path.iterdir()) == sorted([one, other]) and one.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
