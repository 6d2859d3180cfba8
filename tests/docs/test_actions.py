"""The actions for other repositories: the shell of their steps, in local repositories that hold, and that do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import ROOT

BOARD = ROOT / "docs" / "walkthroughs" / "board"
BUNDLE = "quickstart-rank2-rounds4-s1.zip"


def action(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "actions" / name / "action.yml").read_text())
    return found


def carry_out(name: str, repository: Path, **given: str) -> tuple[bool, str]:
    """Run the steps of an action but the installation, as GitHub would: whether all held, what they said."""
    inputs = {key.replace("_", "-"): value for key, value in given.items()}
    values = {key: str(one.get("default", "")) for key, one in action(name)["inputs"].items()} | inputs
    values["python"] = sys.executable
    said = ""
    for step in action(name)["runs"]["steps"][1:]:
        condition = step.get("if")
        if condition is not None:
            wanted = re.fullmatch(r"inputs\.([\w-]+) != ''", condition)
            assert wanted, condition
            if not values[wanted[1]]:
                continue
        env = {key: filled(text, values) for key, text in step["env"].items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=repository, env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said += f"== {step['name']}\n{done.stdout}{done.stderr}"
        if done.returncode:
            return False, said
    return True, said


def filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: values[found[1]], text)


@pytest.mark.parametrize("name", ["specs", "results"])
def test_an_action_installs_itself_and_lets_no_text_become_a_command(name: str) -> None:
    steps = action(name)["runs"]["steps"]
    assert steps[0]["env"]["FTBENCH"] == "${{ github.action_path }}/../.."
    assert (
        steps[0]["run"].strip() == '"$PYTHON" -m pip install --quiet --constraint "$FTBENCH/constraints.txt" "$FTBENCH"'
    )
    for step in steps:
        assert step["shell"] == "bash" and "${{" not in step["run"]
        assert "-m ftbench" not in step["run"] or "-P -m ftbench" in step["run"]


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A repository with one spec, its pins, what it compiles to, and in `base` how it was before."""
    for folder in (tmp_path / "specs", tmp_path / "base" / "specs"):
        folder.mkdir(parents=True)
        for name in ("quickstart.yaml", "quickstart.pins.json"):
            shutil.copy(ROOT / "specs" / name, folder)
    (tmp_path / "generated").mkdir()
    shutil.copytree(ROOT / "generated/quickstart/0.1.0", tmp_path / "generated/quickstart/0.1.0")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.slow
def test_a_repository_of_specs(specs: Path) -> None:
    given = {"compiled": "generated", "base": "base", "fail_on": "score-affecting"}
    held, said = carry_out("specs", specs, **given)
    assert held, said
    assert said.count("== ") == 4 and "same" in said

    spec = specs / "specs" / "quickstart.yaml"
    before = spec.read_text()
    edit(spec, "local_steps: ", "local_step: ")
    held, said = carry_out("specs", specs, **given)
    assert not held and "FTB103" in said and "== Check pins" not in said

    spec.write_text(before)
    spec.write_text(re.sub(r"local_steps: \d+", "local_steps: 3", before))
    held, said = carry_out("specs", specs, **given)
    assert not held and "FTB407" in said and "== Say" not in said
    held, said = carry_out("specs", specs, base="base", fail_on="score-affecting")
    assert not held and "training.local_steps" in said
    held, said = carry_out("specs", specs, base="base", fail_on="incomparable")
    assert held, said

    spec.write_text(before)
    (specs / "specs/quickstart.pins.json").unlink()
    held, said = carry_out("specs", specs)
    assert not held and "FTB190" in said
    held, said = carry_out("specs", specs, specs="nowhere/*.yaml")
    assert not held and "no spec matches" in said


def test_a_repository_of_results(tmp_path: Path) -> None:
    head, base = tmp_path / "head" / "results", tmp_path / "base" / "results"
    base.mkdir(parents=True)
    make = [sys.executable, "-P", "-m", "ftbench", "submit", "new", "mine-s1"]
    subprocess.run([*make, "--bundle", str(BOARD / BUNDLE), "--results", str(head)], check=True, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    given = {"results": str(head), "base": str(base), "benchmarks": str(BOARD / "generated")}
    held, said = carry_out("results", tmp_path, **given)
    assert held and "title=reached RESCORED" in said, said

    (head / "decisions.jsonl").write_text("{}\n")
    held, said = carry_out("results", tmp_path, **given)
    assert not held and "FTB784" in said
    (head / "decisions.jsonl").unlink()

    edit(head / "bundles/mine-s1/result.json", '"seed": 1', '"seed": 2')
    held, said = carry_out("results", tmp_path, **given)
    assert not held and "manifest-digests" in said
    held, said = carry_out("results", tmp_path, **(given | {"signers": str(tmp_path / "none")}))
    assert not held and "FTB755" in said


def test_rows_of_ones_own_are_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the questions are: without them a benchmark of one's own is judged up to CONFORMS and no further."""
    head, base = tmp_path / "head" / "results", tmp_path / "base" / "results"
    head.mkdir(parents=True)
    base.mkdir(parents=True)
    store = tmp_path / "store"
    monkeypatch.setenv("FTBENCH_STORE", str(store))
    rows = tmp_path / "base" / "rows"
    rows.mkdir()
    ftbench = [sys.executable, "-P", "-m", "ftbench"]
    shutil.copytree(ROOT / "docs" / "tutorial", tmp_path / "legal")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "FTBENCH_STORE": str(tmp_path / "author")}
    for words in (
        ["new", "legal", "--train", "train.jsonl", "--test", "test.jsonl", "--options", "yes,no"],
        ["lock", "legal.yaml"],
        ["data", "export", "legal.yaml", "--out", str(rows / "legal.tar")],
    ):
        subprocess.run([*ftbench, *words], cwd=tmp_path / "legal", check=True, capture_output=True, env=env)
    given = {"results": str(head), "base": str(base)}
    held, said = carry_out("results", tmp_path, **given, rows=str(rows / "*.tar"))
    assert held and "task:test: added, 60 rows" in said, said
    assert len(list(store.rglob("*.jsonl"))) == 2
    held, said = carry_out("results", tmp_path, **given, rows=str(rows / "*.zip"))
    assert not held and "no archive matches" in said and "== Check what" not in said


def test_the_board_of_a_repository_of_results(tmp_path: Path) -> None:
    """The command of the page's workflow, where the benchmark is known to the repository alone."""
    (_, _, page) = (ROOT / "docs" / "ci.md").read_text().split("```yaml\n")[1:]
    steps = yaml.safe_load(page.split("```")[0])["jobs"]["build"]["steps"]
    (command,) = [step["run"] for step in steps if "site build" in step.get("run", "")]
    results = tmp_path / "results"
    key = tmp_path / "val"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind = "val@example.org " + " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (tmp_path / "allowed_signers").write_text(kind + "\n")
    shutil.copytree(BOARD / "generated", tmp_path / "generated")
    by = ["--results", str(results), "--verifier", "val@example.org", "--key", str(key)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    known = ["--benchmarks", "generated"]
    for words in (["submit", "new", "one", "--bundle", str(BOARD / BUNDLE), "--results", str(results)],
                  ["submit", "receive", *by, *known], ["decide", "--pending", *by, *known]):  # fmt: skip
        subprocess.run([sys.executable, "-P", "-m", "ftbench", *words], cwd=tmp_path, check=True, env=env)
    typed = [sys.executable, "-P", "-m", "ftbench", *command.split()[1:]]
    assert command.split()[0] == "ftbench"
    subprocess.run(typed, cwd=tmp_path, check=True, env=env)
    assert "accepted" in (tmp_path / "site" / "decisions.html").read_text()
    assert list((tmp_path / "site" / "tables").glob("quickstart-*/index.html"))
