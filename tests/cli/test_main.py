"""The outer shell: lazy commands, exit codes, one JSON object, nothing raw from outside."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from ftbench.cli import main
from ftbench.cli.main import run
from ftbench.cli.table import COMMANDS, EXIT_CODES
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import CheckFailed, FtbenchError, InvalidInput, MissingResource, RunFailed, RunIncomplete

HEAVY = ("torch", "transformers", "peft", "datasets", "lm_eval", "ray", "tokenizers", "safetensors")
LIGHT = (*HEAVY, "pydantic", "rich", "flwr", "numpy", "yaml", "jsonschema")


def modules_after(*argv: str, banned: tuple[str, ...]) -> tuple[int, list[str]]:
    """Exit code of a command line in a process of its own, and which of `banned` it has imported."""
    script = (
        "import json, sys; from ftbench.cli.main import run; code = run(sys.argv[2:]);"
        "found = [m for m in json.loads(sys.argv[1]) if m in sys.modules]; print(json.dumps([code, found]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(banned), *argv], capture_output=True, text=True, check=True
    )
    code, found = json.loads(done.stdout.splitlines()[-1])
    return code, found


def test_help_imports_only_click() -> None:
    assert modules_after("--help", banned=LIGHT) == (0, [])


def test_help_of_no_command_imports_more() -> None:
    """A constant of `ftbench.compile.plan` at the top of three modules brought all models: `run --help` took five times
    as long as `--help`."""
    script = (
        "import contextlib, io, json, sys; from ftbench.cli.main import run\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        assert run([name, '--help']) == 0, name\n"
        "print(json.dumps([m for m in json.loads(sys.argv[2]) if m in sys.modules]))"
    )
    words = [json.dumps(list(COMMANDS)), json.dumps([*LIGHT, "ftbench.spec.model"])]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    "argv",
    [
        ["validate", "quickstart"],
        ["compile", "quickstart", "--out", "{tmp}"],
        ["verify", "{tmp}"],
        ["hash", "quickstart"],
        ["version"],
        ["list", "diagnostics"],
        ["run", "--help"],
    ],
    ids=lambda argv: argv[0],
)
def test_light_commands_import_nothing_heavy(argv: list[str], tmp_path: Path) -> None:
    code, found = modules_after(*(word.replace("{tmp}", str(tmp_path)) for word in argv), banned=HEAVY)
    assert found == []
    assert code in {0, 1, 3}


def test_commands_that_judge_import_nothing_heavy(submitted: Any, tmp_path: Path) -> None:
    """What people type most beside the above, on real bundles and to its end, in one process."""
    bundles, options = str(submitted.bundles), [*submitted.options]
    lines = [
        (["explain", "FTB329"], 0),
        (["diff", "quickstart", "micro/finance"], 0),
        (["leaderboard", bundles, *options], 0),
        (["submit", "new", "mine-s1", "--bundle", submitted.good, "--results", str(tmp_path / "results")], 0),
        (["submit", "check", "--results", str(tmp_path / "results"), *options], 0),
        (["site", "build", bundles, "-o", str(tmp_path / "site"), *options], 0),
        (["analyse", bundles, *options], 0),  # the last: its arithmetic is scipy's
    ]
    script = (
        "import contextlib, io, json, sys; from ftbench.cli.main import run\n"
        "told = []\n"
        "for words, expected in json.loads(sys.argv[1]):\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        code = run(words)\n"
        "    told.append([words[:2], code == expected, [m for m in json.loads(sys.argv[2]) if m in sys.modules]])\n"
        "print(json.dumps(told))"
    )
    banned = [*HEAVY, "pandas", "scipy", "pyarrow", "matplotlib", "flwr"]
    command = [sys.executable, "-c", script, json.dumps(lines), json.dumps(banned)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *told, analysed = json.loads(done.stdout)
    assert [one for one in told if one[1:] != [True, []]] == [], done.stderr
    assert analysed[1] and set(analysed[2]) <= {"scipy"}, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Example:" in out
    assert f"ftbench {name}" in out.partition("Example:")[2]
    command = main.ftbench.get_command(click.Context(main.ftbench), name)
    assert command is not None and command.name == name
    assert any("--json" in parameter.opts for parameter in command.params)
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_help_lists_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in out
    for code in EXIT_CODES:
        assert f"\n  {code} " in out


def test_exit_codes_are_those_of_the_classes() -> None:
    classes = (CheckFailed, InvalidInput, MissingResource, RunFailed, RunIncomplete, FtbenchError)
    assert {one.exit_code for one in classes} <= set(EXIT_CODES)


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Usage: ftbench" in capsys.readouterr().err


def test_python_dash_m() -> None:
    done = subprocess.run([sys.executable, "-m", "ftbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ftbench ")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["valdate"], "did you mean `validate`"),
        (["validate"], "Missing argument"),
        (["compile", "quickstart", "--nope"], "No such option"),
        (["list", "things"], "'things' is not one of"),
        (["--nope"], "No such option"),
    ],
)
def test_usage_errors(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv) == 2
    shown = capsys.readouterr()
    assert told in shown.err and "FTB901" in shown.err
    assert shown.out == ""
    assert run([*argv, "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]["exit_code"] == 2
    assert answer["diagnostics"][0]["code"] == "FTB901"


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `ftbench version` raise."""

    @click.command("version")
    @click.option("--json", is_flag=True)
    def command(json: bool) -> None:
        print("said before")
        raise error

    monkeypatch.setitem(sys.modules, "ftbench.cli.version", SimpleNamespace(command=command))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InvalidInput(Diagnostic("FTB100", "wrong", Place("x.yaml", 3, 4), "mend it")), 3, "x.yaml:3:4 FTB100 wrong"),
        (CheckFailed(Diagnostic("FTB100", "drift")), 1, "drift"),
        (MissingResource(Diagnostic("FTB100", "gone")), 4, "gone"),
        (RunFailed(Diagnostic("FTB100", "died")), 5, "died"),
        (RunIncomplete(Diagnostic("FTB100", "limit")), 6, "limit"),
        (KeyboardInterrupt(), 130, ""),
        (ModuleNotFoundError("no torch", name="torch"), 4, "pip install 'ftbench[run]'"),
        (ModuleNotFoundError("no such", name="ftbench.nope"), 70, "report"),
        (OSError(28, "No space left on device", "/big"), 4, "No space left on device: /big"),
        (ZeroDivisionError("by zero"), 70, "ZeroDivisionError: by zero"),
        (RecursionError(), 70, "RecursionError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_ending_has_its_code(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FTBENCH_DEBUG", raising=False)
    raising(monkeypatch, error)
    assert run(["version"]) == code
    shown = capsys.readouterr()
    assert told in shown.err
    assert "Traceback" not in shown.err
    assert run(["version", "--json"]) == code
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert answer["error"]["exit_code"] == code
    assert "said before" in shown.err, "with --json everything else goes to stderr"


def test_traceback_only_when_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FTBENCH_DEBUG", "1")
    raising(monkeypatch, ZeroDivisionError("by zero"))
    assert run(["version"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_reader_that_goes_away() -> None:
    script = "import sys; from ftbench.cli.main import run; sys.exit(run(['list', 'diagnostics']))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""


def test_format_json_is_json() -> None:
    assert main.wants_json(["verify", "x", "--format", "json"])
    assert main.wants_json(["verify", "x", "--format=json"])
    assert not main.wants_json(["leaderboard", "x", "--format", "json", "--out", "x.json"])
    assert not main.wants_json(["leaderboard", "x", "--format", "csv"])


def completed(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> set[str]:
    monkeypatch.setenv("_FTBENCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert run([]) == 0
    return {line.partition(",")[2] for line in capsys.readouterr().out.splitlines()}


def test_shell_completion(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert completed("ftbench ver", monkeypatch, capsys) == {"verify", "version"}
    assert "quickstart" in completed("ftbench run qui", monkeypatch, capsys)
    assert "--engine" in completed("ftbench run --en", monkeypatch, capsys)
    assert completed("ftbench list str", monkeypatch, capsys) == {"strategies"}


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_no_exit_code(closed: str) -> None:
    for words, code in (("version", 0), ("version --json", 0), ("validate nope", 3)):
        done = subprocess.run(
            ["sh", "-c", f"exec {shlex.quote(sys.executable)} -m ftbench {words} {closed}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
