"""Words on the screen: what is missing, what was meant, one line a line, 80 columns, warnings that end nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ftbench.cli import main
from ftbench.cli.main import run
from ftbench.cli.table import COMMANDS, SECTIONS
from ftbench.cli.ui import Ui
from ftbench.diagnostics import Diagnostic

HERE = "results"
"""A folder that is there, for what comes before the missing path."""
MISSING: dict[str, list[str]] = {
    "new": ["new x --train GONE --test GONE", "new entry GONE"],
    "validate": ["validate GONE", "validate quickstart --entry GONE", "validate quickstart --model GONE/config.json"],
    "preview": ["preview GONE"],
    "lock": ["lock GONE"],
    "partition": ["partition GONE"],
    "privacy": ["privacy GONE"],
    "compile": ["compile GONE"],
    "publish": ["publish GONE"],
    "explain": ["explain GONE"],
    "diff": ["diff GONE quickstart", "diff quickstart GONE"],
    "hash": ["hash GONE"],
    "import": ["import flowertune GONE"],
    "models": ["models GONE/config.json"],
    "estimate": ["estimate GONE", "estimate quickstart --entry GONE"],
    "data": ["data fetch GONE", "data add GONE", "data export GONE", "data overlap GONE"],
    "run": ["run GONE", "run quickstart --entry GONE", "run --resume GONE"],
    "watch": ["watch GONE"],
    "sweep": ["sweep GONE --vary adapter.rank=2", "sweep quickstart --entry GONE --vary adapter.rank=2"],
    "analyse": ["analyse GONE", "analyse HERE --claims GONE"],
    "merge": ["merge GONE"],
    "evaluate": ["evaluate GONE", "evaluate GONE --spec quickstart"],
    "report": ["report GONE"],
    "sign": ["sign GONE --key GONE"],
    "pack": ["pack GONE"],
    "verify": [
        "verify GONE",
        "verify GONE --spot",
        "verify GONE --evidence GONE",
        "verify HERE --evidence GONE",
        "verify HERE --signers GONE",
        "verify HERE --benchmarks GONE",
        "verify HERE --spec GONE",
        "verify --claims GONE --spec quickstart",
        "verify GONE --reproduced-by GONE --signers GONE --policy GONE",
        "verify HERE --reproduced-by HERE --signers FILE --policy GONE",
    ],
    "score": ["score GONE --spec quickstart", "score GONE --spec GONE"],
    "submit": ["submit check GONE", "submit new x --bundle GONE"],
    "compare": ["compare GONE GONE"],
    "bisect": ["bisect GONE GONE"],
    "leaderboard": [
        "leaderboard GONE",
        "leaderboard HERE --withdrawn GONE",
        "leaderboard HERE --benchmarks GONE",
        "leaderboard HERE --results HERE --signers GONE",
    ],
    "export": ["export eee GONE --out OUT --organization x", "export hf GONE --out OUT --source-url https://x"],
    "site": ["site build GONE --out OUT", "site build HERE --out OUT --withdrawn GONE"],
    "schema": ["schema --check GONE"],
    "node": ["node GONE", "node GONE --look"],
    "site-kit": ["site-kit join GONE --site a --rows GONE", "site-kit open GONE GONE --superlink localhost:9092"],
}
"""Command → command lines of which one path is not there."""
NO_PATHS = {"list", "doctor", "version", "completion"}
NEED_A_KEY = {"decide", "carry"}
"""Their paths are looked at once the options that say who decides are there."""


def test_every_command_that_takes_a_path_is_here() -> None:
    assert set(MISSING) | NO_PATHS | NEED_A_KEY == set(COMMANDS)


@pytest.mark.parametrize("line", [line for lines in MISSING.values() for line in lines])
def test_a_missing_path_has_one_exit_code(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"GONE": str(tmp_path / "gone"), "HERE": HERE, "OUT": str(tmp_path / "out")}
    words["FILE"] = "README.md"
    argv = [words.get(word, word.replace("GONE", words["GONE"])) for word in line.split()]
    assert run(argv) == 3
    said = capsys.readouterr().err
    assert "FTB" in said and str(tmp_path / "gone") in said
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("rank: 4", "did you mean `adapter.rank`?"),
        ("rounds: 4", "did you mean `federation.rounds`?"),
        ("federation: {strategy: fedavg}", "did you mean `strategy.kind`?"),
        ("federation: {strategy: {kind: fedavg}}", "did you mean `strategy`?"),
        ("training: {learning_rate: 1.0}", "did you mean `training.schedule.learning_rate`?"),
        ("model: {revision: main}", "did you mean `model.base.revision`?"),
        ("training: {batchsize: 4}", "did you mean `training.batch_size`?"),
    ],
)
def test_a_field_that_stands_elsewhere(
    text: str, meant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"extends: quickstart\nmetadata: {{name: mine, version: 0.1.0}}\n{text}\n")
    assert run(["validate", str(path)]) == 3
    assert meant in capsys.readouterr().err


def test_a_path_that_is_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "quickstart", "rank"]) == 3
    assert "did you mean `adapter.rank`?" in capsys.readouterr().err
    assert run(["explain", "quickstart", "federation.strategy"]) == 3
    assert "did you mean `strategy.kind`?" in capsys.readouterr().err
    assert run(["validate", "quickstart", "--set", "rank=4"]) == 3
    assert "did you mean `adapter.rank`?" in capsys.readouterr().err
    assert run(["validate", "quickstart", "--set", "adapter.rnak=4"]) == 3
    assert "did you mean `adapter.rank`?" in capsys.readouterr().err


def test_a_minimal_spec_gets_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("ftbench: spec/v1\n", "ftbench: spec/v1\nmetadata: {name: a, version: 0.1.0}\n", ""):
        path = tmp_path / "spec.yaml"
        path.write_text(text)
        assert run(["validate", str(path)]) == 3
        said = capsys.readouterr()
        assert said.out.endswith(": 1 problem\n")
        assert said.err.count("FTB") == 1
        assert "`ftbench new" in said.err


@pytest.mark.parametrize(
    "line",
    [
        "explain quickstart data.prompt",
        "explain medical data.prompt",
        "diff finance medical",
        "export",
        "export other x",
        "data",
        "site",
        "completion",
        "submit",
        "list knobs quickstart",
        "verify --require NOTHING x",
    ],
)
def test_nothing_shows_an_escaped_line_break(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(line.split())
    said = capsys.readouterr()
    assert said.out + said.err
    assert "\\n" not in said.out + said.err


def test_a_text_of_several_lines_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "finance", "data.prompt"]) == 0
    assert "data.prompt:\n  | Text: {input}\n  | {instruction}\n" in capsys.readouterr().out


WARNINGS = [
    "--help",
    "validate quickstart",
    "hash quickstart",
    "list specs",
    "version",
    "models",
    "doctor",
    "verify results",
    "compile quickstart --check",
]


@pytest.mark.parametrize("line", WARNINGS)
def test_warnings_as_errors_end_nothing(line: str) -> None:
    """What a package warns of at import is not the user's business, whatever the environment says."""
    plain, strict = (
        subprocess.run(
            [sys.executable, "-m", "ftbench", *line.split()],
            capture_output=True,
            text=True,
            check=False,
            env={name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"} | more,
        )
        for more in ({}, {"PYTHONWARNINGS": "error"})
    )
    assert strict.returncode == plain.returncode
    assert strict.stdout == plain.stdout or line == "doctor"  # which tells the free memory of the moment
    assert "Warning" not in strict.stderr


@pytest.mark.slow
def test_a_run_with_warnings_as_errors(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", "run", "quickstart", "--smoke", "--engine", "inline", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_help_says_what_a_person_gets() -> None:
    """A verb first, one sentence, within 80 columns; the same beginning in the list and in the command's own help."""
    for section in SECTIONS.values():
        for name, entry in section.items():
            assert entry.help[0].isupper() and entry.help.endswith("."), name
            assert len(entry.help) + 16 <= 2 * 80, name
            command = main.ftbench.get_command(click.Context(main.ftbench), name)
            assert command is not None and command.help is not None
            assert command.help.split()[0] in {*entry.help.split()[:1], "Verify"}, name


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_80_columns(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*name.split(), "--help"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        return True


def test_a_diagnostic_is_wrapped_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Diagnostic("FTB100", "a word and another " * 12, hint="do this and that " * 12)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    for stream, most in ((Terminal(), 80), (io.StringIO(), 300)):
        monkeypatch.setattr(sys, "stderr", stream)
        Ui(json=False).diagnostics([long])
        lines = stream.getvalue().splitlines()
        assert max(map(len, lines)) <= most
        assert (len(lines) == 2) == (most == 300)
        assert " ".join(stream.getvalue().split()) == " ".join(long.plain().split())


def test_who_reads_by_ear_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing redraws itself where NO_COLOR or TERM=dumb is set, terminal or not."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Ui(json=False).interactive
    monkeypatch.setenv("TERM", "dumb")
    assert not Ui(json=False).interactive
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Ui(json=False).interactive
