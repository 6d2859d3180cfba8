"""The harness hook: items from the store, rendered as the spec says, found from anywhere."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.data.store import Store
from ftbench.spec.canonical import canonical, digest
from ftbench.spec.template import TemplateError, fill
from ftbench.tasks import ftbench_tasks as hook

ROWS: list[dict[str, Any]] = [
    {"question": "Where is {it}?", "answer": 1, "n": 7},
    {"question": "line\u2028separator\u0085 and \n feed", "answer": 0, "n": -3},
    {"question": "ß", "answer": 1, "n": 0},
]


def compiled(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """A compiled benchmark with one task and, under `v/store`, its items."""
    name = Store([folder / "v" / "store"]).put_rows(rows)
    task = {
        "name": "t",
        "source": {"kind": "builtin", "name": "w", "split": "test"},
        "prompt": "Q{n}: {question}",
        "options": [" {{no}}", " yes {n}"],
        "answer": "answer",
        **changes,
    }
    plan = {
        "metadata": {"name": "bench"},
        "spec": {"evaluation": {"tasks": [task]}},
        "pins": {"sources": {"task:t": {"digest": name, "rows": len(ROWS)}}},
    }
    (folder / "v" / "1.0.0").mkdir()
    path = folder / "v" / "1.0.0" / hook.PLAN
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plan))
    return folder / "v" / "1.0.0"


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FTBENCH_STORE", raising=False)


def test_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = compiled(tmp_path, ROWS)
    monkeypatch.chdir("/")
    items = hook.items("t", compiled=folder)
    assert [i["prompt"] for i in items] == [f"Q{r['n']}: {r['question']}" for r in ROWS]
    assert items[0]["options"] == [" {no}", " yes 7"]
    assert [i["target"] for i in items] == [1, 0, 1]
    assert [i["index"] for i in items] == [0, 1, 2]
    assert [i["item"] for i in items] == [digest(row) for row in ROWS]


def test_stores_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = compiled(tmp_path, ROWS)
    moved = tmp_path / "elsewhere"
    (tmp_path / "v" / "store").rename(moved)
    with pytest.raises(FileNotFoundError):
        hook.items("t", compiled=folder)
    monkeypatch.setenv("FTBENCH_STORE", os.pathsep.join([str(tmp_path / "empty"), str(moved)]))
    assert len(hook.items("t", compiled=folder)) == 3


def test_missing_items_are_named_with_source_and_command(tmp_path: Path) -> None:
    folder = compiled(tmp_path, ROWS)
    (path,) = (tmp_path / "v" / "store" / "data").iterdir()
    path.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        hook.items("t", compiled=folder)
    for part in (path.stem, "kind builtin name w split test", "ftbench lock bench", "FTBENCH_STORE"):
        assert part in str(caught.value)


def test_changed_items_are_refused(tmp_path: Path) -> None:
    folder = compiled(tmp_path, ROWS)
    (path,) = (tmp_path / "v" / "store" / "data").iterdir()
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace("ß".encode(), b"ss"))
    with pytest.raises(ValueError, match="not the one it is named by"):
        hook.items("t", compiled=folder)


def test_number_of_items_is_the_pins(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 items where the plan's pins say 3"):
        hook.items("t", compiled=compiled(tmp_path, ROWS[:2]))


@pytest.mark.parametrize("target", [2, -1, "1", True, None, 0.5])
def test_target_must_be_an_option(tmp_path: Path, target: object) -> None:
    folder = compiled(tmp_path, [*ROWS[:2], {**ROWS[2], "answer": target}])
    with pytest.raises(ValueError, match="item 2 of task 't'"):
        hook.items("t", compiled=folder)


def test_a_prompt_that_ends_in_white_space_is_stripped_or_refused(tmp_path: Path) -> None:
    rows = [*ROWS[:2], {**ROWS[2], "question": "def f():\n    \n"}]
    folder = compiled(tmp_path, rows)
    with pytest.raises(ValueError, match=r"item 2 of task 't': the prompt ends in white space"):
        hook.items("t", compiled=folder)
    (tmp_path / "other").mkdir()
    folder = compiled(tmp_path / "other", rows, strip_prompt="right")
    assert hook.items("t", compiled=folder)[2]["prompt"] == "Q0: def f():"


def test_unknown_task(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no task 'u'; its tasks are t"):
        hook.items("u", compiled=compiled(tmp_path, ROWS))


def test_dataset_for_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "COMPILED", compiled(tmp_path, ROWS))
    dataset = hook.load("t", version="1.0.0", pretrained="whatever the caller of lm-eval set")["test"]
    assert dataset.column_names == ["task", "prompt", "index", "item", "options", "target"]
    assert dataset[2]["options"] == [" {no}", " yes 0"]
    assert dataset[1]["item"] == hashlib.sha256(canonical(ROWS[1])).hexdigest()


TEXT = {
    "options": [" yes", " no"],
    "scoring": ["generated", "flowertune"],
    "extraction": "option-text",
    "flowertune": "exact-label",
}


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("No.", {"acc": 1.0, "unparsable": 0.0, "flowertune": 1.0}),
        ("I say no", {"acc": 1.0, "unparsable": 0.0, "flowertune": 0.0}),
        ("yes", {"acc": 0.0, "unparsable": 0.0, "flowertune": 0.0}),
        ("", {"acc": 0.0, "unparsable": 1.0, "flowertune": 0.0}),
    ],
)
def test_marks_of_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, marks: dict[str, float]) -> None:
    monkeypatch.setattr(hook, "COMPILED", compiled(tmp_path, ROWS, **TEXT))
    doc = hook.items("t")[0]
    assert hook.mark_text(doc, [text]) == marks


def test_acc_is_by_the_first_scoring_of_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {**TEXT, "scoring": ["likelihood", "flowertune", "generated"]}
    monkeypatch.setattr(hook, "COMPILED", compiled(tmp_path, ROWS, **changes))
    assert hook.mark_text(hook.items("t")[0], ["I say no"])["acc"] == 0.0


CODE = {
    "kind": "code",
    "language": "python",
    "program": "{completion}\n",
    "tests": "assert f() == {n}\n",
    "entry_point": "f",
    "cpu_seconds": 5.0,
    "memory_mib": 256,
}


def test_code_items_hold_their_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "COMPILED", compiled(tmp_path, ROWS, **CODE))
    dataset = hook.load("t")["test"]
    assert dataset.column_names == ["task", "prompt", "index", "item", "row", "target"]
    assert [json.loads(row) for row in dataset["row"]] == ROWS


@pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1", reason="no sandbox")
def test_programs_are_run_in_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "COMPILED", compiled(tmp_path, ROWS, **CODE))
    doc = hook.items("t")[0]
    assert hook.mark_program(doc, ["def f(): return 7"]) == {"acc": 1.0}
    assert hook.mark_program(doc, ["def f(): return 8"]) == {"acc": 0.0}
    assert hook.mark_program(doc, ["import os; os._exit(0)"]) == {"acc": 0.0}


def test_programs_are_left_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "COMPILED", compiled(tmp_path, ROWS, **CODE))
    monkeypatch.setenv("FTBENCH_PROGRAMS", "apart")
    assert math.isnan(hook.mark_program(hook.items("t")[0], ["def f(): return 7"])["acc"])


columns = st.dictionaries(st.sampled_from(["a", "b_1", "Q"]), st.text(max_size=8) | st.integers(-99, 99), min_size=3)


@given(st.text(st.sampled_from("{}abQ_1 é\n"), max_size=12), columns)
def test_renders_as_the_spec_language_does(template: str, row: dict[str, object]) -> None:
    try:
        expected = fill(template, row)
    except (TemplateError, KeyError):
        with pytest.raises(ValueError, match="template"):
            hook.render(template, row)
    else:
        assert hook.render(template, row) == expected


@pytest.mark.parametrize("value", [None, 1.5, True, ["x"]])
def test_renders_no_value_with_several_spellings(value: object) -> None:
    with pytest.raises(ValueError, match="as text or a whole number"):
        hook.render("{a}", {"a": value})
