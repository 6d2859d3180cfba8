"""Pages of documentation: their blocks, and what is typed in them, carried out in a folder.

A block's first word says what it is, and what follows says how it is held to the truth:

    sh                    is carried out, every line, in the page's order
    sh slow               is carried out by the slow tests
    sh not-run: REASON    is not carried out; words that begin with `ftbench` are held to its commands and options
    python [slow | not-run: REASON]   the same of a program
    console               `$ command` and what came back; `…` stands for any text, alone in a line for any lines
    console slow          the same, by the slow tests
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"[|&;<>$`*]|\\\n")
HEAVY = {"run", "sweep", "evaluate", "preview"}
"""Commands that load PyTorch: never in the tests' own process."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its place, its info string and its text."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        return self.info.split(" ")[0]

    @property
    def how(self) -> str:
        return self.info.partition(" ")[2].strip()

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page of the repository's own documentation."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
    below = [path for folder in ("docs", "results", "benchmarks") for path in (ROOT / folder).rglob("*.md")]
    return [*top, *sorted(path for path in below if "generated" not in path.parts)]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found[3].strip(), found[4])


def commands(text: str) -> list[str]:
    """The lines of a script, joined where one ends in a backslash."""
    return [line for line in text.replace("\\\n", "").splitlines() if line.strip() and not line.startswith("#")]


@dataclass(frozen=True)
class Exchange:
    """One command of a `console` block and what the page says came back."""

    command: str
    answer: str


def exchanges(block: Block) -> list[Exchange]:
    found: list[Exchange] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = 1
        while count < len(lines) and lines[count - 1].endswith("\\"):
            count += 1
        command = "\n".join(line.removeprefix("> ") for line in lines[:count])
        found.append(Exchange(command, "\n".join(lines[count:]).strip("\n")))
    return found


def fits(answer: str, came: str) -> bool:
    """Whether what came is what the page says, `…` being anything."""
    pattern = ""
    for line in answer.splitlines():
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part.rstrip()) for part in line.split("…")) + r" *\n"
    return re.fullmatch(pattern, came.strip("\n") + "\n" if came.strip() else "") is not None


def environment(folder: Path) -> dict[str, str]:
    """What a command finds: a store and a home of its own, `ftbench` on the path, a plain terminal of 80 columns."""
    tools = folder.parent / "bin"
    tools.mkdir(exist_ok=True)
    shim = tools / "ftbench"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ftbench "$@"\n')
    shim.chmod(0o755)
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "PATH": f"{tools}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "FTBENCH_STORE": str(folder.parent / "store"),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(command: str, folder: Path) -> tuple[int, str]:
    """Exit code and output, both streams together. A plain `ftbench …` is carried out in this process: quicker."""
    wanted, asks = command.removesuffix("; echo $?"), command.endswith("; echo $?")
    words = [] if SHELL.search(wanted) else shlex.split(wanted, comments=True)
    if words and words[0] == "ftbench" and not HEAVY & set(words[1:2]):
        code, came = _inside(words[1:], folder)
    else:
        done = subprocess.run(
            ["bash", "-c", wanted], cwd=folder, env=environment(folder), check=False, timeout=900, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        code, came = done.returncode, done.stdout
    return (0, f"{came}{code}\n") if asks else (code, came)


def _inside(words: list[str], folder: Path) -> tuple[int, str]:
    from ftbench.cli.main import run as ftbench

    out, before, here = io.StringIO(), dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(environment(folder))
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = ftbench(words)
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
    return code, out.getvalue()
