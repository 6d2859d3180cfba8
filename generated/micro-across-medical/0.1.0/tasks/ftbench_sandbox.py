"""The sandbox for generated programs: does a program pass its tests, without the machine taking harm.

It is copied beside the task files of every compiled benchmark, so it uses nothing but the standard library. As a
script it reads one JSON job a line and writes one JSON outcome a line, in the same order:

    {"language": "python" | "javascript" | "cpp", "program": "...", "given": "...", "tests": "...",
     "entry_point": "...", "cpu_seconds": 3.0, "memory_mib": 512, "packages": ["numpy==2.4.6"],
     "id": ..., "unsafe": false}
    {"passed": false, "status": "failed", "reason": "...", "phase": "run", "exit_code": 0, "cpu_seconds": 0.01, ...}

The tests run in a process that never runs the program: the judge. It calls the program's functions over a pipe, gets
plain data back, and compares that itself. `docs/sandbox.md` says what follows from it, and what does not.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import re
import runpy
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def _beside(part: str) -> dict[str, Any]:
    """What another file of the sandbox defines. They lie in one folder, whichever way this one was loaded."""
    return runpy.run_path(str(Path(__file__).with_name(f"ftbench_sandbox_{part}.py")))


_BOX = _beside("box")
Command, Ended, Limits, Unavailable = (_BOX[name] for name in ("Command", "Ended", "Limits", "Unavailable"))
ARTEFACT, TAIL, PACKAGES = _BOX["ARTEFACT"], _BOX["TAIL"], _BOX["PACKAGES"]

LANGUAGES = {"python": "python3", "javascript": "node", "cpp": "g++"}
"""Language → its tool."""
DEFAULT_CPU = {"python": 3.0, "javascript": 5.0, "cpp": 15.0}
"""CPU seconds of a run, all its processes together; the wall limits that are usual elsewhere."""
MACHINES = ("x86_64", "aarch64")
NODE_SPACE = 64 << 30
"""Address space for node, which reserves far more than it uses; RLIMIT_DATA binds it instead."""
COMPILE = Limits(cpu=60.0, memory=2048)
TEXTS = {"given": "", "entry_point": ""}
"""Texts that a job may leave out."""
VERDICTS = ("passed", "failed", "not-plain", "ended")
"""What a judge can say."""
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.+!_-]+)")


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job and return its outcome; never raises for anything that the job or its program does."""
    outcome: dict[str, Any] = {"passed": False, "status": "refused", "phase": None, "exit_code": None, "signal": None}
    outcome |= {"cpu_seconds": 0.0, "stdout_tail": "", "stderr_tail": "", "sandbox": None, "reason": ""}
    if isinstance(job, dict) and "id" in job:
        outcome["id"] = job["id"]
    try:
        job = _checked(job)
        reason = available()
        if reason and not job["unsafe"]:
            raise Unavailable(f"{reason}. Without a sandbox programs run only where --unsafe-no-sandbox is given")
        _BOX["tool"](LANGUAGES[job["language"]])
        outcome["sandbox"] = "none" if reason else "bubblewrap"
        return outcome | _run(job, sandboxed=not reason)
    except Unavailable as problem:
        return outcome | {"reason": str(problem)}
    except OSError as problem:  # of this machine, not of the program: no memory or descriptors for another process
        return outcome | {"status": "sandbox-error", "reason": f"the sandbox could not be started: {problem}"}


def _checked(job: Any) -> dict[str, Any]:
    """The job with what it leaves out filled in. Raises Unavailable where it is none."""
    known = {"language", "program", "tests", *TEXTS, "cpu_seconds", "memory_mib", "packages", "id", "unsafe"}
    if not isinstance(job, dict) or not set(job) <= known:
        raise Unavailable(f"a job is an object with the keys {', '.join(sorted(known))}")
    language = job.get("language")
    texts = {name: job.get(name, TEXTS.get(name)) for name in ("program", "tests", *TEXTS)}
    if not isinstance(language, str) or language not in LANGUAGES:
        raise Unavailable(f"a job needs a language of {', '.join(LANGUAGES)}: {language!r}")
    if not all(isinstance(text, str) for text in texts.values()):
        raise Unavailable(f"a job needs {', '.join(texts)} as text")
    cpu, memory, unsafe = job.get("cpu_seconds"), job.get("memory_mib"), job.get("unsafe")
    cpu, memory = DEFAULT_CPU[language] if cpu is None else cpu, 512 if memory is None else memory
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (cpu, memory))
    if not numbers or not 0 < cpu <= 3600 or not 32 <= memory <= 65536 or unsafe not in (None, False, True):
        raise Unavailable("cpu_seconds lies in (0, 3600], memory_mib in 32 to 65536, unsafe is true or false")
    packages = job.get("packages") or []
    if not isinstance(packages, list) or not all(isinstance(p, str) and _PINNED.fullmatch(p) for p in packages):
        raise Unavailable('packages is a list of "NAME==VERSION"')
    if packages and language != "python":
        raise Unavailable("packages are Python's")
    limits = Limits(float(cpu), int(memory), NODE_SPACE if language == "javascript" else None)
    return {"language": language, **texts, "limits": limits, "packages": packages, "unsafe": bool(unsafe)}


def _run(job: dict[str, Any], *, sandboxed: bool) -> dict[str, Any]:
    """Both sides, each in a sandbox of its own, joined by two pipes; the verdict is the judge's alone."""
    folders = _folders(tuple(job["packages"]))

    def execute(words: list[str], files: Mapping[str, bytes], stdin: bytes = b"") -> Any:
        command = Command(words, COMPILE, stdin, files, kept=ARTEFACT + 1)
        return _BOX["execute"](command, sandboxed=sandboxed)

    sides = _language(job["language"])["sides"](job, execute)
    if "failed" in sides:
        return _told("compile", sides["failed"], "compile-error")
    limits = job["limits"]
    with _BOX["pipes"](3) as (questions, answers, verdict):
        program = _command(sides["program"], limits, folders, {"@in": questions[0], "@out": answers[1]})
        ends = {"@in": answers[0], "@out": questions[1], "@verdict": verdict[1]}
        judge = _command(sides["judge"], limits, folders, ends)
        ran, judged = _BOX["converse"]([program, judge], sandboxed=sandboxed, verdict=verdict)
    return _outcome(ran, judged)


def _command(side: dict[str, Any], limits: Any, folders: Mapping[str, str], ends: dict[str, int]) -> Any:
    words: list[str] = []
    for word in side["words"]:
        if word == "@packages":
            words += [PACKAGES] if folders else []
        else:
            values = {**ends, "@memory": limits.memory}
            words.append(str(values.get(word, word)).replace("@memory", str(limits.memory)))
    return Command(
        words, limits, side["stdin"], side["files"], packages=folders, descriptors=tuple(sorted(ends.values()))
    )


def _outcome(ran: Any, judged: Any) -> dict[str, Any]:
    """What the judge said, where the program came to its end in the ordinary way."""
    line = printable(judged.channel).strip()
    said, _, reason = line.partition(" ")
    if ran.stopped or judged.stopped:
        status, reason = ran.stopped or judged.stopped, "" if ran.stopped else "while its result was compared"
    elif ran.exit_code is None and judged.exit_code is None:
        status, reason = "sandbox-error", printable(ran.stderr).strip()
    elif said not in VERDICTS or judged.exit_code != 0:
        status, reason = "failed", "its result could not be compared: " + printable(judged.stderr).strip()[-200:]
    elif said == "passed" and ran.exit_code != 0:
        status, reason = "failed", f"after its tests it ended with exit code {ran.exit_code}"
    else:
        status = said
    return _told("run", ran, status) | {"reason": reason}


def _told(phase: str, ended: Any, status: str) -> dict[str, Any]:
    code = ended.exit_code
    number = code - 128 if code is not None and 128 < code < 192 else None
    if phase == "compile":
        status = ended.stopped or ("sandbox-error" if code is None else status)
    elif status == "ended" and number is not None:
        status = "killed"
    return {
        "passed": status == "passed",
        "status": status,
        "phase": phase,
        "exit_code": code,
        "signal": _signal_name(number),
        "cpu_seconds": round(ended.cpu, 3),
        "stdout_tail": printable(ended.stdout[-TAIL:]),
        "stderr_tail": printable(ended.stderr[-TAIL:]),
    }


def _signal_name(number: int | None) -> str | None:
    try:
        return None if number is None else signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def printable(data: bytes) -> str:
    """Text that is safe to show: every control, format or broken character but line feed and tab becomes `?`."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in data.decode("utf-8", "replace"))


@functools.cache
def _language(name: str) -> dict[str, Any]:
    return _beside(name)


@functools.cache
def _folders(packages: tuple[str, ...]) -> dict[str, str]:
    """Name → path of what the packages have at their top, from this interpreter's own environment.

    Raises Unavailable where a package is not here, has another version, or is not for the sandbox's Python.
    """
    if not packages:
        return {}
    from importlib.metadata import PackageNotFoundError, distribution

    found: dict[str, str] = {}
    for package in packages:
        name, version = package.split("==")
        try:
            here = distribution(name)
        except PackageNotFoundError:
            raise Unavailable(f"{package} is not installed beside {sys.executable}: pip install {package}") from None
        if here.version.partition("+")[0] != version.partition("+")[0]:
            raise Unavailable(f"{name} {here.version} is installed where the benchmark has {version}")
        for path in here.files or ():
            top = path.parts[0]
            if top != ".." and not top.endswith((".dist-info", ".pth")) and top != "__pycache__":
                found[top] = str(Path(str(here.locate_file(top))).resolve())
    modules = ", ".join(sorted(top.partition(".")[0] for top in found if not top.endswith(".libs")))
    code = f"import sys; sys.path.append({PACKAGES!r}); import {modules}"
    sandboxed = not available()
    tried = Command(["python3", "-s", "-S", "-c", code], Limits(60, 2048), packages=found)
    ended = _BOX["execute"](tried, sandboxed=sandboxed)
    if ended.exit_code != 0:
        said = printable(ended.stderr).strip().rpartition("\n")[2]
        version = ".".join(map(str, sys.version_info[:2]))
        hint = f"they are of Python {version}; /usr/bin/python3 must be of that version too, and be able to read them"
        raise Unavailable(f"the packages {', '.join(packages)} can't be used in the sandbox ({said}): {hint}")
    return found


@functools.cache
def available() -> str:
    """Empty where programs can be run in bubblewrap on this machine, else the reason why not. It tries, once."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return f"the sandbox needs Linux on {' or '.join(MACHINES)}, not {sys.platform} on {platform.machine()}"
    try:
        _BOX["tool"]("bwrap")
        _BOX["tool"]("prlimit")
        ended = _BOX["execute"](Command(["true"], Limits(5, 256)), sandboxed=True)
    except (Unavailable, OSError) as problem:
        return str(problem)
    if ended.exit_code == 0:
        return ""
    said = printable(ended.stderr).strip() or "it gave no reason"
    return (
        f"bubblewrap does not work here ({said}): user namespaces must be allowed to unprivileged users (sysctl "
        "kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; "
        "in a container also its seccomp profile)"
    )


def outcomes(jobs: Iterable[dict[str, Any]], workers: int) -> Iterator[dict[str, Any]]:
    """The outcomes of jobs, in their order, `workers` programs at a time. All jobs are taken before the first ends."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(run, jobs)


def _jobs(lines: Iterable[str], unsafe: bool) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            job = json.loads(line)
        except (ValueError, RecursionError):
            job = None  # refused as any other thing that is no job
        yield job | {"unsafe": True} if unsafe and isinstance(job, dict) else job


def main() -> int:
    """Jobs from standard input, outcomes to standard output. `--check` says whether there is a sandbox (status 1)."""
    parser = argparse.ArgumentParser(description="Run generated programs with their tests in a sandbox.")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="programs at a time")
    parser.add_argument("--unsafe-no-sandbox", action="store_true", help="run programs even without bubblewrap")
    parser.add_argument("--check", action="store_true", help="say what is missing and stop")
    options = parser.parse_args()
    if options.check:
        print(available() or "bubblewrap works")
        return 1 if available() else 0
    for outcome in outcomes(_jobs(sys.stdin, options.unsafe_no_sandbox), max(1, options.workers)):
        print(json.dumps(outcome), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
