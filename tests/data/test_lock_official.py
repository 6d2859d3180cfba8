"""The script behind the workflow, on a hub of our own; hints, and pins that make a benchmark one's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import layouts
import pytest
import yaml
from test_data_hub_lock import ITEMS, TRAIN, document

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.data import hints
from ftbench.spec.canonical import pretty
from ftbench.spec.emit import emit
from ftbench.spec.load import load_pins

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci/lock_official.py"


@pytest.fixture
def spec(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hub.add("dataset", "some/train", {"data/a.parquet": layouts.parquet(TRAIN)}, "mit")
    hub.add("dataset", "some/test", {"test.jsonl": "".join(json.dumps(row) + "\n" for row in ITEMS).encode()}, "mit")
    monkeypatch.setenv("FTBENCH_STORE", str(tmp_path / "store"))
    path = tmp_path / "small-hub.yaml"
    path.write_bytes(emit(document()))
    return path


def test_the_script_locks_what_it_can_and_says_what_it_could_not(hub: Any, spec: Path, tmp_path: Path) -> None:
    value = document(name="other-hub")
    value["data"]["source"]["repo"] = "some/nothing"
    other = tmp_path / "other-hub.yaml"
    other.write_bytes(emit(value))
    words = ["--summary", "summary.md", "--generated", "generated", str(spec), str(other)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        cwd=tmp_path,
        env={**os.environ, "HF_ENDPOINT": hub.endpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{spec}: locked" in done.stdout and "failed with exit code" in done.stdout
    summary = (tmp_path / "summary.md").read_text()
    assert "| task:even | 12 |" in summary and "FTB341" in summary
    assert load_pins(spec).resolved and (tmp_path / "generated/small-hub/0.1.0/ftbench.lock").is_file()
    assert load_pins(other).sources["task:even"].digest  # what could be resolved is
    assert str(SCRIPT.name) in (SCRIPT.parents[1] / ".github/workflows/lock-official.yml").read_text()


@pytest.fixture
def repository(spec: Path, tmp_path: Path) -> Path:
    """A clone of a repository with the script, the workflow and one spec, whose `gh` writes down what it is asked."""
    work, tools = tmp_path / "work", tmp_path / "tools"
    for path in (".ci/lock_official.py", ".github/workflows/lock-official.yml"):
        (work / path).parent.mkdir(parents=True)
        shutil.copy(ROOT / path, work / path)
    (work / "specs").mkdir()
    shutil.move(spec, work / "specs")
    (work / "generated").mkdir()
    (work / "generated/.gitattributes").write_text("** -text\n")
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$GH_SAID"\n')
    (tools / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for one in tools.iterdir():
        one.chmod(0o755)
    git(tmp_path, "init", "--quiet", "--bare", "hub.git")
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", ".")
    git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first")
    git(work, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(work, "push", "--quiet", "origin", "main")
    return work


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def steps(work: Path, run_id: str, said: Path, endpoint: str) -> str:
    """Carry out the workflow's shell steps after the installation, as a runner does: bash -e, expressions filled."""
    workflow = yaml.safe_load((work / ".github/workflows/lock-official.yml").read_text())
    told = ""
    for step in workflow["jobs"]["lock"]["steps"][-2:]:
        shell = step["run"].replace("${{ github.run_id }}", run_id)
        shell = re.sub(r"\$\{\{ inputs.renew .*?\}\}", "specs/small-hub.yaml", shell)  # in place of the eight
        assert "${{" not in shell
        done = subprocess.run(
            ["bash", "-e", "-c", shell],
            cwd=work,
            env={
                **os.environ,
                "PATH": f"{work.parent / 'tools'}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "HF_ENDPOINT": endpoint,
                "GH_SAID": str(said),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told += done.stdout
    return told


@pytest.mark.slow
def test_the_workflows_steps_open_the_pins_as_a_change(hub: Any, repository: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    assert "specs/small-hub.yaml: locked" in steps(repository, "7", said, hub.endpoint)
    words = said.read_text().splitlines()
    assert words[:4] == ["pr", "create", "--head", "pins-7"] and words[-2:] == ["--body-file", "summary.md"]
    brought = git(tmp_path / "hub.git", "diff", "--name-only", "main", "pins-7").splitlines()
    assert "specs/small-hub.pins.json" in brought and "generated/small-hub/0.1.0/ftbench.lock" in brought
    assert all(one.startswith(("specs/", "generated/")) for one in brought)  # the summary is the change's text alone
    pins = json.loads(git(tmp_path / "hub.git", "show", "pins-7:specs/small-hub.pins.json"))
    assert all(one["digest"] for one in pins["sources"].values())
    said.unlink()
    assert "nothing changed" in steps(repository, "8", said, hub.endpoint) and not said.exists()


def test_the_script_knows_the_official_specs() -> None:
    sys.path.insert(0, str(SCRIPT.parent))
    from lock_official import OFFICIAL

    assert len(OFFICIAL) == 8 and set(OFFICIAL) <= set(builtin.specs())


def test_a_hint_tells_where_the_hub_differs_and_moves_no_hash(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ftbench.data.store import Store

    assert run(["lock", str(spec)]) == 0
    first = (tmp_path / "small-hub.pins.json").read_bytes()
    pin = load_pins(spec).sources["task:even"]
    rows = Store([tmp_path / "store"]).rows(str(pin.digest))
    hint = hints.make(reversed(rows), pin.inputs, "a copy")

    def write(one: hints.Hint) -> None:
        hints.hints_path(spec).write_bytes(pretty(hints.Hints(sources={"task:even": one}).model_dump(mode="json")))

    write(hint)
    capsys.readouterr()
    assert run(["lock", str(spec)]) == 0
    assert "FTB317" not in capsys.readouterr().err  # the order does not count
    other = [*rows[:3], *rows[4:], {"question": "another"}]
    write(hints.make(other, "0" * 64, "a copy"))  # of another source: it says nothing
    assert run(["lock", str(spec)]) == 0
    assert "FTB317" not in capsys.readouterr().err
    write(hints.make(other, pin.inputs, "a copy"))
    assert run(["lock", str(spec)]) == 0
    told = capsys.readouterr().err
    assert "FTB317 warning: `task:even`: the hub's 12 rows are not the 12 of a copy" in told
    assert "1 are not among those, 1 of those are not among the hub's; row 3: " in told
    assert (tmp_path / "small-hub.pins.json").read_bytes() == first
    hints.hints_path(spec).write_text("{}")
    assert run(["lock", str(spec)]) == 3


def test_other_pins_than_the_published_make_ones_own_benchmark(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ftbench.builtin.specs", lambda: {"small-hub": spec})
    assert run(["lock", str(spec), "--offline"]) == 0
    assert "FTB316" not in capsys.readouterr().err  # nothing is resolved yet
    assert run(["lock", str(spec)]) == 0
    told = capsys.readouterr().err
    assert "FTB316 warning: with these pins `small-hub` 0.1.0 is a benchmark of your own" in told
    assert "of `task:even`, `train` no pins were published" in told
    assert run(["lock", str(spec)]) == 0  # now these are what comes with it
    assert "FTB316" not in capsys.readouterr().err
