"""`ftbench sign`, and `ftbench verify --signers`: from a run's bundle to a verdict that a named verifier stands for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run

sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))

import keys

Captured = pytest.CaptureFixture[str]


def test_bundle_and_verdict(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    ada, bob = keys.make_key(tmp_path, "ada"), keys.make_key(tmp_path, "bob")
    listed = keys.signers(
        tmp_path / "signers",
        ("ada@example.org", 'namespaces="ftbench-bundle"', ada),
        ("bob@example.org", 'namespaces="ftbench-verdict"', bob),
    )
    known = ["--signers", str(listed)]
    bundle = tmp_path / "bundle"
    shutil.copytree(submitted.good, bundle)
    assert run(["verify", str(bundle), *submitted.options, *known]) == 1
    assert run(["sign", str(bundle), "--key", str(ada)]) == 0
    assert "ftbench-bundle" in capsys.readouterr().out
    verdict = tmp_path / "verdict.json"
    assert run(["verify", str(bundle), *submitted.options, *known, "--verdict", str(verdict)]) == 0
    assert "signed by ada@example.org" in capsys.readouterr().out
    assert run(["pack", str(bundle), "--out", str(tmp_path / "b.zip")]) == 0
    assert run(["verify", str(tmp_path / "b.zip"), *submitted.options, *known]) == 0
    assert run(["sign", str(verdict), "--key", str(bob)]) == 0
    capsys.readouterr()
    assert run(["sign", str(verdict), "--check", *known, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["signed"]["identity"] == "bob@example.org" and told["namespace"] == "ftbench-verdict"
    words = [
        "-Y",
        "verify",
        "-f",
        str(listed),
        "-I",
        "bob@example.org",
        "-n",
        "ftbench-verdict",
        "-s",
        f"{verdict}.sig",
    ]
    assert subprocess.run(["ssh-keygen", *words], input=verdict.read_bytes(), check=False).returncode == 0
    # Ada may hand in and may not judge.
    assert run(["sign", str(verdict), "--key", str(ada)]) == 0
    assert run(["sign", str(verdict), "--check", *known]) == 3
    assert "FTB754" in capsys.readouterr().err


def test_wrong_use(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    assert run(["sign", submitted.good]) == 2
    assert run(["sign", submitted.good, "--check"]) == 3
    assert "FTB756" in capsys.readouterr().err
    assert run(["sign", str(tmp_path / "none"), "--check"]) == 3
    assert run(["verify", submitted.good, "--at", "2025-01-01"]) == 2
    assert run(["verify", submitted.good, "--signers", str(tmp_path / "none")]) == 3
    assert "FTB755" in capsys.readouterr().err
    assert run(["verify", submitted.good, "--signers", str(tmp_path / "none"), "--at", "soon"]) == 2
    assert run(["verify", submitted.good, submitted.good, "--verdict", str(tmp_path / "v")]) == 2


def test_claims(tmp_path: Path, capsys: Captured) -> None:
    table = tmp_path / "t.csv"
    table.write_text("team,FPB,FIQA,Twitter,avg\nours,44.55,62.50,28.77,45.27\ntheirs,44.53,62.50,28.77,45.27\n")
    words = [
        "verify",
        "--claims",
        str(table),
        "--spec",
        "finance",
        "--column",
        "Twitter=tfns",
        "--constant",
        "tfns=1566",
    ]
    assert run(words) == 1
    shown = capsys.readouterr().out
    assert "1 of 2 rows cannot be as they stand" in shown and "FTB763" in shown and "FTB768" in shown
    assert run([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["claims"]["impossible"] == 1
    table.write_text(table.read_text().rsplit("theirs")[0])
    assert run(words) == 0
    for wrong in (
        ["--claims", str(table)],
        ["--claims", str(table), "--spec", "finance", "x"],
        ["x", "--column", "a=b"],
    ):
        assert run(["verify", *wrong]) == 2
    assert run(["verify", *words[1:-1], "tfns=many"]) == 2
    assert run(["verify"]) == 2
    assert run([*words[:-3], "Twitter=tfn"]) == 3
    assert "did you mean `tfns`" in capsys.readouterr().err
