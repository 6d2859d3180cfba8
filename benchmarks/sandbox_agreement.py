"""Does the sandbox judge programs as a plain interpreter does? Over references and random mutants of them.

    python benchmarks/sandbox_agreement.py --humaneval test.parquet --mbpp test.parquet --mutants 2000

Each program runs twice: in ftbench's sandbox, where the tests run in another process than the program, and plainly,
program and tests in one namespace of one interpreter, as the public harnesses do it. Where the two disagree the item is
printed: `false pass` (only the sandbox says passed) or `false failure`. Without files it takes the problems of
`tests/sandbox/references.py`. Exit code 1 where any disagree.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "sandbox")]

from mutants import mutants, plain_python  # noqa: E402
from references import PYTHON  # noqa: E402

from ftbench.tasks import ftbench_sandbox as sandbox  # noqa: E402

_DEFINITION = re.compile(r"^def\s+(\w+)\s*\(", re.MULTILINE)


def humaneval(path: Path) -> list[dict[str, str]]:
    """Problems of HumanEval in the hub's layout."""
    return [
        {
            "name": row["task_id"],
            "given": row["prompt"],
            "program": row["prompt"] + row["canonical_solution"] + "\n",
            "tests": f"{row['test']}\n\ncheck({row['entry_point']})\n",
            "entry_point": row["entry_point"],
        }
        for row in _rows(path)
    ]


def mbpp(path: Path) -> list[dict[str, str]]:
    """Problems of MBPP's test split (11 to 510) in the hub's layout."""
    made = []
    for row in _rows(path):
        if not 11 <= row["task_id"] <= 510:
            continue
        tests = "\n".join(row["test_list"])
        names = [name for name in _DEFINITION.findall(row["code"]) if re.search(rf"\b{name}\b", tests)]
        text = {"given": "", "program": row["code"] + "\n", "tests": f"{row['test_setup_code']}\n{tests}\n"}
        made.append({"name": f"MBPP/{row['task_id']}", **text, "entry_point": names[-1]})
    return made


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> int:
    """Print the counts, and every disagreement."""
    parser = argparse.ArgumentParser(description="Agreement of the sandbox with a plain interpreter.")
    parser.add_argument("--humaneval", type=Path, help="rows in the hub's layout, parquet or JSON lines")
    parser.add_argument("--mbpp", type=Path, help="likewise")
    parser.add_argument("--mutants", type=int, default=200, help="how many in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    problems = (humaneval(options.humaneval) if options.humaneval else []) + (
        mbpp(options.mbpp) if options.mbpp else []
    )
    problems = problems or list(PYTHON)
    dice = random.Random(options.seed)
    changed = [
        {**problem, "program": text}
        for problem in (dice.choice(problems) for _ in range(options.mutants))
        for text in mutants(problem["program"], problem["given"], dice, 1)
    ]
    wrong = 0
    for title, jobs in (("references", problems), ("mutants", changed)):
        began = time.monotonic()
        with ThreadPoolExecutor(options.workers) as pool:
            ours = list(pool.map(_sandboxed, jobs))
            took = time.monotonic() - began
            plain = list(pool.map(plain_python, jobs))
        counts: collections.Counter[str] = collections.Counter()
        for job, outcome, passed in zip(jobs, ours, plain, strict=True):
            told = "agree" if outcome["passed"] == passed else "false pass" if outcome["passed"] else "false failure"
            if outcome["status"] == "not-plain" and passed:
                told = "not plain data"  # counted apart: the rule says that it fails
            counts[told] += 1
            counts[f"({outcome['status']})"] += 1
            if told != "agree":
                print(f"{told}: {job['name']}: {outcome['status']} {outcome['reason']}\n{job['program']}\n", flush=True)
        wrong += counts["false pass"] + counts["false failure"]
        print(f"{title}: {len(jobs)} in {took:.1f} s, {len(jobs) / took:.1f} a second; {dict(counts)}")
    return 1 if wrong else 0


def _sandboxed(problem: dict[str, str]) -> dict[str, Any]:
    texts = {key: problem[key] for key in ("given", "program", "tests", "entry_point")}
    return sandbox.run({"language": "python", **texts, "cpu_seconds": 5.0, "memory_mib": 1024})


if __name__ == "__main__":
    sys.exit(main())
