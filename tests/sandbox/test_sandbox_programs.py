"""Ordinary programs: right ones pass, wrong ones fail, in each language; the job, the outcome and the script."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.tasks import ftbench_sandbox

Run = Callable[..., dict[str, Any]]

JS_TESTS = "const assert = require('node:assert');\nfunction test() { assert.deepEqual(add(1, 2), 3); }\ntest();\n"
CPP_GIVEN = "#include <vector>\nlong add(long a, long b) {\n"
CPP_START = CPP_GIVEN + "  return "
CPP_TESTS = "}\nint main() {\n  auto candidate = add;\n  assert(candidate(1, 2) == 3);\n}\n"


@pytest.mark.parametrize(
    ("language", "program", "tests", "status"),
    [
        ("python", "def add(a, b):\n    return a + b\n", "assert add(1, 2) == 3\n", "passed"),
        ("python", "def add(a, b):\n    return a - b\n", "assert add(1, 2) == 3\n", "failed"),
        ("python", "def add(a, b):\n    return a +\n", "assert add(1, 2) == 3\n", "failed"),
        ("python", "x = '\0'\n", "", "failed"),
        ("javascript", "const add = (a, b) => a + b;\n", JS_TESTS, "passed"),
        ("javascript", "function add(a, b) { return a - b; }\n", JS_TESTS, "failed"),
        ("javascript", "function add(a, b) { return a + ; }\n", JS_TESTS, "failed"),
        ("cpp", CPP_START + "a + b;\n", CPP_TESTS, "passed"),
        ("cpp", CPP_START + "a - b;\n", CPP_TESTS, "failed"),
        ("cpp", CPP_START + "a + ;\n", CPP_TESTS, "compile-error"),
    ],
)
def test_verdicts(run: Run, language: str, program: str, tests: str, status: str) -> None:
    given = CPP_GIVEN if language == "cpp" else ""
    outcome = run(language, program, tests, given=given, entry_point="add")
    assert outcome["status"] == status, outcome
    assert outcome["phase"] == ("compile" if status == "compile-error" else "run")


def test_python_runs_as_the_public_harnesses_run_it(run: Run) -> None:
    """By `exec` in an empty namespace: `__name__` is not `__main__`, and there is no file."""
    program = "ran = []\nif __name__ == '__main__':\n    ran.append(1)\n"
    program += "assert not ran and '__file__' not in globals() and __name__ == 'builtins'\n"
    assert run("python", program)["passed"]


def test_ordinary_libraries_work(run: Run) -> None:
    program = (
        "import asyncio, collections, concurrent.futures, dataclasses, math, multiprocessing, re, subprocess\n"
        "P = collections.namedtuple('P', 'x y')\n"
        "@dataclasses.dataclass\nclass D:\n    x: int\n"
        "def threads():\n"
        "    with concurrent.futures.ThreadPoolExecutor(4) as pool:\n        return list(pool.map(abs, [-1, -2]))\n"
        "async def slow():\n    return 3\n"
    )
    program += (
        "assert threads() == [1, 2] and asyncio.run(slow()) == 3 and D(1) == D(1) and P(1, 2).y == 2\n"
        "with multiprocessing.Lock():\n    pass\n"
        "assert subprocess.run(['echo', 'x'], capture_output=True).stdout == b'x\\n'\n"
    )
    outcome = run("python", program)
    assert outcome["passed"], outcome


def test_set_order_is_the_same_in_every_run(run: Run) -> None:
    program = "print(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert len({run("python", program)["stdout_tail"] for _ in range(3)}) == 1


def test_output_is_bounded_and_printable(run: Run) -> None:
    outcome = run("python", "print('\\x1b[31m' + 'x' * 100_000 + 'end\\u202e')")
    assert outcome["passed"]
    assert len(outcome["stdout_tail"]) <= ftbench_sandbox.TAIL
    assert outcome["stdout_tail"].endswith("end?\n")
    assert run("python", "print('\\x1b[31m')")["stdout_tail"] == "?[31m\n"


def test_programs_larger_than_a_pipe(run: Run) -> None:
    assert run("python", "x = 1\n# " + "é" * 300_000 + "\n", "# " + "y" * 300_000 + "\nassert x == 1")["passed"]


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (None, "a job is an object"),
        ({"language": "python", "program": "", "tests": "", "extra": 1}, "a job is an object"),
        ({"language": "cobol", "program": "", "tests": ""}, "a language of python, javascript, cpp"),
        ({"language": ["python"], "program": "", "tests": ""}, "a language of"),
        ({"language": "python", "program": 1, "tests": ""}, "program, tests, given, entry_point as text"),
        ({"language": "python", "program": "", "tests": "", "cpu_seconds": float("nan")}, "cpu_seconds"),
        ({"language": "python", "program": "", "tests": "", "cpu_seconds": True}, "cpu_seconds"),
        ({"language": "python", "program": "", "tests": "", "memory_mib": 1}, "memory_mib"),
        ({"language": "python", "program": "", "tests": "", "unsafe": "no"}, "unsafe"),
    ],
)
def test_what_is_no_job_is_refused(job: Any, says: str) -> None:
    outcome = ftbench_sandbox.run(job)
    assert outcome["status"] == "refused"
    assert not outcome["passed"]
    assert says in outcome["reason"]


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ftbench_sandbox, "available", lambda: "bwrap is not installed")
    job = {"language": "python", "program": f"open({str(tmp_path / 'ran')!r}, 'w')", "tests": "", "id": 7}
    outcome = ftbench_sandbox.run(job)
    assert (outcome["status"], outcome["sandbox"], outcome["id"]) == ("refused", None, 7)
    assert "bwrap is not installed" in outcome["reason"]
    assert "--unsafe-no-sandbox" in outcome["reason"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("language", "program", "tests"),
    [
        ("python", "def add(a, b):\n    return a + b\n", "assert add(1, 2) == 3\n"),
        ("javascript", "const add = (a, b) => a + b;\n", JS_TESTS),
        ("cpp", CPP_START + "a + b;\n", CPP_TESTS),
    ],
)
def test_unsafe_runs_without_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, program: str, tests: str
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr(ftbench_sandbox, "available", lambda: "bwrap is not installed")
    given = CPP_GIVEN if language == "cpp" else ""
    job = {"language": language, "program": program, "tests": tests, "given": given, "entry_point": "add"}
    job["unsafe"] = True
    outcome = ftbench_sandbox.run(job)
    assert (outcome["passed"], outcome["sandbox"]) == (True, "none"), outcome
    wrong = ftbench_sandbox.run(job | {"program": program.replace("a + b", "a - b")})
    assert wrong["status"] == "failed"


def test_unsafe_still_uses_bubblewrap_where_it_works(run: Run) -> None:
    assert run("python", "", "", unsafe=True)["sandbox"] == "bubblewrap"


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ftbench_sandbox._BOX["tool"].__globals__, "PATH", "/nowhere")
    ftbench_sandbox.available.cache_clear()
    try:
        assert "apt-get install bubblewrap" in ftbench_sandbox.available()
    finally:
        monkeypatch.undo()
        ftbench_sandbox.available.cache_clear()


def test_the_script_answers_each_line_in_order(run: Run, tmp_path: Path) -> None:
    """From another folder, loaded by file, as a compiled benchmark carries it."""
    folder = Path(ftbench_sandbox.__file__).parent
    for path in folder.glob("ftbench_sandbox*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    jobs = [{"language": "python", "program": f"x = {n}", "tests": "assert x % 2 == 0", "id": n} for n in range(6)]
    lines = [json.dumps(job) for job in jobs]
    lines[3:3] = ["{not json", "null"]
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "ftbench_sandbox.py"), "--workers", "2"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome.get("id") for outcome in outcomes] == [0, 1, 2, None, None, 3, 4, 5]
    assert [outcome["passed"] for outcome in outcomes] == [True, False, True, False, False, False, True, False]
