"""Compiling: the order of digests, the same bytes anywhere, drift and published versions."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.app.plan import Plan as AppPlan
from ftbench.compile import open_division
from ftbench.compile.compiler import LOCK_NAME, Compiled, compile_spec, make_plan
from ftbench.compile.folder import check_lock, drift, read_lock, write
from ftbench.compile.plan import PLAN
from ftbench.compile.sources import STRATEGIES
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import canonical, sha256, spec_hash
from ftbench.spec.diff import diff_plans
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import Reporting, Spec
from ftbench.spec.pins import Pins

SPEC_PATH = builtin.specs()["quickstart"]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(SPEC_PATH).spec


@pytest.fixture(scope="module")
def pins() -> Pins:
    return load_pins(SPEC_PATH)


@pytest.fixture(scope="module")
def compiled(spec: Spec, pins: Pins) -> Compiled:
    return compile_spec(spec, pins)


def changed(spec: Spec, path: str, value: object) -> Spec:
    tree = spec.model_dump(mode="json")
    *parents, last = path.split(".")
    node = tree
    for key in parents:
        node = node[key]
    node[last] = value
    return Spec.model_validate(tree)


def test_plan_is_canonical_and_names_every_copied_file(compiled: Compiled) -> None:
    plan = json.loads(compiled.files[PLAN])
    assert canonical(plan) == compiled.files[PLAN]
    assert spec_hash(plan) == compiled.lock.spec_hash
    for path, digest in plan["code"].items():
        assert sha256(compiled.files[path]) == digest
    unnamed = set(compiled.files) - set(plan["code"])
    assert unnamed == {
        "app/ftbench_app/plan.json",
        "app/pyproject.toml",
        "README.md",
        "requirements.txt",
        LOCK_NAME,
    }


def test_lock_names_every_file_but_itself(compiled: Compiled) -> None:
    assert set(compiled.lock.files) == set(compiled.files) - {LOCK_NAME}
    for path, digest in compiled.lock.files.items():
        assert sha256(compiled.files[path]) == digest


def test_copied_modules_are_the_tested_ones(compiled: Compiled) -> None:
    source = Path(builtin.__file__).parent
    unneeded = {f"strategy/{kind.replace('-', '_')}.py" for kind in STRATEGIES - {"fedavg"}} | {"objective/dpo.py"}
    unneeded |= {f"strategy/{shared}.py" for shared in ("adaptive", "factors", "robust")}
    unneeded |= {"coding/bf16.py", "coding/int8.py"}
    unneeded |= {f"privacy/{path.name}" for path in (source / "app" / "privacy").glob("[!_]*.py")}
    for path in (source / "app").rglob("*.py"):
        name = path.relative_to(source / "app").as_posix()
        if name in unneeded:
            assert f"app/ftbench_app/{name}" not in compiled.files
        else:
            assert compiled.files[f"app/ftbench_app/{name}"] == path.read_bytes()


@pytest.mark.parametrize(
    ("knob", "kinds"),
    [
        (None, {"fedavg"}),
        ({"choices": ["fedavg", "flexlora"]}, {"fedavg", "flexlora"}),
        ({"choices": ["fedavg", "ffa-lora", "krum"]}, {"fedavg", "ffa_lora", "krum"}),
        ({"choices": sorted(STRATEGIES)}, {kind.replace("-", "_") for kind in STRATEGIES}),
    ],
)
def test_only_strategies_that_a_run_may_have_are_copied(
    spec: Spec, pins: Pins, knob: dict[str, object] | None, kinds: set[str]
) -> None:
    tree = spec.model_dump(mode="json")
    tree["knobs"] |= {} if knob is None else {"strategy.kind": knob, "strategy.mu": {"free": True}}
    compiled = compile_spec(Spec.model_validate(tree), pins)
    prefix = "app/ftbench_app/strategy/"
    copied = {path.removeprefix(prefix).removesuffix(".py") for path in compiled.files if path.startswith(prefix)}
    shared = {"adaptive": {"fedadam"}, "factors": {"flexlora", "ffa_lora", "flora"}, "robust": {"krum"}}
    assert copied == kinds | {"__init__", "base", "mean"} | {name for name, users in shared.items() if users & kinds}
    config = tomllib.loads(compiled.files["app/pyproject.toml"].decode())["tool"]["flwr"]["app"]["config"]
    assert knob is None or config["strategy"] == {"kind": "fedavg", "mu": "null"}
    assert (config["reference"], config["reference-client"]) == ("", 0)


def test_only_the_objective_of_the_spec_is_copied(spec: Spec, pins: Pins) -> None:
    tree = spec.model_dump(mode="json")
    tree["data"] |= {"rejected": " {question}", "loss_reduction": "example-mean"}
    tree["objective"] = {"kind": "dpo", "beta": 0.25, "loss": "sigmoid"}
    tree["knobs"]["objective.beta"] = {"min": 0.1, "max": 1}
    prefix = "app/ftbench_app/objective/"
    for value, kind in ((spec, "sft"), (Spec.model_validate(tree), "dpo")):
        compiled = compile_spec(value, pins)
        copied = {path.removeprefix(prefix) for path in compiled.files if path.startswith(prefix)}
        assert copied == {"__init__.py", "likelihood.py", f"{kind}.py"}
        readme = compiled.files["README.md"].decode()
        assert ("beta 0.25" in readme) == (kind == "dpo")
    config = tomllib.loads(compiled.files["app/pyproject.toml"].decode())["tool"]["flwr"]["app"]["config"]
    assert config["objective"] == {"beta": 0.25}


def test_an_open_app_is_the_compiled_one_and_two_files(compiled: Compiled) -> None:
    own = {"strategy": b"x = 1\n", "client": b"y = 1\n"}
    made = open_division.files(compiled.files, own)
    app = {path: data for path, data in compiled.files.items() if path.startswith("app/")}
    assert made == app | {f"app/ftbench_app/open_{kind}.py": data for kind, data in own.items()}
    digests = {open_division.fab(compiled.files, modules) for modules in ({}, own, {"strategy": b"x = 1\n"})}
    assert len(digests) == 3 and compiled.lock.fab_hash in digests
    with pytest.raises(ValueError, match=r"has app/ftbench_app/open_client.py itself"):
        open_division.files(made, {"client": b""})
    config = tomllib.loads(app["app/pyproject.toml"].decode())["tool"]["flwr"]["app"]["config"]
    assert config["open-code"] == ""


def test_fab_hash_is_that_of_flowers_builder_on_disk(compiled: Compiled, tmp_path: Path) -> None:
    from flwr.cli.build import build_fab_from_disk

    folder = write(compiled, tmp_path)
    assert hashlib.sha256(build_fab_from_disk(folder / "app")).hexdigest() == compiled.lock.fab_hash


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.title", "other"),
        ("metadata.version", "9.9.9"),
        ("metadata.status", "published"),
        ("metadata.name", "x"),
    ],
)
def test_metadata_never_moves_the_hash(spec: Spec, pins: Pins, path: str, value: object) -> None:
    assert make_plan(changed(spec, path, value), pins).spec_hash == make_plan(spec, pins).spec_hash


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("federation.rounds", 3),
        ("data.bos", False),
        ("adapter.rank", 4),
        ("training.local_steps", 2),
        ("budget.communication_mib", 1.5),
        ("evaluation.confidence", 0.9),
    ],
)
def test_conditions_move_the_hash(spec: Spec, pins: Pins, path: str, value: object) -> None:
    assert make_plan(changed(spec, path, value), pins).spec_hash != make_plan(spec, pins).spec_hash


@pytest.mark.parametrize("key", ["code", "stack", "pins"])
def test_code_stack_and_pins_move_the_hash(compiled: Compiled, key: str) -> None:
    plan = compiled.plan.as_json()
    before = spec_hash(plan)
    plan[key] = {**plan[key], "x": "0" * 64}  # type: ignore[dict-item]
    assert spec_hash(plan) != before


def test_same_bytes_in_another_process_folder_and_environment(compiled: Compiled, tmp_path: Path) -> None:
    """Folder, umask, time zone, locale, hash seed and file times leave the bytes alone."""
    copy = tmp_path / "a folder with spaces"
    copy.mkdir()
    for name in (SPEC_PATH.name, SPEC_PATH.with_suffix(".pins.json").name):
        shutil.copyfile(SPEC_PATH.with_name(name), copy / name)
        os.utime(copy / name, (1, 1))
    code = (
        "import os, sys; os.umask(0o077); from pathlib import Path;"
        "from ftbench.spec.load import load_spec, load_pins;"
        "from ftbench.compile.compiler import compile_spec; from ftbench.compile.folder import write;"
        "p = Path(sys.argv[1]); print(write(compile_spec(load_spec(p).spec, load_pins(p)), Path('out')))"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "12345",
        "TZ": "Asia/Kathmandu",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy / SPEC_PATH.name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert drift(compiled, tmp_path / done.stdout.strip()) == []


def test_drift_is_shown_and_mended(compiled: Compiled, tmp_path: Path) -> None:
    folder = write(compiled, tmp_path)
    assert drift(compiled, folder) == []
    assert check_lock(folder) == []
    (folder / "requirements.txt").write_text("torch==1.0\n")
    (folder / "extra.txt").write_text("x")
    (folder / PLAN).unlink()
    shown = "".join(drift(compiled, folder))
    assert "-torch==1.0" in shown and "extra.txt" in shown and "missing" in shown
    assert len(check_lock(folder)) == 3
    write(compiled, tmp_path)
    assert drift(compiled, folder) == []
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_published_is_never_rewritten(spec: Spec, pins: Pins, tmp_path: Path) -> None:
    published = changed(spec, "metadata.status", "published")
    write(compile_spec(published, pins), tmp_path)
    write(compile_spec(published, pins), tmp_path)  # the same bytes: nothing to do
    other = compile_spec(changed(published, "federation.rounds", 2), pins)
    with pytest.raises(InvalidInput, match="FTB402"):
        write(other, tmp_path)
    with pytest.raises(InvalidInput, match="FTB402"):
        write(compile_spec(changed(published, "metadata.status", "draft"), pins), tmp_path)


def test_errors(compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="FTB405"):
        read_lock(tmp_path)
    (tmp_path / LOCK_NAME).write_text("{}")
    with pytest.raises(InvalidInput, match="FTB406"):
        read_lock(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingResource, match="FTB404"):
        write(compiled, tmp_path / "file")


def test_committed_compiled_benchmark_has_not_drifted(compiled: Compiled) -> None:
    """Regenerate with `make generated`."""
    assert drift(compiled, builtin.generated() / compiled.folder) == []


def test_how_results_are_told_is_no_part_of_the_hash(spec: Spec, pins: Pins) -> None:
    """As metadata are none: what changes neither training nor score has a block of its own."""
    told = spec.model_copy(update={"reporting": Reporting(reading="Few items: look at the intervals.")})
    plain, plan = make_plan(spec, pins), make_plan(told, pins)
    assert "reporting" not in plain.as_json() and plan.as_json()["reporting"] == {"reading": told.reporting.reading}  # type: ignore[union-attr]
    assert plan.spec_hash == plain.spec_hash and plan.code == plain.code
    assert AppPlan(plan.as_json()).spec_hash == plan.spec_hash, "the app's own rule is the same"
    assert plan.typed_spec() == told and plain.typed_spec() == spec
    found = diff_plans(plain.as_json(), plan.as_json())
    assert (found.impact, [edit.path for edit in found.edits]) == ("cosmetic", ["reporting"])
    assert compile_spec(told, pins).lock.spec_hash == compile_spec(spec, pins).lock.spec_hash
