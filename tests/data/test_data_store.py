"""The store gives back what it was given, and nothing that was changed since."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbench import builtin
from ftbench.data import digests
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import BaseModelRef

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
ROWS = st.lists(st.dictionaries(st.text("abc_", min_size=1, max_size=4), VALUES, max_size=4), max_size=6)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([tmp_path / "a", tmp_path / "b"])


def test_rows_come_back_equal(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store([tmp_path_factory.mktemp("store")])

    @settings(max_examples=25, deadline=None)
    @given(ROWS)
    def holds(rows: list[dict[str, object]]) -> None:
        digest = store.put_rows(rows)
        assert store.rows(digest) == rows
        assert store.put_rows(rows) == digest
        assert store.data_path(digest).read_bytes() == digests.rows_bytes(rows)

    holds()


def test_the_digest_does_not_depend_on_the_order_of_columns(store: Store) -> None:
    assert store.put_rows([{"a": 1, "b": "x"}]) == store.put_rows([{"b": "x", "a": 1}])


def test_line_separators_inside_values_do_not_split_rows(store: Store) -> None:
    rows = [{"a": "one\u2028two\x85three\r\nfour"}]
    assert store.rows(store.put_rows(rows)) == rows


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, 1e17, b"bytes", object()])
def test_a_value_without_a_canonical_form_is_refused_with_its_row(store: Store, value: object) -> None:
    with pytest.raises(InvalidInput, match="FTB307 row 1"):
        store.put_rows([{"a": 1}, {"a": value}])


def test_partition_comes_back_equal(store: Store) -> None:
    assert store.partition(store.put_partition([[2, 0], [1]])) == [[2, 0], [1]]


def test_a_changed_file_is_named_with_a_way_out(store: Store) -> None:
    for digest, path, read in (
        (store.put_rows([{"a": 1}]), "data/{}.jsonl", store.rows),
        (store.put_rows([{"a": 2}]), "data/{}.jsonl", store.data_path),
        (store.put_partition([[0]]), "partitions/{}.json", store.partition),
    ):
        file = store.roots[0] / path.format(digest)
        file.write_bytes(file.read_bytes() + b" ")
        with pytest.raises(MissingResource, match="FTB303") as caught:
            read(digest)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.place is not None and diagnostic.place.file == str(file)
        assert "delete it" in diagnostic.hint


def test_writing_mends_a_changed_file(store: Store) -> None:
    digest = store.put_rows([{"a": 1}])
    store.data_path(digest).write_bytes(b"{}\n")
    assert store.put_rows([{"a": 1}]) == digest
    assert store.rows(digest) == [{"a": 1}]


def test_what_is_missing_is_named_with_digest_source_and_command(store: Store) -> None:
    digest = "0" * 64
    with pytest.raises(MissingResource) as caught:
        store.rows(digest, source="builtin data set x, split y", command="ftbench lock x")
    text = str(caught.value)
    assert digest in text and "builtin data set x" in text and "ftbench lock x" in text and str(store.roots[1]) in text
    for read in (store.data_path, store.partition, store.model_path):
        with pytest.raises(MissingResource, match=digest):
            read(digest)


def test_roots_are_searched_in_order_and_writing_goes_to_the_first(tmp_path: Path) -> None:
    second = Store([tmp_path / "b"])
    digest = second.put_rows([{"a": 1}])
    both = Store([tmp_path / "a", tmp_path / "b"])
    assert both.rows(digest) == [{"a": 1}]
    assert both.put_rows([{"a": 1}]) == digest and not (tmp_path / "a").exists()
    other = both.put_rows([{"a": 2}])
    assert (tmp_path / "a" / "data" / f"{other}.jsonl").is_file()
    assert both.joined() == os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])


def test_a_write_that_fails_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(MissingResource, match=r"FTB310.*No space left"):
        store.put_rows([{"a": 1}])
    assert [path for path in store.roots[0].rglob("*") if path.is_file()] == []


def test_no_temporary_file_remains(store: Store) -> None:
    store.put_rows([{"a": 1}])
    assert [path.name for path in (store.roots[0] / "data").iterdir()] == [f"{store.put_rows([{'a': 1}])}.jsonl"]


def _model(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights.safetensors").write_bytes(bytes(range(256)))
    return folder


def test_a_model_is_bound_by_names_and_contents(store: Store, tmp_path: Path) -> None:
    source = _model(tmp_path / "model")
    digest = store.put_model(source)
    path = store.model_path(digest)
    assert path == store.roots[0] / "models" / digest
    assert (path / "sub" / "weights.safetensors").read_bytes() == bytes(range(256))
    assert store.put_model(source) == digest
    (source / "config.json").rename(source / "other.json")
    assert digests.model_digest(source) != digest


@pytest.mark.parametrize("attack", ["change", "add", "remove", "rename", "link"])
def test_a_changed_model_is_refused_even_after_a_first_check(store: Store, tmp_path: Path, attack: str) -> None:
    digest = store.put_model(_model(tmp_path / "model"))
    folder = store.model_path(digest)
    config = folder / "config.json"
    if attack == "change":
        config.write_text("[ ]")
    elif attack == "add":
        (folder / "extra.py").write_text("")
    elif attack == "remove":
        config.unlink()
    elif attack == "rename":
        config.rename(folder / "config2.json")
    else:
        outside = tmp_path / "outside.json"
        config.rename(outside)
        config.symlink_to(outside)
    with pytest.raises(MissingResource, match="FTB303"):
        store.model_path(digest)


def test_a_model_is_read_once_in_a_process(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = store.put_model(_model(tmp_path / "model"))
    store.model_path(digest)
    monkeypatch.setattr(digests, "model_digest", lambda _: pytest.fail("read again"))
    store.model_path(digest)


def test_a_revision_of_64_digits_is_the_digest_and_a_commit_is_looked_up(store: Store) -> None:
    assert store.model_digest(BaseModelRef(name="builtin/micro", revision="a" * 64)) == "a" * 64
    with pytest.raises(MissingResource, match=r"FTB302[^\n]*\n.*ftbench data fetch --model some/model@a{40}"):
        store.model_digest(BaseModelRef(name="some/model", revision="a" * 40))


def test_default_roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FTBENCH_STORE", raising=False)
    assert Store.default().roots == [tmp_path / ".cache" / "ftbench" / "store", builtin.store()]
    monkeypatch.setenv("FTBENCH_STORE", os.pathsep.join(["/x", "/y"]))
    assert Store.default().roots == [Path("/x"), Path("/y"), builtin.store()]
    assert Store.default("/z").roots == [Path("/z"), builtin.store()]
    assert Store.default(str(builtin.store())).roots == [builtin.store()]


def test_rows_are_json_lines(store: Store) -> None:
    digest = store.put_rows([{"b": 1.0, "a": "ü"}])
    assert store.data_path(digest).read_bytes() == '{"a":"ü","b":1}\n'.encode()
    assert json.loads(store.data_path(digest).read_text(encoding="utf-8")) == {"a": "ü", "b": 1}


def test_a_model_that_a_killed_process_left_goes_with_the_next(store: Store, tmp_path: Path) -> None:
    """Weights are gigabytes: what nobody works in any more is taken away when the model is kept again."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    killed = (
        "import os, sys\nfrom pathlib import Path\nfrom ftbench.data import store\n"
        "keep = store._keep\n"
        "def die(*words, **more):\n    keep(*words, **more)\n    os._exit(9)\n"
        "store._keep = die\nstore.Store([Path(sys.argv[1])]).put_model(Path(sys.argv[2]))\n"
    )
    words = [sys.executable, "-c", killed, str(store.roots[0]), str(folder)]
    assert subprocess.run(words, check=False).returncode == 9
    assert len(list((store.roots[0] / "models").iterdir())) == 1
    digest = store.put_model(folder)
    assert [path.name for path in (store.roots[0] / "models").iterdir()] == [digest]
    assert store.model_path(digest).is_dir()
