"""Every option of every command with values that nobody means: a diagnostic or an answer, never a fault of ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ftbench import builtin
from ftbench.cli.main import ftbench, run
from ftbench.cli.table import COMMANDS

BOARD = Path(__file__).resolve().parents[2] / "docs" / "walkthroughs" / "board"
VALUES = ("", "x", "-1", "9" * 40, "1e999", "a=b", "é\n\x1b[31m", "/", "none-such", "%s{}", "x" * 5000)
BUG = 70
LIGHT = {
    "validate": ["spec.yaml"],
    "partition": ["spec.yaml"],
    "privacy": ["spec.yaml"],
    "compile": ["spec.yaml", "--out", "out"],
    "explain": ["spec.yaml", "strategy.kind"],
    "diff": ["spec.yaml", "quickstart"],
    "hash": ["spec.yaml"],
    "models": [],
    "estimate": ["spec.yaml"],
    "list": ["specs"],
    "schema": [],
    "version": [],
    "completion": ["bash"],
    "leaderboard": ["empty"],
    "analyse": ["empty"],
    "new": ["made"],
    "score": ["answers.jsonl", "--spec", "spec.yaml"],
}
"""Commands that are quick with what they are for → their arguments."""


def options(command: click.Command) -> Iterator[click.Option]:
    return (one for one in command.params if isinstance(one, click.Option))


def lines(name: str) -> Iterator[list[str]]:
    """The command with each option and each value: with arguments that lead nowhere, and with good ones."""
    command = ftbench.get_command(click.Context(ftbench), name)
    assert command is not None
    lacking = [
        str(one.type.choices[0]) if isinstance(one.type, click.Choice) else "none-such"
        for one in command.params
        if isinstance(one, click.Argument)
    ]
    broken = [word.replace("none-such", "broken.yaml") for word in lacking]
    bases = [lacking, *([broken] if broken != lacking else []), *([LIGHT[name]] if LIGHT.get(name) else [])]
    values = VALUES[:2] if name == "doctor" else VALUES  # it tries the machine's tools each time
    for base in bases:
        for option in options(command):
            if option.name == "tied":  # ends its process when standard input ends, and here that is the tests'
                continue
            word = option.opts[-1]
            if option.is_flag or option.count:
                yield from ([name, *base, one] for one in (*option.opts, *option.secondary_opts))
            else:
                yield from ([name, *base, word, *[value] * option.nargs] for value in values)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which commands find little, and from which they reach nothing."""
    for suffix in (".yaml", ".pins.json"):
        shutil.copy(builtin.specs()["quickstart"].with_suffix(suffix), tmp_path / f"spec{suffix}")
    (tmp_path / "broken.yaml").write_text("ftbench: [\n")
    (tmp_path / "answers.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("FTBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_ends_in_a_fault(name: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for line in lines(name):
        code = run(line)
        told = capfd.readouterr()
        assert code != BUG and "Traceback" not in told.err + told.out, f"{line}\n{told.err[-2000:]}"
        assert code in {0, 1, 2, 3, 4, 5}, f"{line}: {code}"
