"""The workflow that publishes the site: its own steps, carried out here as far as they need no runner of GitHub's."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench.spec import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "site.yml"


def steps(job: str) -> list[dict[str, Any]]:
    found: dict[str, Any] = yaml.parse(WORKFLOW.read_bytes(), str(WORKFLOW)).value
    made: list[dict[str, Any]] = found["jobs"][job]["steps"]
    return made


def test_it_publishes_what_it_builds_and_nothing_older() -> None:
    found: dict[str, Any] = yaml.parse(WORKFLOW.read_bytes(), str(WORKFLOW)).value
    assert found["jobs"]["publish"]["needs"] == "build"
    assert found["permissions"] == {"contents": "read"}
    assert {"results/**", "ftbench/**"} <= set(found["on"]["push"]["paths"])
    assert [one["uses"].partition("@")[0] for one in steps("publish")] == ["actions/deploy-pages"]
    tools = " ".join(one["run"] for one in steps("build") if "apt-get" in one.get("run", ""))
    assert {"bubblewrap", "nodejs", "g++"} <= set(tools.split())


@pytest.mark.slow
def test_its_steps_make_a_site(tmp_path: Path) -> None:
    """The board with the documentation below it, in a copy of what is committed, with this environment for make's."""
    copy, venv = tmp_path / "copy", tmp_path / "venv"
    copy.mkdir()
    (venv / "bin").mkdir(parents=True)
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(copy)], input=packed, check=True)
    for name, words in (("ftbench", "-m ftbench"), ("python", "")):
        command = venv / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n')
        command.chmod(0o755)
    os.utime(copy / "pyproject.toml", (0, 0))
    os.utime(copy / "constraints.txt", (0, 0))
    for name in (".torch", ".run", ".dev", ".docs"):
        (venv / name).touch()
    makes = [one["run"] for one in steps("build") if one.get("run", "").startswith("make ")]
    (upload,) = (one for one in steps("build") if one.get("uses", "").startswith("actions/upload-pages-artifact"))
    env = {**os.environ, "PYTHONPATH": str(copy), "VENV": str(venv)}
    for text in makes:
        done = subprocess.run(["bash", "-ec", text], check=False, cwd=copy, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2_000:]
    site = copy / upload["with"]["path"]
    listed = json.loads((site / "site.json").read_bytes())["files"]
    assert (site / "index.html").is_file() and any(name.startswith("tables/") for name in listed), "an empty board"
    assert not any(path.is_symlink() for path in site.rglob("*")), "an artefact of pages holds no links"
    pages = site / "documentation"
    assert (pages / "index.html").is_file()
    beside = [path for path in site.rglob("*") if path.is_file() and pages not in path.parents]
    assert len(beside) == len(listed) + 1
