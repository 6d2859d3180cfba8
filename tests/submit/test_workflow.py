"""The workflow for submissions: the base branch's ftbench judges, and nothing of the pull request is ever run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[2] / ".github" / "workflows" / "submissions.yml"


def steps() -> list[dict[str, Any]]:
    value = yaml.safe_load(FILE.read_text())
    (job,) = value["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def test_the_file_itself_is_the_base_branchs() -> None:
    value = yaml.safe_load(FILE.read_text())
    # `on` is a boolean in YAML 1.1.
    assert list(value[True]) == ["pull_request_target"]
    assert value["permissions"] == {"contents": "read"}
    assert "secrets." not in FILE.read_text()


def test_nothing_of_the_pull_request_is_run() -> None:
    """It is checked out as data, its token is not kept, and every command that runs comes from the base."""
    for step in steps():
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
            if step["with"]["path"] == "head":
                assert step["with"]["sparse-checkout"] == "results"
        script = step.get("run", "")
        assert "${{" not in script, "an expression in a script lets a branch's name become a command"
        assert not re.search(r"(install|source|bash|python|\./)[^\n]*head(?!/results\")", script)
    (check,) = [step for step in steps() if step.get("name") == "Check"]
    assert check["run"].startswith("python -P -m ftbench submit check")
    assert check["working-directory"] == "${{ runner.temp }}"


def test_the_options_are_those_of_the_command() -> None:
    from ftbench.cli.submit import command

    (check,) = [step for step in steps() if step.get("name") == "Check"]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z]+", check["run"])) <= known
