"""Lock the official specs on the hub, compile them, and say in Markdown what came out.

One spec that fails does not keep the others from being locked: what it has resolved is written, and its messages are in
the summary. Exit code 0 where at least one spec is resolved whole, else 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

OFFICIAL = [f"{track}{domain}" for track in ("", "budget/") for domain in ("general-nlp", "finance", "medical", "code")]


def ftbench(*words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the object on standard output, and what was said beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *words, "--json"], capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    return done.returncode, answer, done.stderr


def section(spec: str, code: int, answer: dict[str, Any], said: str) -> list[str]:
    """What a reviewer reads of one spec."""
    lines = [f"## {spec}", ""]
    if code:
        lines += [f"**Not locked whole** (exit code {code}).", ""]
    pins = answer.get("pins") or {}
    if pins:
        lines += ["| source | rows | digest | commit | licence |", "|---|---|---|---|---|"]
        for key, pin in sorted(pins["sources"].items()):
            digest, commit = (str(pin[name] or "-")[:12] for name in ("digest", "revision"))
            lines.append(f"| {key} | {pin['rows'] or '-'} | {digest} | {commit} | {pin['licence']} |")
        lines.append("")
    if said.strip():
        lines += ["```", said.strip()[-4000:], "```", ""]
    return lines


def main() -> int:
    """Lock each spec, compile it, write the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specs", nargs="*", default=OFFICIAL)
    parser.add_argument("--summary", type=Path, default=Path("summary.md"))
    parser.add_argument("--generated", default="generated")
    parser.add_argument("--renew", action="store_true")
    given = parser.parse_args()
    lines = [
        "Locked by `.ci/lock_official.py`. Look at rows, commits and licences, and at every warning, before merging.",
        "",
    ]
    whole = 0
    for spec in given.specs:
        print(f"locking {spec}", flush=True)
        code, answer, said = ftbench("lock", spec, *(["--renew"] if given.renew else []))
        compiled, _, more = ftbench("compile", spec, "--out", given.generated)
        whole += code == 0
        lines += section(spec, code, answer, said + (more if compiled else ""))
        print(f"{spec}: {'locked' if code == 0 else f'failed with exit code {code}'}", flush=True)
    given.summary.write_text("\n".join(lines), encoding="utf-8")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
