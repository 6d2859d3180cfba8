"""`ftbench sweep` with an engine and an evaluation that only write what the real ones write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runner_world import World

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.compile.compiler import compile_spec
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource, RunFailed, RunIncomplete
from ftbench.run.rundir import RunDir
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec

Captured = pytest.CaptureFixture[str]
RANKS = ("sweep", "quickstart", "--vary", "adapter.rank=2,4", "--seeds", "2", "--out", "out")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    path = builtin.specs()["quickstart"]
    compiled = compile_spec(load_spec(path).spec, load_pins(path))
    made = World(tmp_path, compiled, resolve_entry(compiled.plan.typed_spec(), None))
    made.put_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return made


def runs(folder: Path = Path("out")) -> dict[str, str]:
    """Folder of each run → its token: another one where it was begun anew."""
    return {path.parent.name: RunDir.open(path.parent).settings().token for path in sorted(folder.glob("*/run.json"))}


def failing(world: World, when: Callable[[Path], bool], error: Exception) -> None:
    """The engine fails in the second round of the runs that `when` names."""
    train = world.engine.train

    def wrapped(job: Any, on_tick: Callable[[], None]) -> None:
        def before(event: str) -> None:
            if event == "round" and when(job.run_dir) and (job.run_dir / "ledger.jsonl").read_bytes().count(b"\n") > 1:
                raise error

        world.engine.before = before
        train(job, on_tick)

    world.engine.train = wrapped  # type: ignore[method-assign]


def test_every_cell_is_a_run_of_its_own(world: World, capsys: Captured) -> None:
    assert run([*RANKS]) == 0
    assert list(runs()) == [f"quickstart-rank{rank}-s{seed}" for rank in (2, 4) for seed in (1, 2)]
    for name in runs():
        assert (Path("out") / name / "bundle" / "manifest.json").is_file()
    document = json.loads(Path("out/sweep.json").read_bytes())
    assert [one["state"] for one in document["runs"]] == ["whole"] * 4
    assert [row["values"] for row in document["rows"]] == [{"adapter.rank": 2}, {"adapter.rank": 4}]
    assert document["rows"][1]["difference"]["value"] == 0.0
    shown = capsys.readouterr()
    assert "Sweep of quickstart" in shown.out and "run 3 of 4: adapter.rank=4, seed 1" in shown.err
    for name in runs():
        assert (Path("out") / name / "report.html").is_file() and f"out/{name}/report.html" in shown.err


def test_the_same_command_does_nothing_twice(world: World, capsys: Captured) -> None:
    assert run([*RANKS]) == 0
    begun, first = runs(), {path.name: path.read_bytes() for path in Path("out").glob("*.*")}
    assert run([*RANKS, "--json"]) == 0
    assert len(world.engine.jobs) == 4 and runs() == begun
    assert {path.name: path.read_bytes() for path in Path("out").glob("*.*")} == first
    assert "4 of 4 runs are whole already" in capsys.readouterr().err
    assert run(["sweep", "quickstart", "--vary", "adapter.rank=2,4,8", "--seeds", "2", "--out", "out"]) == 0
    assert len(world.engine.jobs) == 6 and len(runs()) == 6


def test_after_a_kill_the_same_command_goes_on(world: World, capsys: Captured) -> None:
    """Killed in the second cell's training: the first is skipped, the second resumed, the others run."""
    failing(world, lambda path: path.name.endswith("rank2-s2"), KeyboardInterrupt())  # type: ignore[arg-type]
    assert run([*RANKS]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    begun = runs()
    assert len(begun) == 2
    del world.engine.__dict__["train"]
    world.engine.before = lambda event: None
    assert run([*RANKS]) == 0
    assert runs() | begun == runs() and len(runs()) == 4
    assert [job.run_config["resume"] for job in world.engine.jobs] == [False, False, True, False, False]
    assert "run 2 of 4: going on with adapter.rank=2, seed 2" in capsys.readouterr().err
    straight = Path("out/sweep.json").read_bytes()
    shutil.rmtree("out")
    assert run([*RANKS]) == 0
    fresh, went_on = json.loads(Path("out/sweep.json").read_bytes()), json.loads(straight)
    assert fresh["rows"] == went_on["rows"]


def test_a_start_that_was_killed_early_leaves_nothing_in_the_way(world: World) -> None:
    early = Path("out/quickstart-rank2-s1")
    (early / "compiled/app/ftbench_app").mkdir(parents=True)
    (early / "compiled" / "app/ftbench_app/plan.json").write_text("{")
    assert run([*RANKS]) == 0
    assert len(runs()) == 4


@pytest.mark.parametrize(
    ("error", "code"),
    [(RunFailed(Diagnostic("FTB525", "it failed")), 5), (RunIncomplete(Diagnostic("FTB510", "so")), 6)],
)
def test_a_failed_cell_is_listed_and_the_others_go_on(world: World, capsys: Captured, error: Any, code: int) -> None:
    failing(world, lambda path: "rank2-s1" in path.name, error)
    assert run([*RANKS, "--json"]) == code
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [one["state"] for one in document["runs"]] == ["failed", "whole", "whole", "whole"]
    assert document["runs"][0]["code"] == error.diagnostics[0].code
    assert document["rows"][0]["missing_seeds"] == [1]
    assert document["rows"][1]["difference_seeds"] == [2]
    assert f"- `rank2, seed 1: failed, {error.diagnostics[0].code}" in Path("out/table.md").read_text()
    del world.engine.__dict__["train"]
    world.engine.before = lambda event: None
    assert run([*RANKS]) == 0  # tried again, from where it was
    assert world.engine.jobs[-1].run_config["resume"] is True


def test_failures_of_two_kinds_end_as_a_failed_run(world: World) -> None:
    failing(world, lambda path: "rank2" in path.name, RunFailed(Diagnostic("FTB525", "it failed")))
    inner = world.engine.train
    calls = iter([RunIncomplete(Diagnostic("FTB510", "so"))])

    def once(job: Any, on_tick: Callable[[], None]) -> None:
        if error := next(calls, None):
            raise error
        inner(job, on_tick)

    world.engine.train = once  # type: ignore[method-assign]
    assert run([*RANKS]) == 5


def test_nothing_begins_where_a_setting_is_refused(world: World, capsys: Captured) -> None:
    assert (
        run(["sweep", "quickstart", "--vary", "adapter.rank=2,99", "--vary", "adapter.alpha=0,2", "--out", "out"]) == 3
    )
    assert not Path("out").exists()
    shown = capsys.readouterr().err
    assert "--vary adapter.rank=99" in shown and "--vary adapter.alpha=0" in shown


def test_what_is_missing_is_told_once_before_anything_begins(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def check(*_: Any, **__: Any) -> None:
        raise MissingResource(Diagnostic("FTB502", "a package is missing"))

    monkeypatch.setattr("ftbench.run.preflight.check_before_run", check)
    assert run([*RANKS]) == 4
    assert capsys.readouterr().err.count("a package is missing") == 1
    assert runs() == {}


def test_a_dry_run_writes_nothing(world: World, capsys: Captured) -> None:
    assert run([*RANKS, "--dry-run"]) == 0
    assert not Path("out").exists()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "to-do" in lines[0] and "quickstart-rank2-s1" in lines[0]
    assert run([*RANKS]) == 0
    capsys.readouterr()
    assert run([*RANKS, "--dry-run", "--json"]) == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)["runs"]} == {"whole"}


def test_another_benchmarks_run_in_the_folder_is_refused(world: World, capsys: Captured, tmp_path: Path) -> None:
    assert run([*RANKS]) == 0
    assert run([*RANKS, "--smoke"]) == 3
    assert "FTB513 this folder holds a run with another smoke setting" in capsys.readouterr().err
    settings = Path("out/quickstart-rank2-s1/run.json")
    settings.write_text(settings.read_text().replace(world.compiled.lock.spec_hash, "0" * 64))
    assert run([*RANKS]) == 3
    assert "another benchmark" in capsys.readouterr().err
    shutil.rmtree(settings.parent)
    settings.parent.mkdir()
    (settings.parent / "thesis.tex").write_text("years of work")
    assert run([*RANKS]) == 3
    assert (settings.parent / "thesis.tex").read_text() == "years of work"


def test_two_sweeps_never_share_a_folder(world: World, capsys: Captured) -> None:
    from ftbench.run import sweep

    with sweep.hold_sweep(Path("out")):
        assert run([*RANKS]) == 5
    assert "FTB500" in capsys.readouterr().err


def test_the_default_folder_tells_sweeps_apart(world: World, capsys: Captured) -> None:
    for varied in ("adapter.rank=2", "adapter.rank=2", "adapter.rank=4"):
        assert run(["sweep", "quickstart", "--vary", varied]) == 0
    assert len(list(Path("runs").glob("sweep-quickstart-*/sweep.json"))) == 2
    assert len(world.engine.jobs) == 2


def test_a_bundle_that_is_damaged_is_a_failed_cell(world: World, capsys: Captured) -> None:
    assert run([*RANKS]) == 0
    next(Path("out/quickstart-rank4-s2/bundle/samples").iterdir()).write_bytes(b"no gzip")
    assert run([*RANKS]) == 3
    assert "FTB702" in capsys.readouterr().err
    assert json.loads(Path("out/sweep.json").read_bytes())["runs"][3]["state"] == "failed"
