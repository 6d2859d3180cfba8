"""Python programs: what runs on either side. Read by `ftbench_sandbox`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def _file(part: str) -> bytes:
    return (_HERE / f"ftbench_sandbox_python_{part}.py").read_bytes()


def sides(job: dict[str, Any], execute: object) -> dict[str, Any]:
    """The program's and the judge's command, files and input."""
    texts = [job[key].encode("utf-8", "replace") for key in ("entry_point", "given", "tests")]
    lengths = b" ".join(b"%d" % len(text) for text in texts)
    wire = {"wire.py": _file("wire")}
    # Not -I or -E: those would ignore PYTHONHASHSEED, without which sets have another order in every run.
    python = ["@python", "-s", "-S"]
    return {
        "program": {
            "words": [*python, "program.py", "@in", "@out", "@packages"],
            "files": {**wire, "program.py": _file("program")},
            "stdin": job["program"].encode("utf-8", "replace"),
        },
        "judge": {
            "words": [*python, "judge.py", "@in", "@out", "@verdict", "@packages"],
            "files": {**wire, "judge.py": _file("judge")},
            "stdin": lengths + b"\n" + b"".join(texts),
        },
    }
