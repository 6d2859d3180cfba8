"""The Python API: lazy, typed, errors with the command line's codes, tables as pandas where it is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))

import forge

import ftbench
from ftbench import api
from ftbench.errors import InvalidInput

LOADED = ["pydantic", "click", "numpy", "rich", "yaml", "flwr", "torch", "transformers", "pandas"]


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    """The programs of forged bundles can be run."""
    with forge.programs_run():
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return forge.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def path(world: forge.World) -> Path:
    """A good bundle."""
    folder = world.root / "bundles" / "mine-s1"
    forge.write_folder(forge.make(world).files, folder)
    return folder


@pytest.fixture
def without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed: None in sys.modules refuses the import."""
    monkeypatch.setitem(sys.modules, "pandas", None)


def test_import_loads_nothing() -> None:
    script = f"import sys, ftbench; print([one for one in {LOADED} if one in sys.modules], len(dir(ftbench)) > 15)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


@pytest.mark.parametrize(
    "first", ["import ftbench.compile.compiler, ftbench.run.progress, ftbench.verify.verifier", "pass"]
)
def test_packages_are_functions_too(first: str) -> None:
    """Whoever imports a package first, `ftbench.compile` is both."""
    script = f"{first}\nimport ftbench\nfrom ftbench.compile import compiler\nprint(callable(ftbench.compile), "
    script += (
        "callable(ftbench.run), callable(ftbench.verify), ftbench.compile('quickstart').lock.name, compiler.__name__)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "True True True quickstart ftbench.compile.compiler\n", done.stderr


def test_every_name_is_there() -> None:
    for name in [*ftbench.NAMES, *ftbench.PACKAGES]:
        assert getattr(ftbench, name) is not None
    for name in api.__all__:
        assert getattr(api, name) is not None
    with pytest.raises(AttributeError):
        _ = ftbench.nothing


def test_a_spec() -> None:
    loaded = ftbench.load_spec("quickstart")
    assert loaded.spec.metadata.name == "quickstart"
    assert ftbench.validate(loaded) == []
    assert ftbench.validate(Path("specs/quickstart.yaml"), sets=["adapter.rank=2"]) == []
    (wrong,) = ftbench.validate("quickstart", sets=["rank=4"])
    assert (wrong.code, wrong.severity, wrong.hint) == ("FTB202", "error", "did you mean `adapter.rank`?")
    assert ftbench.validate("nowhere")[0].code == "FTB114"
    with pytest.raises(InvalidInput) as caught:
        ftbench.load_spec("nowhere")
    assert caught.value.diagnostics[0].code == "FTB114" and caught.value.exit_code == 3


def test_what_it_asks_for() -> None:
    found = ftbench.estimate("quickstart", sets=["adapter.rank=2"])
    assert found.trainable_parameters < ftbench.estimate("quickstart", sets=["adapter.rank=8"]).trainable_parameters


def test_lock_and_compile(tmp_path: Path) -> None:
    import shutil

    for name in ("quickstart.yaml", "quickstart.pins.json"):
        shutil.copy(Path("specs") / name, tmp_path)
    told: list[str] = []
    locked = ftbench.lock(tmp_path / "quickstart.yaml", tell=told.append)
    assert not locked.changed and locked.pins.resolved and locked.path == tmp_path / "quickstart.pins.json"
    made = ftbench.compile(tmp_path / "quickstart.yaml", out=tmp_path / "out")
    assert (tmp_path / "out" / made.folder / "ftbench.lock").is_file()
    assert made.lock.spec_hash == ftbench.compile("quickstart").lock.spec_hash


def test_a_bundle_without_pandas(path: Path, without_pandas: None) -> None:
    bundle = ftbench.Bundle(path)
    scores = bundle.scores
    assert {row["model"] for row in scores} >= {"tuned", "untuned"}
    first = next(row for row in scores if row["ranks"] and row["model"] == "tuned")
    assert first["value"] == first["correct"] / first["items"] and first["low"] < first["value"] <= first["high"]
    rows = bundle.samples(first["task"])
    assert len([row for row in rows if row["model"] == "tuned"]) == first["items"]
    right = sum(row["choice"] == row["target"] for row in rows if row["model"] == "tuned")
    assert first["scoring"] != "likelihood" or right == first["correct"]
    assert [row["round"] for row in bundle.rounds] == list(range(1, len(bundle.rounds) + 1))
    with pytest.raises(InvalidInput, match="FTB685"):
        bundle.samples("nothing")


def test_a_bundle_with_pandas(path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    bundle = ftbench.Bundle(path)
    for table in (bundle.scores, bundle.samples(bundle.tasks[0]), bundle.rounds):
        assert isinstance(table, pandas.DataFrame) and len(table)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="FTB603"):
        ftbench.Bundle(tmp_path / "gone")
    with pytest.raises(InvalidInput, match="lacks"):
        _ = ftbench.Bundle(tmp_path).result


def test_a_verdict_and_a_board(path: Path, world: forge.World) -> None:
    store, benchmarks = world.root / "store", [world.root / "benchmarks"]
    verdict = ftbench.verify(path, store=store, benchmarks=benchmarks)
    assert verdict.level == "RESCORED" and verdict.accepted
    told: list[str] = []
    board = ftbench.Board(path.parent, store=store, benchmarks=benchmarks, tell=told.append)
    assert len(board.rows) == 1 and told
    assert str(board).strip() and "|" in board.markdown()


@pytest.mark.slow
def test_a_run_tells_how_far_it_is(tmp_path: Path) -> None:
    phases: list[str] = []
    outcome = ftbench.run(
        "quickstart", out=tmp_path, engine="inline", smoke=True, progress=lambda one: phases.append(one.phase)
    )
    assert outcome.run_dir.parent == tmp_path and outcome.bundle is not None
    assert list(dict.fromkeys(phases))[-1] in {"bundle", "done"} and "train" in phases
    assert ftbench.run(resume=outcome.run_dir).run_dir == outcome.run_dir
