"""The runner's own steps, with an engine and an evaluation that only write what the real ones write."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runner_world import World

from ftbench import builtin
from ftbench.compile import folder
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.result import ledger
from ftbench.result.documents import Environment, Result
from ftbench.run import environment, preflight, runner, summary
from ftbench.run.rundir import RunDir
from ftbench.spec.entries import resolve_entry
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.load import load_pins, load_spec


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    path = builtin.specs()["quickstart"]
    return compile_spec(load_spec(path).spec, load_pins(path))


@pytest.fixture(scope="module")
def entry(compiled: Compiled) -> ResolvedEntry:
    return resolve_entry(compiled.plan.typed_spec(), None)


@pytest.fixture
def world(tmp_path: Path, compiled: Compiled, entry: ResolvedEntry, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, compiled, entry)
    made.put_in(monkeypatch)
    return made


def test_a_run_from_start_to_bundle(world: World) -> None:
    outcome = world.start()
    run = RunDir.open(outcome.run_dir)
    assert run.path.name == f"quickstart-default-s{world.entry.seed}"
    assert folder.check_lock(run.compiled) == []
    assert run.entry() == world.entry
    result = Result.model_validate_json((run.bundle / "result.json").read_bytes())
    assert result == outcome.result
    assert outcome.bundle == run.bundle
    assert (result.cost.bytes_down, result.cost.bytes_up, result.cost.rounds) == (200, 100, 2)
    assert result.cost.peak_memory_bytes == 99999
    told = result.cost.client
    assert told is not None and (told.growth_bytes, told.micro_batch, told.allocated_bytes) == (90, 4, None)
    assert result.exclusions == 2
    assert result.ledger == ledger.head(run.ledger.read_bytes())
    assert result.bit_reproducible
    assert result.scores.tuned.value == 1.0
    assert not result.smoke
    written = Environment.model_validate_json((run.bundle / "environment.json").read_bytes())
    assert set(written.packages) <= set(world.compiled.plan.stack)
    described = Store([builtin.store()]).outline(world.entry.model.revision)
    assert (run.bundle / "model.json").read_bytes() == described.to_bytes()


def test_the_app_is_told_everything(world: World) -> None:
    outcome = world.start(micro_batch=4, round_timeout=60.0)
    (job,) = world.engine.jobs
    config = job.run_config
    assert config["run-dir"] == str(outcome.run_dir)
    assert config["spec-hash"] == world.compiled.lock.spec_hash
    assert config["base-model"] == f"{world.entry.model.name}@{world.entry.model.revision}"
    assert (config["resume"], config["smoke"], config["unpinned"]) == (False, False, False)
    assert (config["micro-batch"], config["round-timeout"], config["seed"]) == (4, 60.0, world.entry.seed)
    assert {path: config[path] for path in world.entry.knobs} == world.entry.knobs
    assert job.fab_hash == world.compiled.lock.fab_hash
    declared = set(_declared(job.compiled / "app" / "pyproject.toml"))
    assert set(config) == declared


def _declared(path: Path) -> list[str]:
    import tomllib

    def flat(table: dict[str, Any], prefix: str = "") -> list[str]:
        found: list[str] = []
        for key, value in table.items():
            found += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
        return found

    return flat(tomllib.loads(path.read_text())["tool"]["flwr"]["app"]["config"])


def test_evaluation_carries_the_runs_mark(world: World) -> None:
    outcome = world.start()
    assert world.marks == [RunDir.open(outcome.run_dir).marker()]
    assert world.engine.jobs[0].marker == world.marks[0]


def test_smoke_asks_eight_items_and_says_so(world: World) -> None:
    outcome = world.start(smoke=True)
    assert world.evaluations == [8]
    assert world.engine.jobs[0].run_config["smoke"] is True
    assert outcome.result.smoke
    assert any("cannot be submitted" in text for _, text in summary.rows(outcome))


def test_an_interrupted_training_goes_on(world: World) -> None:
    seen: list[str] = []

    def stop_at_second_round(event: str) -> None:
        seen.append(event)
        if seen == ["started", "round", "round"]:
            signal.raise_signal(signal.SIGTERM)

    world.engine.before = stop_at_second_round
    with pytest.raises(KeyboardInterrupt):
        world.start()
    assert world.evaluations == []
    (run_dir,) = world.out.iterdir()
    outcome = runner.resume(run_dir)
    assert [job.run_config["resume"] for job in world.engine.jobs] == [False, True]
    events = [line.body.event for line in ledger.read(run_dir / "ledger.jsonl")]
    assert events == ["started", "round", "resumed", "round", "finished"]
    starts = {json.loads(line)["start"] for line in (run_dir / "timings.jsonl").read_text().splitlines()}
    assert len(starts) == 2
    assert outcome.result.cost.train_seconds is not None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_finished_training_is_not_repeated(world: World) -> None:
    world.evaluation_fails = True
    with pytest.raises(RunFailed):
        world.start()
    (run_dir,) = world.out.iterdir()
    world.evaluation_fails = False
    assert runner.resume(run_dir).bundle is not None
    assert len(world.engine.jobs) == 1


def test_a_whole_run_is_only_reported(world: World) -> None:
    first = world.start()
    again = runner.resume(first.run_dir)
    assert again.result == first.result
    assert (len(world.engine.jobs), len(world.evaluations)) == (1, 1)


def test_a_copy_that_was_edited_is_refused(world: World) -> None:
    first = world.start()
    module = next((first.run_dir / "compiled" / "app" / "ftbench_app").glob("*.py"))
    module.write_text(module.read_text() + "# edited\n")
    with pytest.raises(InvalidInput, match="FTB512"):
        runner.resume(first.run_dir)


def test_a_compiled_folder_serves_as_well(world: World, tmp_path: Path) -> None:
    place = folder.write(world.compiled, tmp_path / "generated")
    assert world.start(compiled=place).result.spec_hash == world.compiled.lock.spec_hash
    (place / "app/ftbench_app/plan.json").write_bytes(b"{}")
    with pytest.raises(InvalidInput, match=r"FTB512.*plan\.json"):
        world.start(compiled=place)


def test_what_cannot_begin_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise MissingResource([])

    monkeypatch.setattr(preflight, "check_before_run", refuse)
    with pytest.raises(MissingResource):
        world.start()
    assert list(world.out.iterdir()) == []


def test_an_unknown_engine_is_refused(compiled: Compiled, entry: ResolvedEntry, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"FTB505.*`warp`"):
        runner.start(compiled, entry, out=tmp_path, store=Store([tmp_path]), engine="warp")


def test_a_folder_in_use_is_refused(world: World) -> None:
    first = world.start()
    with RunDir.open(first.run_dir).alone(), pytest.raises(RunFailed, match="FTB500"):
        runner.resume(first.run_dir)


def test_a_ledger_that_was_tampered_with_is_refused(world: World) -> None:
    world.evaluation_fails = True
    with pytest.raises(RunFailed):
        world.start()
    (run_dir,) = world.out.iterdir()
    path = run_dir / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"bytes_down":100', b'"bytes_down":101', 1))
    with pytest.raises(InvalidInput, match="FTB605"):
        runner.resume(run_dir)


# --- preflight ---


def test_everything_missing_is_named_at_once(
    compiled: Compiled, entry: ResolvedEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "differences", lambda stack: {"torch": "1.0", "peft": None})
    monkeypatch.setattr(preflight, "LEAST_DISK", 2**62)
    with pytest.raises(MissingResource) as caught:
        preflight.check_before_run(compiled.plan, entry, Store([tmp_path / "empty"]), tmp_path, unpinned=False)
    found = caught.value.diagnostics
    stack = compiled.plan.stack
    assert found[0].hint.startswith(f"pip install torch=={stack['torch']} peft=={stack['peft']}")
    sources = len(compiled.plan.pins.sources)
    assert [d.code for d in found] == ["FTB502"] + ["FTB301"] * (sources + 1) + ["FTB302", "FTB504"]


def test_unpinned_lets_other_versions_through_but_not_missing_packages(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "differences", lambda stack: {"torch": "1.0"})
    assert preflight._packages(compiled.plan, unpinned=True) == []
    monkeypatch.setattr(preflight, "differences", lambda stack: {"torch": "1.0", "peft": None})
    (found,) = preflight._packages(compiled.plan, unpinned=True)
    assert "peft" in found.message
    assert "torch" not in found.message


def test_another_seed_is_refused(compiled: Compiled, entry: ResolvedEntry, tmp_path: Path) -> None:
    other = entry.model_copy(update={"seed": 424242})
    with pytest.raises(InvalidInput, match="FTB506"):
        preflight.check_before_run(compiled.plan, other, Store([tmp_path]), tmp_path, unpinned=True)


def test_local_build_tags_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.13.0+cpu", "peft": "0.1"}
    monkeypatch.setattr(environment, "installed", lambda stack: versions)
    wanted = {"torch": "2.13.0", "peft": "0.2", "flwr": "1.0"}
    assert environment.differences(wanted) == {"flwr": None, "peft": "0.1"}


def test_the_summary_names_what_matters(world: World) -> None:
    outcome = world.start()
    told = dict(summary.rows(outcome))
    assert told["verify with"] == outcome.verify_command
    assert outcome.verify_command.startswith("ftbench verify ")
    assert "→" in told[world.tasks[0]]
    assert summary.as_json(outcome)["result"] == outcome.result.model_dump(mode="json")
    assert "verify with" not in dict(summary.rows(replace(outcome, bundle=None)))


def test_the_verify_command_names_the_spec(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("")
    place = folder.write(world.compiled, tmp_path / "generated")
    named = {
        spec: world.start(spec=spec).verify_command.partition("bundle ")[2]
        for spec in ("quickstart", "mine.yaml", str(place))
    }
    assert named == {
        "quickstart": "--spec quickstart",
        "mine.yaml": "--spec mine.yaml",
        str(place): "--benchmarks generated",
    }
