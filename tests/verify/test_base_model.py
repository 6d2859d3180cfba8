"""What a verifier may say of a base model: by what it knows itself of the revision, with and without the weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import forge
import pytest
from forge import Forged, World

from ftbench.data.store import Store
from ftbench.result import names
from ftbench.result.documents import CheckResult, Verdict
from ftbench.spec.canonical import pretty
from ftbench.spec.model import BaseModelRef
from ftbench.spec.outline import MAX_BYTES, Outline

REF = BaseModelRef(name="some/model", revision="a" * 40)


def named(f: Forged, ref: BaseModelRef = REF) -> Forged:
    """The genuine bundle of a run with another base model, which has the same files."""
    with f.entry() as entry, f.result() as result:
        entry["model"] = result["model"] = ref.model_dump(mode="json")
    forge.reseal(f)
    return f


def invented(f: Forged, wide: int = 0) -> Forged:
    """Files that never were, under a model's name, consistently: a listing, its digest, settings and headers."""
    with f.json(names.MODEL) as model, f.result() as result, f.lines() as lines:
        model["files"]["model.safetensors"] = "d" * 64
        if wide:
            tensor = {"dtype": "F32", "shape": [wide, wide], "data_offsets": [0, 4 * wide * wide]}
            model["headers"]["model.safetensors"] = json.dumps({"w": tensor})
        digest = Outline.model_validate(model).digest
        result["base_model"] = lines[0]["body"]["base_model"] = digest
    return named(f)


def found(verdict: Verdict, check: str = "base-model") -> CheckResult:
    return next(one for one in verdict.checks if one.check == check)


def unsettled(verdict: Verdict) -> dict[str, str]:
    return {one.check: one.outcome for one in verdict.checks if one.level == "CONFORMS" and one.outcome != "passed"}


@pytest.fixture
def known(world: World, tmp_path: Path) -> Store:
    """A store as `data fetch --no-weights` leaves it: the revision and its outline, then the data, but no weights."""
    first = Store([tmp_path / "known"])
    first.put_model_ref(REF, first.put_outline(world.store.outline(world.spec.model.base.revision)))
    (tmp_path / "known" / "data").symlink_to(world.store.roots[0] / "data")
    return first


def test_an_unknown_revision_stays_below_conforms(world: World, genuine: Forged) -> None:
    """With the very files in the store: nothing says that they are that model's."""
    verdict = world.verdict(named(genuine).files)
    assert verdict.level == "INTACT" and unsettled(verdict) == {"base-model": "not-run"}
    told = found(verdict).evidence
    assert "not known here" in told and f"ftbench data fetch --model some/model@{REF.revision} --no-weights" in told


def test_a_known_revision_needs_no_weights(world: World, genuine: Forged, known: Store) -> None:
    verdict = world.verdict(named(genuine).files, known)
    assert verdict.level == "RESCORED", unsettled(verdict)
    assert "448 parameters by its headers" in found(verdict).evidence
    assert any("the weights are not here, and the hub was believed" in text for text in verdict.not_checked)


def test_with_the_weights_nobody_is_believed(world: World, genuine: Forged, known: Store) -> None:
    verdict = world.verdict(named(genuine).files, Store([*known.roots, *world.store.roots]))
    assert verdict.level == "RESCORED"
    assert "448 parameters by the weights here" in found(verdict).evidence
    assert not any("believed" in text for text in verdict.not_checked)


def test_invented_files_under_a_known_revision(world: World, genuine: Forged, known: Store) -> None:
    verdict = world.verdict(invented(genuine).files, known)
    assert verdict.level == "INTACT" and unsettled(verdict) == {"base-model": "failed"}
    assert "some/model at that revision has files" in found(verdict).evidence


def test_invented_files_under_an_unknown_revision(world: World, genuine: Forged) -> None:
    verdict = world.verdict(invented(genuine).files)
    assert verdict.level == "INTACT" and unsettled(verdict) == {"base-model": "not-run"}


def test_the_limit_holds_whatever_the_revision_is(world: World, genuine: Forged) -> None:
    verdict = world.verdict(invented(genuine, wide=2048).files)
    assert unsettled(verdict)["base-model"] == "failed"
    assert "4194304 parameters, at most" in found(verdict).evidence


def test_headers_that_are_not_the_known_ones(world: World, genuine: Forged, known: Store) -> None:
    """The same listing, so that every digest fits; a smaller model in the headers."""
    with genuine.json(names.MODEL) as model:
        (text,) = model["headers"].values()
        model["headers"]["model.safetensors"] = text.replace(
            '"dtype":"F32","shape":[16,8]', '"dtype":"F64","shape":[8,8]'
        )
    verdict = world.verdict(named(genuine).files, known)
    assert unsettled(verdict) == {"base-model": "failed"} and "headers are not those of" in found(verdict).evidence


def test_a_digest_under_anothers_name(world: World, genuine: Forged) -> None:
    """The verifier has files of that digest. Whose they are, only the spec says, and it says another name."""
    ref = BaseModelRef(name="some/model", revision=world.spec.model.base.revision)
    verdict = world.verdict(named(genuine, ref).files)
    assert verdict.level == "INTACT" and unsettled(verdict) == {"base-model": "not-run"}
    assert "nothing here says that these are files of some/model" in found(verdict).evidence


def test_the_specs_own_model_without_its_weights(world: World, genuine: Forged, tmp_path: Path) -> None:
    """Files and settings follow from the digest that the spec names; headers do not."""
    verdict = world.verdict(genuine.files, Store([tmp_path]))
    assert verdict.level == "INTACT" and unsettled(verdict) == {"base-model": "not-run"}


def test_a_built_in_model_is_known_by_itself(tmp_path: Path) -> None:
    from ftbench import builtin

    def change(spec: dict[str, dict[str, object]]) -> None:
        spec["model"]["base"] = {"name": "builtin/micro", "revision": builtin.MODELS["builtin/micro"]}

    world = forge.make_world(tmp_path, change)
    world.store.roots.append(builtin.store())
    verdict = world.verdict(forge.make(world).files)
    assert found(verdict).outcome == "passed" and "parameters by the weights here" in found(verdict).evidence
    assert "adapter-shape" in unsettled(verdict), "the forged adapter is for another model"


def test_a_damaged_outline_is_no_pass(world: World, genuine: Forged, known: Store) -> None:
    (path,) = (known.roots[0] / "models" / "outlines").iterdir()
    for data in (b"{}", path.read_bytes().replace(b"llama", b"lama_"), b"[" * 100_000):
        path.write_bytes(data)
        verdict = world.verdict(named(genuine).files, known)
        assert unsettled(verdict) == {"base-model": "not-run"} and "corrupt" in found(verdict).evidence


def deep(model: dict[str, object]) -> None:
    model["headers"] = {"model.safetensors": "[" * 100_000}


def many(model: dict[str, object]) -> None:
    one = ",".join(f'"t{n}":{{"dtype":"F32","shape":[1],"data_offsets":[{4 * n},{4 * n + 4}]}}' for n in range(90_000))
    model["headers"] = {"model.safetensors": "{" + one + "}"}


def nested(model: dict[str, object]) -> None:
    model["config"] = '{"a":' * 100_000


def vast(model: dict[str, object]) -> None:
    model["config"] = " " * MAX_BYTES


@pytest.mark.parametrize("edit", [deep, many, nested, vast])
def test_hostile_outlines_are_refused_soon(
    world: World, genuine: Forged, edit: Callable[[dict[str, object]], None]
) -> None:
    model = json.loads(genuine.files[names.MODEL])
    edit(model)
    genuine.files[names.MODEL] = pretty(model)
    forge.reseal(genuine)
    began = time.process_time()
    verdict = world.verdict(genuine.files)
    assert time.process_time() - began < 20 and not verdict.accepted
    assert all(one.code != "FTB699" for one in verdict.checks), "a check broke off"
