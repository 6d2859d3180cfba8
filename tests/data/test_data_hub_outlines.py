"""A base model made known without its weights: what the hub says of them, and of each file only the beginning."""

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
from ftbench.data import base_models
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.run.base_model import bring
from ftbench.spec.model import BaseModelRef

Connect = Callable[[], Hub]

NAME = "some/model"
PARTS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([tmp_path / "store"])


def ref(hub: Any, files: dict[str, bytes]) -> BaseModelRef:
    return BaseModelRef(name=NAME, revision=hub.add("model", NAME, files, "mit"))


def parts(size: int = 300_000) -> dict[str, bytes]:
    """A model whose weights lie in two files."""
    index = {"metadata": {}, "weight_map": {"a": PARTS[0], "b": PARTS[1]}}
    files = layouts.model(**{base_models.INDEX: json.dumps(index).encode()})
    return files | {name: layouts.tensors(number, size) for number, name in enumerate(PARTS)}


@pytest.mark.parametrize("files", [layouts.builtin_model(), parts(), layouts.model(**{"model.safetensors": b""})])
def test_the_same_outline_as_with_the_weights(
    hub: Any, connect: Connect, store: Store, tmp_path: Path, files: dict[str, bytes]
) -> None:
    if not files.get("model.safetensors", b"x"):
        files["model.safetensors"] = layouts.tensors(0, 4)  # so small that git itself holds it
    which = ref(hub, files)
    known = base_models.fetch(which, store, connect(), weights=False)
    whole = Store([tmp_path / "whole"])
    assert base_models.fetch(which, whole, connect()).digest == known.digest == store.model_digest(which)
    outline = store.outline(known.digest)
    assert outline == whole.outline(known.digest) and outline.digest == known.digest
    assert not store.has_model(known.digest) and whole.has_model(known.digest)
    assert list(outline.problems()) == []


def test_a_built_in_model_on_a_hub_is_the_same_model(hub: Any, connect: Connect, store: Store) -> None:
    which = ref(hub, layouts.builtin_model())
    assert base_models.fetch(which, store, connect(), weights=False).digest == MODELS["builtin/micro"]


def test_of_the_weights_only_the_beginning_comes(
    hub: Any, connect: Connect, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    files = parts()
    fetched = base_models.fetch(ref(hub, files), store, connect(), weights=False)
    plain = sum(len(data) for name, data in files.items() if name in fetched.files)
    assert not set(fetched.files) & set(PARTS)
    assert hub.sent < plain + 1_000 < len(files[PARTS[0]]) and fetched.size == plain
    assert {host for host, _ in hub.tokens} == {"127.0.0.1"}, "the storage of large files gets no token"


def test_who_ignores_ranges_is_not_read_to_the_end(hub: Any, connect: Connect, store: Store) -> None:
    hub.whole = True
    files = parts(50_000)
    fetched = base_models.fetch(ref(hub, files), store, connect(), weights=False)
    assert set(store.outline(fetched.digest).headers) == set(PARTS)


@pytest.mark.parametrize(
    ("fault", "code"), [("wrong", "FTB332"), ("cut", "FTB340"), ("503", "FTB345"), ("gated", "FTB343")]
)
def test_what_goes_wrong_is_told_and_nothing_stays(
    hub: Any, connect: Connect, store: Store, fault: str, code: str
) -> None:
    which = ref(hub, layouts.model())
    hub.fail(fault, "/cdn/")
    with pytest.raises(MissingResource) as error:
        base_models.fetch(which, store, connect(), weights=False)
    assert error.value.diagnostics[0].code == code
    assert not (store.roots[0] / "models").exists()


@pytest.mark.parametrize(
    "header",
    [
        b'{"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}',
        b'{"w": 3}',
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b"{",
    ],
)
def test_headers_that_are_none(hub: Any, connect: Connect, store: Store, header: bytes) -> None:
    data = len(header).to_bytes(8, "little") + header + bytes(2048)
    with pytest.raises(MissingResource, match="FTB332"):
        base_models.fetch(ref(hub, layouts.model(**{"model.safetensors": data})), store, connect(), weights=False)
    assert not (store.roots[0] / "models").exists()


def test_a_run_still_fetches_the_weights(hub: Any, connect: Connect, store: Store) -> None:
    which = ref(hub, layouts.model())
    digest = base_models.fetch(which, store, connect(), weights=False).digest
    bring(which, store, lambda text: None)
    assert store.has_model(digest)


def test_a_kept_outline_is_checked_as_far_as_its_name_tells(hub: Any, connect: Connect, store: Store) -> None:
    digest = base_models.fetch(ref(hub, layouts.model()), store, connect(), weights=False).digest
    path = store.roots[0] / "models" / "outlines" / f"{digest}.json"
    good = path.read_bytes()
    for bad in (b"", b"{}", good.replace(b"llama", b"gemma"), good.replace(b"tokenizer.json", b"tokenizer.jso_")):
        path.write_bytes(bad)
        with pytest.raises(MissingResource, match="FTB303"):
            store.outline(digest)


def test_the_command(hub: Any, tmp_path: Path, capsys: Any) -> None:
    which = ref(hub, layouts.model())
    root = tmp_path / "store"
    fetch = ["data", "fetch", "--no-weights", "--store", str(root)]
    assert run([*fetch, "--model", f"{NAME}@{which.revision}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    Draft202012Validator(json.loads(schemas.all_schemas()["output/data.v1.schema.json"])).validate(found)
    (item,) = found["items"]
    assert (item["kind"], item["name"], item["state"]) == ("outline", f"{NAME}@{which.revision}", "fetched")
    for action, code in (("list", 0), ("verify", 0), ("verify", 1)):
        if code:
            (path,) = (root / "models" / "outlines").iterdir()
            path.write_bytes(path.read_bytes().replace(b"llama", b"gemma"))
        assert run(["data", action, "--store", str(root), "--json"]) == code
        items = {item["digest"]: item for item in json.loads(capsys.readouterr().out)["items"]}
        assert items[item["digest"]]["name"] == f"{NAME}@{which.revision}"
    assert run(fetch) == run([*fetch, "quickstart"]) == 2
    for bad in ("builtin/micro", f"{NAME}@{'0' * 64}"):
        assert run([*fetch, "--model", bad]) == InvalidInput.exit_code
    assert run([*fetch, "--model", f"{NAME}@{'0' * 40}"]) == MissingResource.exit_code
