"""Every diagnostic says why it is said and how to mend it, in words that hold."""

from __future__ import annotations

import re

import pytest
import typed

from ftbench.cli.inventory import diagnostics
from ftbench.cli.main import run
from ftbench.cli.table import COMMANDS
from ftbench.explained import explained


def test_every_code_is_explained_and_nothing_else() -> None:
    assert set(explained()) == {item.name for item in diagnostics("")}


@pytest.mark.parametrize("code", sorted(explained()))
def test_an_explanation_is_two_short_texts(code: str) -> None:
    for text in explained()[code]:
        assert "\n" not in text and 10 < len(text) < 300 and text.endswith(".")


def test_what_they_name_is_there() -> None:
    """Commands with their options, and options by themselves."""
    wrong = []
    options = {"--help"} | {word for name in COMMANDS for word in _options(name)}
    for code, texts in explained().items():
        for quoted in re.findall(r"`([^`]+)`", " ".join(texts)):
            if quoted.startswith("ftbench "):
                found = typed.wrong(quoted)
                wrong += [f"{code}: {found}"] if found else []
            elif quoted.startswith("--") and quoted.split()[0].partition("=")[0] not in options:
                wrong.append(f"{code}: {quoted}")
    assert not wrong, "\n".join(wrong)


def _options(name: str) -> set[str]:
    import click

    from ftbench.cli.main import ftbench

    command = ftbench.get_command(click.Context(ftbench), name)
    assert command is not None
    inner = [command, *(command.commands.values() if isinstance(command, click.Group) else [])]
    return {option for one in inner for parameter in one.params for option in parameter.opts}


def test_explain_prints_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "ftb329"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("FTB329  items of a test set occur in the training data\n  why:")
    assert "  mend:  `ftbench data overlap SPEC`" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert run(["explain", "FTB999"]) == 3
    assert "FTB913" in capsys.readouterr().err
