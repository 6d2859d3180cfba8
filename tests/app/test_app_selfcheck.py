"""The self-check of a compiled app, its settings, its refusals in `error.json`, and the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import Context, RecordDict

from ftbench import codes
from ftbench.app import errors, plan, server_app, settings, store
from ftbench.app.errors import AppError
from ftbench.app.files import sha256_file
from ftbench.app.plan import PACKAGE, Plan
from ftbench.spec.canonical import canonical

MakeBench = Callable[..., Any]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the app's modules."""
    folder = tmp_path / "ftbench_app"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def frozen(package: Path) -> Plan:
    """A plan that names them."""
    code = {f"app/ftbench_app/{p.relative_to(package).as_posix()}": sha256_file(p) for p in package.rglob("*.py")}
    return Plan({"metadata": {}, "spec": {}, "pins": {}, "stack": {}, "code": {**code, "tasks/hook.py": "0" * 64}})


def test_an_untouched_app_passes(package: Path, frozen: Plan) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"")
    plan.check_app(frozen, frozen.spec_hash, unpinned=False, package=package)


def edit(package: Path) -> None:
    path = package / "strategy" / "fedavg.py"
    path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit, "strategy/fedavg.py in .* was changed"),
        (lambda package: (package / "extra.py").write_text(""), "extra.py in .* is not part of the plan"),
        (lambda package: (package / "rounds.py").unlink(), "rounds.py is missing"),
    ],
)
def test_a_changed_app_is_refused(package: Path, frozen: Plan, change: Callable[[Path], Any], words: str) -> None:
    change(package)
    with pytest.raises(AppError, match=words) as caught:
        plan.check_app(frozen, frozen.spec_hash, unpinned=False, package=package)
    assert caught.value.code == "FTB541"


def test_another_plan_is_refused(package: Path, frozen: Plan) -> None:
    with pytest.raises(AppError, match="spec hash") as caught:
        plan.check_app(frozen, "", unpinned=False, package=package)
    assert caught.value.code == "FTB542"
    changed = Plan({**frozen.document, "spec": {"x": 1}})
    assert changed.spec_hash != frozen.spec_hash
    assert Plan({**frozen.document, "metadata": {"title": "x"}}).spec_hash == frozen.spec_hash


def test_the_plan_is_read_from_beside_the_modules(tmp_path: Path, frozen: Plan) -> None:
    with pytest.raises(AppError, match=r"plan\.json is missing"):
        plan.load(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_bytes(b"{")
    with pytest.raises(AppError, match="not JSON"):
        plan.load(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_bytes(canonical(frozen.document))
    assert plan.load(tmp_path / "plan.json").spec_hash == frozen.spec_hash


def test_other_packages_are_refused_unless_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"torch": "2.13.0+cpu", "flwr": "1.41.0", "peft": "0.20"}

    def version(name: str) -> str:
        if name not in installed:
            raise plan.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(plan.metadata, "version", version)
    assert plan.check_stack(Plan({"stack": {"torch": "2.13.0+cu126", "flwr": "1.41.0"}})) == []
    wrong = Plan({"stack": {"torch": "2.13.0", "peft": "0.21", "lm-eval": "1"}})
    with pytest.raises(AppError, match=r"lm-eval none instead of 1, peft 0\.20 instead of 0\.21") as caught:
        plan.check_stack(wrong)
    assert caught.value.code == "FTB543"
    assert len(plan.check_stack(wrong, unpinned=True)) == 2


def test_the_codes_are_those_that_ftbench_lists() -> None:
    assert errors.CODES == codes.APP


# --- settings ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 9}, "seed 9 is not one"),
        ({"seed": True}, "must be a number"),
        ({"adapter.rank": 9}, "adapter.rank = 9 is outside its range"),
        ({"adapter.rank": 2.5}, "must be a whole number"),
        ({"adapter.rank": "big"}, "not JSON"),
        ({"run-dir": "runs/x"}, "not absolute"),
        ({"store": "store"}, "not absolute"),
        ({"base-model": "builtin/tiny"}, "NAME@REVISION"),
        ({"resume": "yes"}, "must be true or false"),
        ({"reference": "central"}, "must be one of"),
        ({"reference-client": 3}, "no such client"),
        ({"micro-batch": -2}, "must not be negative"),
        ({"round-timeout": float("nan")}, "must be a number"),
    ],
)
def test_wrong_settings_are_named(make_bench: MakeBench, change: dict[str, Any], words: str) -> None:
    bench = make_bench()
    with pytest.raises(AppError, match=words):
        settings.read({**bench.config, **change}, bench.plan)


def test_missing_settings_are_named(make_bench: MakeBench) -> None:
    bench = make_bench()
    del bench.config["smoke"]
    with pytest.raises(AppError, match="`smoke` is missing"):
        settings.read(bench.config, bench.plan)


def test_knobs_reach_the_spec_and_lists_travel_as_json(make_bench: MakeBench) -> None:
    knobs = {
        "adapter.rank": {"min": 1, "max": 8},
        "adapter.targets": {"choices": ["all-linear", ["q_proj", "v_proj"]]},
        "training.max_grad_norm": {"free": True},
    }
    bench = make_bench({"knobs": knobs})
    default = settings.read(bench.config, bench.plan)
    assert default.knobs == {"adapter.rank": 2, "adapter.targets": "all-linear", "training.max_grad_norm": 1}
    chosen = {"adapter.rank": 4.0, "adapter.targets": '["q_proj", "v_proj"]', "training.max_grad_norm": "null"}
    found = settings.read({**bench.config, **chosen}, bench.plan)
    adapter = {"kind": "lora", "rank": 4, "alpha": 4, "dropout": 0, "targets": ["q_proj", "v_proj"]}
    assert found.adapter == adapter
    assert isinstance(found.adapter["rank"], int)
    assert "max_grad_norm" not in found.spec["training"]
    assert bench.plan.spec["adapter"]["rank"] == 2
    with pytest.raises(AppError, match="is not allowed"):
        settings.read({**bench.config, "adapter.targets": '["q_proj"]'}, bench.plan)


def test_a_frozen_base_model_stays(make_bench: MakeBench) -> None:
    bench = make_bench({"knobs": {}})
    assert settings.read(bench.config, bench.plan).model["name"] == "builtin/tiny"
    with pytest.raises(AppError, match="is frozen"):
        settings.read({**bench.config, "base-model": "builtin/other@" + "0" * 64}, bench.plan)


def test_without_a_store_setting_the_usual_places_are_searched(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    monkeypatch.setenv("FTBENCH_STORE", "/one:/two")
    assert settings.read({**bench.config, "store": ""}, bench.plan).roots == (Path("/one"), Path("/two"))
    monkeypatch.delenv("FTBENCH_STORE")
    assert settings.read({**bench.config, "store": ""}, bench.plan).roots[0].parts[-3:] == (
        ".cache",
        "ftbench",
        "store",
    )


# --- error.json ---


def context(config: dict[str, Any]) -> Context:
    return Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config=config)


def test_a_refusal_is_written_where_the_runner_finds_it(make_bench: MakeBench) -> None:
    bench = make_bench()
    with pytest.raises(AppError):  # there is no plan beside the modules under test
        server_app.main(bench.grid(), context(bench.config))
    said = json.loads((bench.run_dir / "error.json").read_bytes())
    assert said["code"] == "FTB541"
    assert set(said) == {"code", "message", "hint"}


def test_an_unexpected_error_is_written_too_and_an_old_one_goes(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench({"federation.rounds": 1})

    def breaks(*_: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(server_app, "conduct", breaks)
    with pytest.raises(ZeroDivisionError):
        server_app.main(bench.grid(), context(bench.config))
    assert "ZeroDivisionError: by zero" in json.loads((bench.run_dir / "error.json").read_bytes())["message"]
    monkeypatch.setattr(server_app, "conduct", lambda *_: None)
    server_app.main(bench.grid(), context(bench.config))
    assert not (bench.run_dir / "error.json").exists()


def test_without_a_run_folder_nothing_can_be_kept(make_bench: MakeBench) -> None:
    with pytest.raises(AppError, match="`run-dir` is empty"):
        make_bench(**{"run-dir": ""}).play()


# --- store ---


def test_damaged_files_are_refused(make_bench: MakeBench, tmp_path: Path) -> None:
    world = make_bench().world
    name = "0" * 64
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f"{name}.jsonl").write_bytes(b"{}\n")
    with pytest.raises(AppError, match="does not have the digest"):
        store.rows([tmp_path], name, "rows")
    shutil.copytree(world.model_folder, tmp_path / "models" / world.model)
    assert store.model([tmp_path], "builtin/tiny", world.model) == tmp_path / "models" / world.model
    store._verified.clear()
    (tmp_path / "models" / world.model / "extra").write_bytes(b"")
    with pytest.raises(AppError, match="does not have the digest"):
        store.model([tmp_path], "builtin/tiny", world.model)


def test_roots_are_searched_in_order(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    digest = bench.plan.pins["sources"]["train"]["digest"]
    roots = [tmp_path / "empty", *bench.world.store.roots]
    assert store.rows(roots, digest, "rows") == bench.world.rows
    assert store.model_digest(bench.world.model_folder) == bench.world.model
    with pytest.raises(AppError, match="some/model@000000000000 is missing"):
        store.model(roots, "some/model", "0" * 40)


def test_a_commit_leads_to_the_files_that_the_store_noted(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    roots = [tmp_path, *bench.world.store.roots]
    note = tmp_path / "models" / "refs" / f"some--model@{'0' * 40}"
    note.parent.mkdir(parents=True)
    note.write_text(bench.world.model + "\n")
    assert store.model(roots, "some/model", "0" * 40).name == bench.world.model
    note.write_text("../../elsewhere")
    with pytest.raises(AppError, match="does not hold a digest"):
        store.model(roots, "some/model", "0" * 40)


def test_an_error_of_the_app_that_nobody_foresaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a code for whoever reads the run's folder, and stays what it was for the log."""

    def conduct(*_: object) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setattr(server_app, "conduct", conduct)
    with pytest.raises(KeyError):
        server_app.main(SimpleNamespace(), SimpleNamespace(run_config={"run-dir": str(tmp_path)}))
    told = json.loads((tmp_path / "error.json").read_bytes())
    assert told["code"] == "FTB559" and "unforeseen" in told["message"]
