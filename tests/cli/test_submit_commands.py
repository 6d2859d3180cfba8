"""submit, decide, verify ROW: as a submitter, a maintainer's workflow and a verifier type them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run

sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))

import keys

Captured = pytest.CaptureFixture[str]


def test_the_whole_way(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    ada, val = keys.make_key(tmp_path, "ada"), keys.make_key(tmp_path, "val")
    listed = keys.signers(tmp_path / "signers", ("ada@example.org", "", ada), ("val@example.org", "", val))
    base, head = tmp_path / "base", tmp_path / "head"
    (base / "submissions").mkdir(parents=True)
    shutil.copytree(base, head)
    bundle = tmp_path / "bundle"
    shutil.copytree(submitted.good, bundle)
    assert run(["sign", str(bundle), "--key", str(ada)]) == 0
    results = ["--results", str(head)]
    assert run(["submit", "new", "mine-s1", "--bundle", str(bundle), *results]) == 0
    assert run(["submit", "new", "mine-s1", "--bundle", str(bundle), *results]) == 3
    check = ["submit", "check", *results, "--base", str(base), *submitted.options]
    capsys.readouterr()
    assert run([*check, "--signers", str(listed)]) == 0
    assert "signed by ada@example.org" in capsys.readouterr().out
    # Somebody else's bundle, changed after it was signed: the name of the check is told.
    row = head / "submissions" / "mine-s1.json"
    assert run(["verify", str(row), *submitted.options, "--signers", str(listed)]) == 0
    bad = str(submitted.bundles / "tampered")
    assert run(["submit", "new", "bad", "--bundle", bad, *results]) == 0
    capsys.readouterr()
    assert run([*check, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {one["name"]: one["accepted"] for one in told["submissions"]} == {"bad": False, "mine-s1": True}
    assert run([*check, "--format", "github"]) == 1
    assert "::error file=" in capsys.readouterr().out
    (head / "decisions.jsonl").write_text("")
    assert run([*check, "mine-s1"]) == 1
    assert "FTB784" in capsys.readouterr().err
    (head / "decisions.jsonl").unlink()
    # The maintainer merges, receives and decides.
    by = ["--verifier", "val@example.org", "--key", str(val), *results, *submitted.options]
    assert run(["submit", "receive", *by]) == 0
    assert run(["decide", "--pending", *by]) == 0
    assert run(["decide", "mine-s1", "--as", "withdrawn", "--why", "by request", *by]) == 0
    capsys.readouterr()
    assert run(["decide", *results, "--signers", str(listed)]) == 0
    shown = capsys.readouterr().out
    assert "signed by val@example.org" in shown and "by request" in shown and "prompts-compiled" in shown
    # Somebody asks why: one submission's lines, and no other's.
    assert run(["decide", "mine-s1", *results]) == 0
    shown = capsys.readouterr().out
    assert "received: mine-s1" in shown and "withdrawn: mine-s1" in shown and "prompts-compiled" not in shown
    assert run(["decide", *results, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pending"] == []
    # A line of which somebody thought better.
    file = head / "decisions.jsonl"
    file.write_text(file.read_text().replace("by request", "by mistake"))
    assert run(["decide", *results]) == 3
    assert "FTB780" in capsys.readouterr().err


def test_register(tmp_path: Path, capsys: Captured) -> None:
    """The digests are those that a run's result will name: the same entry, the same seed."""
    from ftbench import builtin
    from ftbench.spec.entries import entry_digest, resolve_entry
    from ftbench.spec.load import load_spec

    ada = keys.make_key(tmp_path, "ada")
    results = ["--results", str(tmp_path / "r")]
    words = ["submit", "register", "--spec", "quickstart", "--trials", "2", "--key", str(ada), *results]
    assert run([*words, "--json"]) == 0
    path = Path(json.loads(capsys.readouterr().out)["written"])
    spec = load_spec(builtin.specs()["quickstart"]).spec
    due = [{"entry": entry_digest(resolve_entry(spec, None, seed=s)), "seed": s} for s in spec.seeds.runs]
    assert json.loads(path.read_text())["runs"] == due
    assert run(["sign", str(path), "--check"]) == 0
    assert run(["submit", "receive", "--verifier", "val", *results]) == 0
    assert run(["submit", "receive", "--verifier", "val", *results]) == 0
    assert run(["decide", *results]) == 0
    assert "runs announced, after 2 trials" in capsys.readouterr().out
    assert run(words[:-4]) == 2


def test_carry(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    """To its own benchmark nothing moves, and the recorded answers give the same scores."""
    import os

    root = submitted.world.root
    known = root / "spec.yaml"
    from ftbench.spec.canonical import pretty

    known.write_bytes(pretty(submitted.world.spec.model_dump(mode="json", exclude_none=True)))
    known.with_name("spec.pins.json").write_bytes(pretty(submitted.world.compiled.plan.pins.model_dump(mode="json")))
    if os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1":
        return
    out = tmp_path / "carried.json"
    words = ["carry", submitted.good, "--to", str(known), "--verifier", "val", *submitted.options]
    assert run([*words, "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["carried"]
    result = json.loads((Path(submitted.good) / "result.json").read_text())
    assert told["edits"] == [] and told["how"] == "answers" and told["scores"] == result["scores"]
    assert run(words) == 2
    assert run([*words[:3], "medical", *words[4:], "--out", str(out)]) == 3
    assert "FTB785" in capsys.readouterr().err


def test_wrong_use(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    results = ["--results", str(tmp_path / "r")]
    assert run(["submit", "new", *results]) == 2
    assert run(["submit", "new", "x", "--bundle", submitted.good, "--place", "ftp://x", *results]) == 2
    assert run(["submit", "new", "A b", "--bundle", str(submitted.bundles / "broken.zip"), *results]) == 3
    assert run(["submit", "receive", *results]) == 2
    assert run(["submit", "check", "none", *results]) == 3
    assert run(["submit", "check", *results]) == 0
    assert run(["decide", "x", *results]) == 3
    for words in (["--hours", "1"], ["--pending"], ["x", "--pending"], ["x", "--as", "refused"], ["x", "--why", "y"],
                  ["x", "--as", "refused", "--why", "y"]):  # fmt: skip
        assert run(["decide", *words, *results]) == 2
    assert run(["decide", "x", "--as", "refused", "--why", "y", "--verifier", "z", *results]) == 3
    assert run(["verify", str(tmp_path / "none.json")]) == 3
    assert run(["verify", "http://127.0.0.1:9/x"]) == 4
    assert "FTB782" in capsys.readouterr().err
