"""Python programs: what runs on either side. Read by `ftbench_sandbox`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARTS = ("wire", "program", "judge")
COMPILE = (
    "import py_compile, sys; name = sys.argv[1]; "
    "py_compile.compile(name, 'made', invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, doraise=True); "
    "sys.stdout.buffer.write(open('made', 'rb').read())"
)
_made: dict[str, bytes] = {}
_lock = threading.Lock()


def _files(execute: Callable[..., Any]) -> dict[str, bytes]:
    """The three modules, compiled once by the sandbox's own interpreter: parsing them costs as much as starting it."""
    with _lock:
        for part in PARTS if not _made else ():
            source = Path(__file__).with_name(f"ftbench_sandbox_python_{part}.py").read_bytes()
            ended = execute(["python3", "-s", "-S", "-c", COMPILE, f"{part}.py"], {f"{part}.py": source})
            if ended.exit_code != 0:
                raise OSError(f"{part} could not be compiled: {ended.stderr.decode('utf-8', 'replace')[-200:]}")
            _made[f"{part}.pyc"] = ended.stdout
    return _made


def sides(job: dict[str, Any], execute: Callable[..., Any]) -> dict[str, Any]:
    """The program's and the judge's command, files and input."""
    texts = [job[key].encode("utf-8", "replace") for key in ("entry_point", "given", "tests")]
    lengths = b" ".join(b"%d" % len(text) for text in texts)
    files = _files(execute)
    # Not -I or -E: those would ignore PYTHONHASHSEED, without which sets have another order in every run.
    python = ["python3", "-s", "-S"]
    return {
        "program": {
            "words": [*python, "program.pyc", "@in", "@out", "@packages"],
            "files": {name: files[name] for name in ("wire.pyc", "program.pyc")},
            "stdin": job["program"].encode("utf-8", "replace"),
        },
        "judge": {
            "words": [*python, "judge.pyc", "@in", "@out", "@verdict", "@packages"],
            "files": {name: files[name] for name in ("wire.pyc", "judge.pyc")},
            "stdin": lengths + b"\n" + b"".join(texts),
        },
    }
