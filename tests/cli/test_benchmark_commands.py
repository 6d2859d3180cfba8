"""validate, compile, publish, lock, hash, explain, diff: on copies of the quickstart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftbench.cli.main import run

Captured = pytest.CaptureFixture[str]


def edit(path: Path, old: str, new: str) -> None:
    """Replace what stands once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")


def publish(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    text = text.replace("  status: draft\n", "").replace("metadata:\n", "metadata:\n  status: published\n")
    spec.write_text(text, encoding="utf-8")


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_validate_tells_every_problem_with_its_place(spec: Path, capsys: Captured) -> None:
    edit(spec, "\n  clients: ", "\n  clints: ")
    edit(spec, "\n  rank: ", "\n  rank: -")
    assert run(["validate", str(spec), "quickstart"]) == 3
    shown = capsys.readouterr()
    assert "did you mean `clients`" in shown.err
    assert shown.err.count("quickstart.yaml:") >= 2
    assert "quickstart: valid" in shown.out


def test_validate_an_entry(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    entry = tmp_path / "mine.yaml"
    entry.write_text("ftbench: entry/v1\nmetadata: {name: mine}\nknobs: {federation.clients: 3}\n")
    assert run(["validate", str(spec), "--entry", str(entry)]) == 3
    assert "mine.yaml:3" in capsys.readouterr().err
    assert run(["validate", str(spec), "--set", "adapter.rank=4", "--seed", "2"]) == 0
    assert run(["validate", str(spec), "--set", "adapter.rank=9999"]) == 3
    assert run(["validate", str(spec), "quickstart", "--seed", "1"]) == 2


def test_compile_writes_and_says_what_runs_it(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert run(["compile", str(spec), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"ftbench run {spec}"
    (folder,) = out.glob("*/*")
    assert (folder / "ftbench.lock").is_file()
    assert run(["compile", str(spec), "--out", str(out), "--check"]) == 0


def test_check_writes_nothing_and_shows_what_differs(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert run(["compile", str(spec), "--out", str(out), "--check"]) == 1
    assert not out.exists()
    assert run(["compile", str(spec), "--out", str(out)]) == 0
    (folder,) = out.glob("*/*")
    with (folder / "README.md").open("a") as file:
        file.write("one line more\n")
    before = tree(out)
    capsys.readouterr()
    assert run(["compile", str(spec), "--out", str(out), "--check"]) == 1
    shown = capsys.readouterr()
    assert "-one line more" in shown.out
    assert "@@" in shown.out
    assert f"run: ftbench compile {spec} --out {out}" in shown.err
    assert tree(out) == before


def test_publish(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert run(["publish", str(spec), "--out", str(out)]) == 3
    told = capsys.readouterr().err
    assert "FTB908" in told and "status: published" in told
    assert not out.exists()
    publish(spec)
    assert run(["publish", str(spec), "--out", str(out)]) == 0
    cite = capsys.readouterr().out
    assert "spec hash" in cite
    before = tree(out)
    assert run(["publish", str(spec), "--out", str(out)]) == 0
    assert "already" in capsys.readouterr().out
    assert tree(out) == before
    assert run(["compile", str(spec), "--out", str(out), "--check"]) == 0


@pytest.mark.parametrize("command", ["publish", "compile"])
def test_a_published_version_is_never_overwritten(command: str, spec: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    publish(spec)
    assert run(["publish", str(spec), "--out", str(out)]) == 0
    before = tree(out)
    edit(spec, "\n  local_steps: ", "\n  local_steps: 1")
    assert run([command, str(spec), "--out", str(out)]) == 3
    assert "metadata.version" in capsys.readouterr().err
    assert tree(out) == before


def test_check_of_a_published_version_holds_it_to_its_own_lock(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    publish(spec)
    assert run(["publish", str(spec), "--out", str(out)]) == 0
    (folder,) = out.glob("*/*")
    (folder / "README.md").write_text("other")
    assert run(["compile", str(spec), "--out", str(out), "--check"]) == 1
    assert "README.md" in capsys.readouterr().out


def test_publish_refuses_stale_pins(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    publish(spec)
    path = spec.with_name("quickstart.pins.json")
    pins = json.loads(path.read_text())
    pins["sources"]["train"]["licence"] = "other"
    path.write_text(json.dumps(pins))
    assert run(["publish", str(spec), "--out", str(tmp_path / "out")]) == 3
    assert not (tmp_path / "out").exists()
    assert "FTB" in capsys.readouterr().err


def test_pins_of_another_spec_do_not_compile(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    text = spec.read_text()
    spec.write_text(text.replace("\nseeds:\n  partition: ", "\nseeds:\n  partition: 1"))
    assert spec.read_text() != text
    for command in (["compile", str(spec), "--out", str(tmp_path / "out")], ["hash", str(spec)]):
        assert run(command) == 3
        shown = capsys.readouterr().err
        assert "FTB192" in shown and "quickstart.pins.json" in shown
    assert not (tmp_path / "out").exists()


def test_lock(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    store = str(tmp_path / "store")
    pins = spec.with_name("quickstart.pins.json")
    committed = pins.read_bytes()
    assert run(["lock", str(spec), "--check", "--store", store]) == 0
    pins.unlink()
    assert run(["lock", str(spec), "--check", "--store", store]) == 1
    assert "FTB190" in capsys.readouterr().err
    assert run(["lock", str(spec), "--store", store]) == 0
    assert pins.read_bytes() == committed
    assert run(["lock", str(spec), "--store", store]) == 0
    assert "unchanged" in capsys.readouterr().out


def test_hash_is_that_of_the_lock(capsys: Captured, tmp_path: Path) -> None:
    assert run(["compile", "quickstart", "--out", str(tmp_path)]) == 0
    (lock,) = tmp_path.glob("*/*/ftbench.lock")
    capsys.readouterr()
    assert run(["hash", "quickstart", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = json.loads(lock.read_bytes())
    assert (answer["spec_hash"], answer["fab_hash"]) == (found["spec_hash"], found["fab_hash"])


def test_explain(capsys: Captured) -> None:
    assert run(["explain", "quickstart", "adapter.rank"]) == 0
    out = capsys.readouterr().out
    assert "quickstart.yaml:" in out and "knob" in out
    assert run(["explain", "quickstart", "adapter.ranks"]) == 3
    assert "did you mean `adapter.rank`" in capsys.readouterr().err
    assert run(["explain", "quickstart"]) == 0


def test_diff(spec: Path, tmp_path: Path, capsys: Captured) -> None:
    edit(spec, "\n  max_grad_norm: ", "\n  max_grad_norm: 1")
    assert run(["diff", "quickstart", str(spec), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["impact"] == "score-affecting"
    assert [one["path"] for one in answer["edits"]] == ["training.max_grad_norm"]
    assert answer["old_hash"] != answer["new_hash"]
    assert run(["compile", "quickstart", "--out", str(tmp_path / "out")]) == 0
    (folder,) = (tmp_path / "out").glob("*/*")
    capsys.readouterr()
    assert run(["diff", "quickstart", str(folder)]) == 0
    assert "same" in capsys.readouterr().out
    spec.with_name("quickstart.pins.json").unlink()
    assert run(["diff", "quickstart", str(spec)]) == 0
    assert "unknown" in capsys.readouterr().out
    (tmp_path / "x.json").write_text("[]")
    assert run(["diff", "quickstart", str(tmp_path / "x.json")]) == 3
    assert "FTB911" in capsys.readouterr().err
