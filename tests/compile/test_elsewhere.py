"""What another system writes otherwise: Windows marks the members of an archive as its own, and opens no folder."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ftbench.compile import fab

ROOT = Path(__file__).resolve().parents[2]
LINUX = ("run", "app", "replay", "node", "tasks", "base_models")
"""Packages of runs, which need it."""


def archive(system: int) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(5):
            member = zipfile.ZipInfo(f"folder/{number}.py")
            member.create_system = system
            member.comment = b"c" * number
            member.extra = b"\x99\x99\x02\x00ab" * number
            file.writestr(member, b"text\n" * number)
    return into.getvalue()


def test_an_app_made_on_windows_has_the_same_bytes() -> None:
    assert archive(0) != archive(3)
    assert fab._as_elsewhere(archive(0)) == archive(3)
    assert fab._as_elsewhere(archive(3)) == archive(3)


def test_git_gives_the_same_bytes_everywhere() -> None:
    """Spec hashes and digests are of bytes: a checkout on Windows must not turn line ends."""
    assert (ROOT / ".gitattributes").read_text().splitlines()[0] == "* text=auto eol=lf"


@pytest.mark.slow
def test_the_light_core_has_types_on_windows() -> None:
    """Functions that Windows lacks have no type there."""
    words = [sys.executable, "-m", "mypy", "--platform", "win32", "--cache-dir", "/dev/null"]
    words += ["--no-color-output", "--no-pretty", "ftbench"]
    done = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if ": error:" in line]
    wrong = [line for line in told if not line.startswith(tuple(f"ftbench/{name}/" for name in LINUX))]
    assert told, f"{done.stdout[-500:]}{done.stderr[-500:]}: not even what needs Linux was told of: nothing was checked"
    assert not wrong, "\n".join(wrong)
