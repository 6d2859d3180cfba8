"""Programs of code tasks, run by the sandbox script in a process of its own; nothing of it is imported here.

Runner and verifier each name the copy that they trust: the compiled benchmark's, and ftbench's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed
from ftbench.result.extraction import program_parts
from ftbench.spec.tasks import CodeTask
from ftbench.spec.template import before, fill

SCRIPT = "ftbench_sandbox.py"
"""Name of the sandbox script in a folder of tasks."""
COMPLETION = "completion"
"""What a program's template calls the text that the model wrote."""


TRIVIAL = {
    "python": ("def one():\n", "    return 1\n", "assert one() == 1\n"),
    "javascript": ("function one() {\n", "  return 1;\n}\n", "if (one() !== 1) throw new Error();\n"),
    "cpp": ("int one() {\n", "  return 1;\n", "}\nint main() { assert(one() == 1); }\n"),
}
"""Language → what is given, what is written and tests, of a program that passes wherever programs can be run at all."""


def job(task: CodeTask, row: Mapping[str, object], text: str) -> dict[str, Any]:
    """What the sandbox is asked for one item and what the model wrote to it."""
    given, entry_point = fill(before(task.program, COMPLETION), row), fill(task.entry_point, row)
    rules = {"language": task.language, "strip_prompt": task.strip_prompt or "", "extraction": task.extraction or ""}
    head, said = program_parts(given, text, entry_point, rules)
    return {
        "language": task.language,
        "given": given,
        "program": head + fill(task.program, {**row, COMPLETION: said})[len(given) :],
        "tests": fill(task.tests, row),
        "entry_point": entry_point,
        "cpu_seconds": task.cpu_seconds,
        "memory_mib": task.memory_mib,
        "packages": _packages(task),
    }


def needs(tasks: Iterable[CodeTask]) -> set[tuple[str, tuple[str, ...]]]:
    """Languages, each with the packages that a task wants for it."""
    return {(task.language, tuple(_packages(task))) for task in tasks}


def _packages(task: CodeTask) -> list[str]:
    return task.sandbox.packages if task.sandbox else []


_ran: set[tuple[object, ...]] = set()
"""What was tried in this process and could be run: it is not tried again for each of many bundles."""


def missing(script: Path, wanted: Iterable[tuple[str, tuple[str, ...]]], *, unsafe: bool = False) -> str:
    """Why programs of these languages, with these packages, can't be run here; empty where they can. Each is tried with
    a trivial program."""
    tried = sorted(set(wanted))
    known = (script, tuple(tried), unsafe, os.environ.get("PATH"))
    if known in _ran:
        return ""
    jobs = []
    for language, packages in tried:
        given, written, tests = TRIVIAL[language]
        texts = {"given": given, "program": given + written, "tests": tests, "entry_point": "one"}
        jobs.append({"language": language, **texts, "packages": list(packages), "cpu_seconds": 60.0})
    told = [
        f"{language}: {outcome.get('reason') or outcome.get('stderr_tail') or outcome['status']}"
        for (language, _), outcome in zip(tried, _ask(script, jobs, unsafe=unsafe), strict=True)
        if not outcome["passed"]
    ]
    if not told:
        _ran.add(known)
    return "; ".join(told)


def outcomes(script: Path, jobs: Sequence[Mapping[str, Any]], *, unsafe: bool = False) -> list[dict[str, Any]]:
    """The outcome of each job, in order, as many at a time as there are cores. Equal jobs are run once.

    Raises RunFailed (FTB687) where the sandbox itself fails twice on a job: the machine's fault is not a program's.
    """
    unique = list({json.dumps(one, sort_keys=True): one for one in jobs}.items())
    found = dict(
        zip((name for name, _ in unique), _ask(script, [one for _, one in unique], unsafe=unsafe), strict=True)
    )
    again = [(name, one) for name, one in unique if found[name]["status"] in ("sandbox-error", "refused")]
    if again:
        found |= dict(zip((n for n, _ in again), _ask(script, [one for _, one in again], unsafe=unsafe), strict=True))
        broken = [found[n] for n, _ in again if found[n]["status"] in ("sandbox-error", "refused")]
        if broken:
            told = broken[0].get("reason") or broken[0].get("stderr_tail") or broken[0]["status"]
            raise RunFailed(Diagnostic(codes.BROKEN, f"{len(broken)} programs could not be run: {told}"))
    return [found[json.dumps(one, sort_keys=True)] for one in jobs]


def _ask(script: Path, jobs: Sequence[Mapping[str, Any]], *, unsafe: bool) -> list[dict[str, Any]]:
    if not jobs:
        return []
    command = [sys.executable, "-I", str(script), *(["--unsafe-no-sandbox"] if unsafe else [])]
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        command,
        input=b"".join(json.dumps(one).encode() + b"\n" for one in jobs),
        capture_output=True,
        env={name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(jobs):
        tail = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise RunFailed(Diagnostic(codes.BROKEN, f"{script} ended with exit code {done.returncode}: {tail}"))
    return [json.loads(line) for line in lines]
