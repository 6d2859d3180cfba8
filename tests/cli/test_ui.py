"""Colour only where someone sees it; nothing from outside raw, anywhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ftbench.cli.main import run
from ftbench.cli.ui import Ui

ESCAPE = "\x1b]0;owned\x07\x1b[31m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def painted(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    terminal = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", terminal)
    Ui(json=False).line(f"all good [bold]{ESCAPE}", "good")
    return terminal.getvalue()


def test_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert painted(monkeypatch) == "\x1b[32mall good [bold]\\x1b]0;owned\\x07\\x1b[31m\x1b[0m\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert painted(monkeypatch, **environment) == "all good [bold]\\x1b]0;owned\\x07\\x1b[31m\n"


def test_no_colour_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Ui(json=False).line("plain", "good")
    assert capsys.readouterr().out == "plain\n"


def test_letters_that_the_terminal_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    Ui(json=False).line("±")
    assert raw.getvalue() == b"?\n"


HOSTILE = {
    "value": 'ftbench: spec/v1\nmetadata: {name: "\\e[31mred", version: 1.0.0, title: "\\e]0;owned\\a"}\n',
    "key": 'ftbench: spec/v1\n"\\e[31mkey": 1\n',
    "raw": f"ftbench: spec/v1\nmetadata: {{name: {ESCAPE}}}\n",
    "bidi": 'ftbench: spec/v1\nmetadata: {name: "a\u202eb"}\n',
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("json_", [False, True])
def test_escape_sequences_of_a_spec_reach_no_terminal(
    name: str, json_: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text(HOSTILE[name], encoding="utf-8")
    assert run(["validate", str(spec), *(["--json"] if json_ else [])]) == 3
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
    if json_:
        assert json.loads(shown.out)["valid"] is False


def test_escape_sequences_of_an_argument_reach_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", f"{ESCAPE}.yaml"]) == 3
    assert run([f"{ESCAPE}"]) == 2
    assert run(["list", f"{ESCAPE}"]) == 2
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


def test_a_name_forges_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "x\nFAKE.yaml"
    spec.write_text("metadata: 3\n")
    assert run(["validate", str(spec)]) == 3
    said = capsys.readouterr()
    assert "x\\nFAKE.yaml" in said.err and "x\\nFAKE.yaml" in said.out
    assert not any(line.startswith("FAKE") for line in (said.out + said.err).splitlines())
