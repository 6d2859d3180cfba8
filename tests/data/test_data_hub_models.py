"""Base models of the hub: safetensors and settings only, by commit, found again by the commit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import layouts
import pytest
from jsonschema import Draft202012Validator

from ftbench.builtin import MODELS
from ftbench.cli import schemas
from ftbench.cli.main import run
from ftbench.data import base_models, digests
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import BaseModelRef

Connect = Callable[[], Hub]

NAME = "some/model"
KEPT = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([tmp_path / "store"])


def ref(hub: Any, files: dict[str, bytes]) -> BaseModelRef:
    return BaseModelRef(name=NAME, revision=hub.add("model", NAME, files, "mit"))


def refused(connect: Connect, store: Store, which: BaseModelRef, code: str) -> str:
    """That fetching is refused with `code`, leaving no model and no reference; the message."""
    with pytest.raises(MissingResource) as error:
        base_models.fetch(which, store, connect())
    assert error.value.diagnostics[0].code == code
    assert not (store.roots[0] / "models").exists()
    return str(error.value)


def test_weights_settings_and_tokenizer_are_fetched_and_nothing_else(hub: Any, connect: Connect, store: Store) -> None:
    files = layouts.model()
    which = ref(hub, files)
    fetched = base_models.fetch(which, store, connect())
    folder = store.model_path(fetched.digest)
    assert set(fetched.files) == set(digests.model_files(folder)) == KEPT
    assert all((folder / name).read_bytes() == files[name] for name in KEPT)
    assert (fetched.licence, fetched.warnings) == ("MIT", [])
    assert not any(hub.asked("GET", name) for name in ("pytorch_model.bin", "modeling_own.py", "consolidated"))
    assert not list((store.roots[0].parent / "scratch").iterdir())


def test_a_commit_is_found_again(hub: Any, connect: Connect, store: Store) -> None:
    which = ref(hub, layouts.model())
    with pytest.raises(MissingResource, match=rf"FTB302[^\n]*\n.*ftbench data fetch --model {NAME}@{which.revision}"):
        store.model_digest(which)
    digest = base_models.fetch(which, store, connect()).digest
    assert store.model_digest(which) == digest
    file = store.roots[0] / "models" / "refs" / f"some--model@{which.revision}"
    assert file.read_bytes() == digest.encode() + b"\n"
    file.write_text("../../etc\n")
    with pytest.raises(MissingResource, match="FTB303"):
        store.model_digest(which)


def test_the_digest_is_of_the_files_alone(hub: Any, connect: Connect, store: Store) -> None:
    """A built-in model that is put on a hub is the same model."""
    which = ref(hub, {**layouts.builtin_model(), "README.md": b"# micro\n"})
    assert base_models.fetch(which, store, connect()).digest == MODELS["builtin/micro"]


def test_two_commits_of_the_same_files_are_one_model(hub: Any, connect: Connect, store: Store) -> None:
    first = base_models.fetch(ref(hub, layouts.model()), store, connect())
    second = base_models.fetch(ref(hub, layouts.model(**{"README.md": b"# other\n"})), store, connect())
    assert first.digest == second.digest and first.ref != second.ref


def test_weights_in_parts(hub: Any, connect: Connect, store: Store) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"metadata": {}, "weight_map": {"a": names[0], "b": names[1], "c": names[1]}}
    files = layouts.model(**{base_models.INDEX: json.dumps(index).encode(), names[0]: layouts.tensors(1)})
    refused(connect, store, ref(hub, files), "FTB330")
    files[names[1]] = layouts.tensors(2)
    fetched = base_models.fetch(ref(hub, files), store, connect())
    assert set(fetched.files) == (KEPT - {"model.safetensors"}) | {base_models.INDEX, *names}


@pytest.mark.parametrize("part", ["../up.safetensors", "pytorch_model.bin", "a/b.safetensors", 3])
def test_an_index_names_safetensors_only(hub: Any, connect: Connect, store: Store, part: Any) -> None:
    files = layouts.model(**{base_models.INDEX: json.dumps({"weight_map": {"a": part}}).encode()})
    refused(connect, store, ref(hub, files), "FTB332")


def test_pickles_are_never_taken(hub: Any, connect: Connect, store: Store) -> None:
    files = layouts.model()
    del files["model.safetensors"]
    assert "pytorch_model.bin" in refused(connect, store, ref(hub, files), "FTB350")
    assert hub.asked("GET", ".bin") == 0


def test_code_of_its_own_is_never_needed(hub: Any, connect: Connect, store: Store) -> None:
    own = {"auto_map": {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}}
    unknown = json.dumps({"model_type": "own", **own}).encode()
    assert "never run" in refused(connect, store, ref(hub, layouts.model(**{"config.json": unknown})), "FTB351")
    known = json.dumps({"model_type": "phi3", **own}).encode()
    fetched = base_models.fetch(ref(hub, layouts.model(**{"config.json": known})), store, connect())
    assert [(one.code, one.severity) for one in fetched.warnings] == [("FTB351", "warning")]
    assert hub.asked("GET", ".py") == 0


@pytest.mark.parametrize("config", [b"{", b"[]", b'{"architectures": ["X"]}'])
def test_settings_that_say_nothing(hub: Any, connect: Connect, store: Store, config: bytes) -> None:
    code = "FTB351" if config.endswith(b"}") else "FTB332"
    refused(connect, store, ref(hub, layouts.model(**{"config.json": config})), code)


def test_wrong_weights_are_refused(hub: Any, connect: Connect, store: Store) -> None:
    which = ref(hub, layouts.model())
    hub.fail("wrong", "/cdn/")
    refused(connect, store, which, "FTB346")


def test_an_interrupted_download_goes_on(hub: Any, connect: Connect, store: Store) -> None:
    which = ref(hub, layouts.model())
    hub.fail("cut", "/cdn/")
    refused(connect, store, which, "FTB340")
    hub.heal()
    hub.requests.clear()
    base_models.fetch(which, store, connect())
    assert hub.asked("GET", "tokenizer.json") == 0
    assert not list((store.roots[0].parent / "scratch").iterdir())


def test_names(hub: Any, connect: Connect) -> None:
    which = ref(hub, layouts.model())
    connection = connect()
    assert base_models.resolve(NAME, connection) == which
    assert base_models.resolve(f"{NAME}@main", connection) == which
    asked = len(hub.requests)
    assert base_models.resolve(f"{NAME}@{which.revision}", connection) == which
    assert len(hub.requests) == asked
    for bad in ("model", "a/b/c", f"{NAME}@", "../x", "a--b/c", f"builtin/micro@{'0' * 64}", f"{NAME}@{'0' * 64}"):
        with pytest.raises(InvalidInput, match="FTB352"):
            base_models.resolve(bad, connection)
    with pytest.raises(MissingResource, match="FTB342"):
        base_models.resolve(f"{NAME}@v2", connection)


def test_the_command(hub: Any, tmp_path: Path, capsys: Any) -> None:
    which = ref(hub, layouts.model())
    store = Store([tmp_path / "store"])
    assert run(["data", "fetch", "--model", NAME, "--store", str(tmp_path / "store"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert which.revision in err
    found = json.loads(out)
    Draft202012Validator(json.loads(schemas.all_schemas()["output/data.v1.schema.json"])).validate(found)
    (item,) = found["items"]
    assert (item["name"], item["licence"]) == (f"{NAME}@{which.revision}", "MIT")
    assert store.model_digest(which) == item["digest"]
    assert run(["data", "list", "--store", str(tmp_path / "store"), "--json"]) == 0
    listed = {item["digest"]: item["name"] for item in json.loads(capsys.readouterr().out)["items"]}
    assert listed[item["digest"]] == f"{NAME}@{which.revision}"
