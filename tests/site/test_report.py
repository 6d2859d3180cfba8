"""The report of a run: one file, and the same in Markdown; a run without a bundle has one too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import forge
import pytest
from test_pages import read

from ftbench.cli.main import run
from ftbench.compile.plan import PLAN
from ftbench.result import names


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return forge.make_world(tmp_path_factory.mktemp("report"))


@pytest.fixture
def run_dir(world: forge.World, tmp_path: Path) -> Path:
    """What a run leaves, as far as a report looks at it."""
    folder = tmp_path / "runs" / "mine"
    made = forge.make(world)
    forge.write_folder(made.files, folder / "bundle")
    (folder / "ledger.jsonl").write_bytes(made.files[names.LEDGER])
    (source,) = (world.root / "benchmarks").glob("*/*")
    shutil.copytree(source, folder / "compiled")
    return folder


def test_one_file_says_it_all(world: forge.World, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(run_dir), "--store", str(world.root / "store")]) == 0
    assert "report.html" in capsys.readouterr().out
    page = read(run_dir / "report.html")
    assert not page.links and not [tag for tag, _ in page.tags if tag in ("script", "link", "img")]
    shown, written = "".join(page.text), (run_dir / "report.md").read_text("utf-8")
    for told in ("untuned", "centralised", "jars", "seeds 2, 3", "communication", "ftbench verify", "ftbench compare"):
        assert told in shown and told in written, told
    assert "Answers gained" in shown and "## Answers gained" in written
    assert written.count("- jars `") + written.count("- shelves `") + written.count("- sums `") <= 40


def test_a_client_s_memory_is_told(world: forge.World, run_dir: Path) -> None:
    made = forge.make(world)
    with made.result() as result:
        measured = {"allocated_bytes": 3 * 2**30, "reserved_bytes": 4 * 2**30, "growth_bytes": 2**20, "micro_batch": 2}
        result["cost"]["client"] = measured
    forge.reseal(made)
    shutil.rmtree(run_dir / "bundle")
    forge.write_folder(made.files, run_dir / "bundle")
    assert run(["report", str(run_dir), "--store", str(world.root / "store")]) == 0
    text = (run_dir / "report.md").read_text("utf-8")
    assert "memory of a client, measured: 3 GiB allocated, 4 GiB reserved" in text
    assert "examples in one pass: 2 of 16" in text


def test_the_same_run_gives_the_same_report(world: forge.World, run_dir: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run(["report", str(run_dir), "--out", str(tmp_path / name), "--store", str(world.root / "store")]) == 0
    for name in ("report.html", "report.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_that_is_under_way(world: forge.World, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run_dir / "bundle")
    lines = (run_dir / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (run_dir / "ledger.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert run(["report", str(run_dir), "--json", "--store", str(world.root / "store")]) == 0
    told = json.loads(capsys.readouterr().out)
    written = Path(told["markdown"]).read_text("utf-8")
    assert "has not been scored yet" in written and "--resume" in written and "| 2 |" in written


def test_what_is_no_run_is_refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_dir / "compiled" / PLAN).write_text("{}")
    assert run(["report", str(run_dir)]) == 3
    assert "FTB714" in capsys.readouterr().err
