"""A run's base model from the hub: fetched when it is the only thing missing, otherwise the command is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "hub"))

import layouts
from server import HubServer

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.run import preflight, runner
from ftbench.run.base_model import bring, fetch_command
from ftbench.spec.entries import resolve_entry
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import BaseModelRef


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield server


@pytest.fixture
def ref(hub: HubServer) -> BaseModelRef:
    return BaseModelRef(name="some/model", revision=hub.add("model", "some/model", layouts.model(), "mit"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([tmp_path / "store"])


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    path = builtin.specs()["quickstart"]
    return compile_spec(load_spec(path).spec, load_pins(path))


@pytest.fixture
def entry(compiled: Compiled, ref: BaseModelRef) -> ResolvedEntry:
    return resolve_entry(compiled.plan.typed_spec(), None).model_copy(update={"model": ref})


def test_what_is_missing_is_fetched_once_and_told(hub: HubServer, ref: BaseModelRef, store: Store) -> None:
    told: list[str] = []
    bring(ref, store, told.append)
    assert (store.model_path(store.model_digest(ref)) / "model.safetensors").is_file()
    assert told[0].startswith(f"some/model@{ref.revision} is not in the store")
    assert told[-1].endswith("licence MIT")
    asked = len(hub.requests)
    bring(ref, store, told.append)
    assert len(hub.requests) == asked


def test_without_a_hub_the_command_is_named(hub: HubServer, ref: BaseModelRef, store: Store) -> None:
    hub.fail("503")
    with pytest.raises(MissingResource) as caught:
        bring(ref, store, lambda text: None)
    first, *others = caught.value.diagnostics
    assert first.code == "FTB302"
    assert f"ftbench data fetch --model some/model@{ref.revision}" in first.hint
    assert [one.code for one in others] == ["FTB345"]


def test_a_built_in_model_is_never_asked_for(hub: HubServer, store: Store) -> None:
    ours = BaseModelRef(name="builtin/micro", revision="a" * 64)
    bring(ours, store, lambda text: None)
    assert hub.requests == []
    assert fetch_command(ours) == ""


def test_a_damaged_one_is_not_replaced_in_silence(hub: HubServer, ref: BaseModelRef, store: Store) -> None:
    bring(ref, store, lambda text: None)
    weights = store.model_path(store.model_digest(ref)) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(MissingResource, match="FTB303"):
        bring(ref, store, lambda text: None)


# --- with the rest of what is looked at before a run ---


def look(compiled: Compiled, entry: ResolvedEntry, store: Store, where: Path, spec: str = "mine.yaml") -> list[str]:
    """Names of the models that were asked for; raises what stands in the way."""
    asked: list[str] = []
    preflight.check_before_run(
        compiled.plan,
        entry,
        store,
        where,
        unpinned=True,
        spec=spec,
        bring=lambda ref: asked.append(ref.name),
    )
    return asked


def test_it_is_fetched_only_if_all_else_is_there(
    compiled: Compiled, entry: ResolvedEntry, ref: BaseModelRef, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(MissingResource) as caught:
        look(compiled, entry, store, tmp_path)
    found = caught.value.diagnostics
    data = [one for one in found if one.code == "FTB301"]
    assert len(data) == len(compiled.plan.pins.sources) + 1
    assert all("ftbench data fetch mine.yaml" in one.hint for one in data)
    assert "ftbench data fetch --model some/model@" in found[-1].hint
    both = Store([*store.roots, builtin.store()])
    with pytest.raises(MissingResource, match="FTB302"):
        look(compiled, entry, both, tmp_path)  # asked for, but it did not come
    bring(ref, both, lambda text: None)
    assert look(compiled, entry, both, tmp_path) == ["some/model"]


def test_a_draft_without_pins_names_lock(
    compiled: Compiled, entry: ResolvedEntry, tmp_path: Path, store: Store
) -> None:
    pins = compiled.plan.pins
    key = next(iter(pins.sources))
    open_ = pins.sources[key].model_copy(update={"digest": None, "rows": None})
    waiting = pins.model_copy(update={"sources": {**pins.sources, key: open_}})
    draft = replace(compiled, plan=compiled.plan.model_copy(update={"pins": waiting}))
    both = Store([*store.roots, builtin.store()])
    with pytest.raises(MissingResource) as caught:
        look(draft, entry, both, tmp_path, spec="specs/my draft.yaml")
    first = caught.value.diagnostics[0]
    assert (first.code, first.severity) == ("FTB195", "error")
    assert "ftbench lock 'specs/my draft.yaml'" in first.hint
    with pytest.raises(MissingResource, match="ftbench lock SPEC"):
        preflight.check_resolved(draft.plan, str(tmp_path))  # a compiled folder is no spec


# --- from the command line ---


def test_a_model_without_a_revision_gets_its_commit(
    hub: HubServer,
    ref: BaseModelRef,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[ResolvedEntry] = []

    def start(compiled: Compiled, entry: ResolvedEntry, **options: object) -> None:
        asked.append(entry)
        raise RunFailed([])

    monkeypatch.setattr("ftbench.run.runner.start", start)
    file = tmp_path / "entry.yaml"
    file.write_text("ftbench: entry/v1\nmetadata: {name: mine}\nmodel: {name: some/model, revision: null}\n")
    for chosen in (["--model", "some/model"], ["--entry", str(file)]):
        assert run(["run", "quickstart", *chosen, "--store", str(tmp_path / "store")]) == RunFailed.exit_code
        assert ref.revision in capsys.readouterr().err
    assert [entry.model for entry in asked] == [ref, ref]
    hub.fail("503")
    assert run(["run", "quickstart", "--model", "some/model"]) == MissingResource.exit_code
    assert len(asked) == 2


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_built_in_model_that_does_not_exist_is_refused(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    where = ["--out", str(tmp_path / "runs")] if command == "run" else []
    entry = tmp_path / "entry.yaml"
    entry.write_text(
        f"ftbench: entry/v1\nmetadata: {{name: mine}}\nmodel: {{name: builtin/micro, revision: '{'c' * 64}'}}\n"
    )
    for chosen in (["--model", f"micro@{'c' * 64}"], ["--entry", str(entry)], ["--model", f"micro@{'c' * 40}"]):
        assert run([command, "quickstart", *chosen, *where]) == InvalidInput.exit_code
        told = capsys.readouterr()
        assert "FTB134" in told.out + told.err
    assert hub.requests == [] and not (tmp_path / "runs").exists()


def test_a_model_that_no_bundle_could_describe_is_refused_before_any_training(
    ref: BaseModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: ResolvedEntry, compiled: Compiled
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"\xff")
    store = Store([tmp_path / "store", builtin.store()])
    store.put_model_ref(ref, store.put_model(folder))
    monkeypatch.setattr("ftbench.run.preflight._packages", lambda plan, unpinned: [])
    with pytest.raises(MissingResource, match="FTB332"):
        runner.start(compiled, entry, out=tmp_path / "runs", store=store, engine="inline")
    assert not list((tmp_path / "runs").iterdir())


def test_a_draft_without_pins_asks_nobody(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = builtin.specs()["quickstart"]
    draft = tmp_path / "draft.yaml"
    draft.write_bytes(source.read_bytes())
    pins = json.loads(source.with_suffix(".pins.json").read_bytes())
    pins["partition"] = None
    for pin in pins["sources"].values():
        pin["digest"] = pin["rows"] = None
    draft.with_suffix(".pins.json").write_text(json.dumps(pins))
    assert run(["run", str(draft), "--model", "some/model"]) == MissingResource.exit_code
    assert f"ftbench lock {draft}" in capsys.readouterr().err
    assert hub.requests == []
