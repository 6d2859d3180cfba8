from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import forge
import pytest

from ftbench import codes
from ftbench.compile.compiler import compile_spec
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.result.documents import LEVELS, Verdict
from ftbench.result.opening import open_bundle
from ftbench.result.pack import pack, to_zip
from ftbench.spec.model import Reporting
from ftbench.verify import checks as package
from ftbench.verify.check import Check, Failure, NotRun
from ftbench.verify.checks import CHECKS
from ftbench.verify.context import Context
from ftbench.verify.verifier import climb, problems, verify


def outcomes(verdict: Verdict, outcome: str) -> list[str]:
    return [check.check for check in verdict.checks if check.outcome == outcome]


def on_disk(world: forge.World, path: Path, **options: object) -> Verdict:
    return verify(path, store=world.store, benchmarks=[world.root / "benchmarks"], **options)  # type: ignore[arg-type]


def test_genuine_bundle_reaches_rescored(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    for path in (folder, pack(folder)):
        verdict = on_disk(world, path)
        assert [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"] == []
        assert verdict.level == "RESCORED" and verdict.accepted and problems(verdict, path) == []
        assert [check.check for check in verdict.checks] == [
            c.id for c in CHECKS if c.level not in ("SPOT-RUN", "REPRODUCED")
        ]
        assert verdict.result is not None and verdict.name == "forged-world"
        assert verdict.bundle == forge.sha256(genuine.files[names.MANIFEST])


def test_what_could_not_be_opened_is_said(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    """A document that is a link, or an archive cut short, is not told as a missing document."""
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    cut = tmp_path / "cut.zip"
    cut.write_bytes(pack(folder).read_bytes()[:-10])
    (folder / names.ENTRY).unlink()
    (folder / names.ENTRY).symlink_to("/dev/null")
    for path, why in ((cut, "cut.zip: the file is not a zip"), (folder, "entry.yaml: is a symbolic link")):
        first = on_disk(world, path).checks[0]
        assert first.check == "documents-parse" and first.evidence.startswith(why), first.evidence


@pytest.mark.parametrize(("seed", "sets"), [(2, ()), (3, ("adapter.rank=2", "training.schedule.learning_rate=0.05"))])
def test_other_entries(world: forge.World, seed: int, sets: tuple[str, ...]) -> None:
    verdict = world.verdict(forge.make(world, seed, sets).files)
    assert verdict.level == "RESCORED", [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"]


def test_registry() -> None:
    """Every file of the folder is in the list, ids and codes are unique, levels ascend."""
    folder = Path(package.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    listed = {check.run.__module__.rpartition(".")[2] for check in CHECKS}
    assert files == listed
    assert {import_module(f"ftbench.verify.checks.{name}").CHECK.id for name in files} == {c.id for c in CHECKS}
    assert all(check.id == check.run.__module__.rpartition(".")[2].replace("_", "-") for check in CHECKS)
    assert len({check.code for check in CHECKS}) == len({check.id for check in CHECKS}) == len(CHECKS)
    assert not {check.code for check in CHECKS} & codes.MEANINGS.keys(), "a number that a diagnostic has already"
    levels = [LEVELS.index(check.level) for check in CHECKS]
    assert levels == sorted(levels) and set(levels) == {1, 2, 3, 4, 5, 6}


def test_lower_levels_can_be_asked_for(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    with genuine.result() as result:
        result["scores"]["tuned"]["interval"]["low"] += 0.001
    genuine.keep = {"scores"}
    forge.reseal(genuine)
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    verdict = on_disk(world, folder, required="CONFORMS")
    assert verdict.level == "CONFORMS" and verdict.accepted and outcomes(verdict, "failed") == ["scores-recomputed"]
    verdict = on_disk(world, folder)
    assert not verdict.accepted
    told = problems(verdict, folder)
    assert [d.code for d in told] == ["FTB663", "FTB691"]


def knowing(world: forge.World, root: Path) -> Store:
    """A store that knows the world's base model and has neither its weights nor any data."""
    store = Store([root])
    store.put_outline(world.store.outline(world.spec.model.base.revision))
    return store


def test_without_test_data_it_stays_at_conforms(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    verdict = world.verdict(genuine.files, knowing(world, tmp_path))
    assert verdict.level == "CONFORMS" and not verdict.accepted
    assert outcomes(verdict, "failed") == []
    assert outcomes(verdict, "not-run") == ["items-asked", "prompts-compiled", "programs-rerun"]
    assert any("the weights are not here" in sentence for sentence in verdict.not_checked)


def test_corrupt_store_is_not_the_bundles_fault_nor_a_pass(
    world: forge.World, genuine: forge.Forged, tmp_path: Path
) -> None:
    pin = world.compiled.plan.pins.sources["task:jars"].digest
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f"{pin}.jsonl").write_bytes(b"{}\n")
    verdict = world.verdict(genuine.files, knowing(world, tmp_path))
    assert verdict.level == "CONFORMS" and "items-asked" in outcomes(verdict, "not-run")


def test_spec_given_is_compiled_here(genuine: forge.Forged, tmp_path: Path) -> None:
    """The quickstart's own spec compiles to another lock than the forged world's."""
    from ftbench import builtin

    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    store = genuine.world.store
    verdict = verify(
        folder, spec=builtin.specs()["quickstart"], store=store, benchmarks=[genuine.world.root / "benchmarks"]
    )
    assert verdict.level == "INTACT" and outcomes(verdict, "failed") == ["lock-known"]
    own = Context(open_bundle(folder), store, genuine.world.compiled)
    assert climb(own, "RESCORED", CHECKS).level == "RESCORED"


def test_a_spec_that_differs_outside_its_hash(genuine: forge.Forged) -> None:
    """The two hashes are alike then, so that telling both says nothing."""
    plan = genuine.world.compiled.plan
    read = plan.typed_spec().model_copy(update={"reporting": Reporting(reading="Read this.")})
    other = compile_spec(read, plan.pins)
    assert other.lock.spec_hash == genuine.world.compiled.lock.spec_hash
    verdict = climb(Context(open_bundle_of(genuine), genuine.world.store, other), "RESCORED", CHECKS)
    [failed] = [check for check in verdict.checks if check.outcome == "failed"]
    assert failed.check == "lock-known" and failed.evidence is not None
    assert "another lock (app/ftbench_app/plan.json" in failed.evidence
    assert "`reporting` are outside the hash and in the lock" in failed.evidence


def test_unknown_benchmark(genuine: forge.Forged) -> None:
    context = Context(open_bundle_of(genuine), genuine.world.store)
    verdict = climb(context, "RESCORED", CHECKS)
    assert verdict.level == "INTACT" and outcomes(verdict, "failed") == ["lock-known"]
    assert len(outcomes(verdict, "not-run")) > 10, "nothing can be compared without a plan"


def open_bundle_of(forged: forge.Forged) -> forge.Bundle:
    bundle = forge.Bundle(Path("bundle"))
    for name, content in forged.files.items():
        bundle.add(name, content)
    return bundle


def test_benchmark_that_does_not_fit_its_own_lock(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    """A plan edited in the verifier's own folder is noticed; it is never used."""
    files = {name: world.compiled.files[name] for name in ("ftbench.lock", "app/ftbench_app/plan.json")}
    files["app/ftbench_app/plan.json"] = files["app/ftbench_app/plan.json"].replace(b'"rounds":4', b'"rounds":5')
    forge.write_folder(files, tmp_path)
    verdict = climb(Context(open_bundle_of(genuine), world.store, None, [tmp_path]), "RESCORED", CHECKS)
    assert verdict.level == "INTACT" and "lock-known" in outcomes(verdict, "not-run")


@pytest.mark.parametrize("position", range(0, sum(c.level not in ("SPOT-RUN", "REPRODUCED") for c in CHECKS), 4))
@pytest.mark.parametrize("error", [RuntimeError("boom\n::error::"), RecursionError(), MemoryError(), KeyError("x")])
def test_a_check_that_breaks_off_is_never_a_pass(genuine: forge.Forged, position: int, error: Exception) -> None:
    def broken(context: Context) -> str | Failure:
        raise error

    table = list(CHECKS)
    table[position] = replace(table[position], run=broken)
    context = Context(open_bundle_of(genuine), genuine.world.store, genuine.world.compiled)
    verdict = climb(context, "RESCORED", table)
    result = verdict.checks[position]
    assert (result.outcome, result.code) == ("failed", codes.CRASHED) and "\n" not in result.evidence
    assert LEVELS.index(verdict.level) < LEVELS.index(table[position].level) and not verdict.accepted


def test_a_level_without_checks_is_not_reached(genuine: forge.Forged) -> None:
    table = [check for check in CHECKS if check.level != "INTACT"]
    context = Context(open_bundle_of(genuine), genuine.world.store, genuine.world.compiled)
    assert climb(context, "RESCORED", table).level == "CLAIMED"


def test_not_run_keeps_the_level_back(genuine: forge.Forged) -> None:
    def waits(context: Context) -> str | Failure:
        raise NotRun("nothing to compare with")

    table = [*CHECKS, Check("waits", "INTACT", "FTB629", "it waits", waits)]
    context = Context(open_bundle_of(genuine), genuine.world.store, genuine.world.compiled)
    assert climb(context, "RESCORED", table).level == "CLAIMED"


@pytest.mark.parametrize("data", [b"", b"PK", to_zip({}), to_zip({"result.json": b"{}"})])
def test_hopeless_archives_get_a_verdict(world: forge.World, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(data)
    verdict = on_disk(world, tmp_path / "b.zip")
    assert verdict.level == "NONE" and not verdict.accepted and verdict.result is None


def test_nothing_there(world: forge.World, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="FTB603"):
        on_disk(world, tmp_path / "nothing")


def test_many_samples_files_share_one_limit(
    world: forge.World, genuine: forge.Forged, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = names.samples_name("jars")
    size = len(forge.samples.gunzip(genuine.files[name], name))
    monkeypatch.setattr("ftbench.verify.documents.MAX_SAMPLES", size + 100)
    verdict = world.verdict(genuine.files)
    assert verdict.level == "NONE" and "unpacks to more than 100 bytes" in verdict.checks[0].evidence


# --- attacks that need another benchmark ------------------------------------------------------------------------------


def test_result_of_another_benchmark(world: forge.World, tmp_path: Path) -> None:
    """A stale bundle, genuine in its own world."""
    other = forge.make_world(tmp_path, lambda spec: spec["training"].update(local_steps=5))
    bundle = forge.make(other)
    assert other.verdict(bundle.files).level == "RESCORED"
    verdict = world.verdict(bundle.files)
    assert verdict.level == "INTACT" and "lock-known" in outcomes(verdict, "failed")
    bundle.files[names.LOCK] = world.compiled.files["ftbench.lock"]
    with bundle.result() as result, bundle.lines() as lines:
        result["spec_hash"] = lines[0]["body"]["spec_hash"] = world.compiled.lock.spec_hash
    forge.reseal(bundle)
    verdict = world.verdict(bundle.files)
    assert verdict.level == "INTACT" and outcomes(verdict, "failed") == ["local-steps"]


def test_budget_exceeded(tmp_path: Path) -> None:
    """The whole run spends 3 + 3 + 3 + 3 down and 3 + 1 + 3 + 3 up, times the bytes of one adapter."""
    size = forge.adapter.parameters(forge.tensors(4, 1)) * 4
    for adapters, level in ((21.9, "INTACT"), (22.0, "RESCORED")):
        mib = adapters * size / 2**20
        world = forge.make_world(
            tmp_path / str(adapters), lambda spec, mib=mib: spec["budget"].update(communication_mib=mib)
        )
        verdict = world.verdict(forge.make(world).files)
        assert verdict.level == level
        assert outcomes(verdict, "failed") == (["budget-kept"] if level == "INTACT" else [])


@pytest.mark.parametrize(
    ("block", "key", "value", "check"),
    [
        ("budget", "trainable_parameters", 100, "budget-kept"),
        ("federation", "min_replies", 2, "replies-complete"),
        ("model", "max_parameters", 100, "base-model"),
    ],
)
def test_limits(tmp_path: Path, block: str, key: str, value: int, check: str) -> None:
    world = forge.make_world(tmp_path, lambda spec: spec[block].update({key: value}))
    verdict = world.verdict(forge.make(world).files)
    assert verdict.level == "INTACT" and outcomes(verdict, "failed") == [check]


def test_named_targets(tmp_path: Path) -> None:
    world = forge.make_world(tmp_path, lambda spec: spec["adapter"].update(targets=["q_proj", "k_proj"]))
    verdict = world.verdict(forge.make(world).files)
    assert outcomes(verdict, "failed") == ["adapter-shape"]
    told = next(check.evidence for check in verdict.checks if check.check == "adapter-shape")
    assert "`model.layers.0.mlp.down_proj` is not one of the targets" in told


def test_verifying_imports_no_heavy_package(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    program = """
import sys, json
from pathlib import Path
from ftbench.data.store import Store
from ftbench.verify import render
from ftbench.verify.verifier import verify
bundle, root = map(Path, sys.argv[1:])
verdict = verify(bundle, store=Store([root / "store"]), benchmarks=[root / "benchmarks"])
render.text(verdict, "b"), render.github(verdict, "b"), render.json(verdict)
heavy = {"torch", "transformers", "peft", "datasets", "lm_eval", "ray", "flwr", "safetensors", "pandas", "scipy"}
print(json.dumps([verdict.level, sorted(heavy & set(sys.modules))]))
"""
    out = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(world.root)], capture_output=True, text=True, check=True
    )
    assert json.loads(out.stdout) == ["RESCORED", []]
