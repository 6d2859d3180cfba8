"""What `lock` can know of rows: templates filled, answers held against options; all faults at once, good pins kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.data import fitness
from ftbench.data.hub import Hub
from ftbench.data.pinning import lock
from ftbench.data.pins_check import confirm_pins
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.spec.answers import right_option
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import Spec
from ftbench.tasks import ftbench_tasks

Connect = Callable[[], Hub]

TRAIN = [{"q": f"What is {n}?", "a": f"number {n}"} for n in range(40)]
GOOD = [{"question": "One?", "answer": 0}, {"question": "Two?", "answer": 1}]


def document(**data: Any) -> dict[str, Any]:
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    hub = {"kind": "hub", "revision": None, "format": "jsonl"}
    value["data"] |= {
        "source": hub | {"repo": "some/train", "files": ["train.jsonl"]},
        "columns": {"q": "q", "a": "a"},
        "prompt": "{q}",
        "completion": " {a}",
        **data,
    }
    (task, *_) = value["evaluation"]["tasks"]
    task |= {
        "name": "fit",
        "source": hub | {"repo": "some/test", "files": ["test.jsonl"]},
        "columns": {"question": "question", "answer": "answer"},
        "options": [" term", " liability", " notice", " law"],
    }
    value["evaluation"]["tasks"] = [task]
    return value


def spec(**data: Any) -> Spec:
    return Spec.model_validate(document(**data))


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def add(hub: Any, train: list[dict[str, Any]] = TRAIN, items: list[dict[str, Any]] = GOOD) -> None:
    hub.add("dataset", "some/train", {"train.jsonl": lines(train)})
    hub.add("dataset", "some/test", {"test.jsonl": lines(items)})


def found(look: list[Any]) -> list[tuple[str, str]]:
    return [(problem.code, problem.message) for problem in look]


# case: the last item is null; an index out of range; a label that is no option
REFUSED = {
    "null": ({"question": None, "answer": 1}, "FTB360", "`task:fit`: row 1, column `question` is null"),
    "number": ({"question": 0.5, "answer": 1}, "FTB360", "column `question` is 0.5"),
    "list": ({"question": ["x"], "answer": 1}, "FTB360", "column `question` is ['x']"),
    "truth": ({"question": True, "answer": 1}, "FTB360", "column `question` is True"),
    "empty": ({"question": "  ", "answer": 1}, "FTB362", "row 1: the prompt is empty"),
    "range": ({"question": "Two?", "answer": 4}, "FTB361", "column `answer` is 4; an index from 0 to 3"),
    "below": ({"question": "Two?", "answer": -1}, "FTB361", "column `answer` is -1"),
    "no answer": ({"question": "Two?", "answer": None}, "FTB361", "column `answer` is null"),
    "label": ({"question": "Two?", "answer": "Term"}, "FTB361", "is 'Term', which is the text of none of the 4"),
    "digit": ({"question": "Two?", "answer": "1"}, "FTB361", "is '1', which is the text of none"),
    "float": ({"question": "Two?", "answer": 1.0}, "FTB361", "is 1.0; an index"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_item_that_does_not_fit_is_refused_by_row_column_and_value(name: str) -> None:
    row, code, text = REFUSED[name]
    ((told, message),) = found(fitness.look(spec(), "task:fit", [GOOD[0], row]))
    assert told == code
    assert text in message


def test_labels_that_are_options_are_answers(hub: Any, connect: Connect, tmp_path: Path) -> None:
    items = [{"question": "One?", "answer": "liability"}, {"question": "Two?", "answer": "term"}]
    add(hub, items=items)
    store = Store([tmp_path / "store"])
    pins = lock(spec(), store, hub=connect)
    assert confirm_pins(spec(), pins, store) == []


@pytest.mark.parametrize("answer", [0, 3, -1, 4, True, None, 1.0, "term", " law ", "Term", "", "same"])
def test_the_hook_reads_answers_as_lock_does(answer: object) -> None:
    options = [" term", " law", " same", "same"]

    def outcome(read: Any) -> object:
        try:
            return read(answer, options)
        except ValueError as error:
            return str(error)

    assert outcome(ftbench_tasks.right) == outcome(right_option)


def test_options_of_an_item_are_not_empty() -> None:
    value = document()
    (task,) = value["evaluation"]["tasks"]
    task |= {"options": [" {a}", " {b}"], "columns": {"question": "question", "a": "a", "b": "b", "answer": "answer"}}
    look = fitness.look(
        Spec.model_validate(value), "task:fit", [{"question": "One?", "a": "yes", "b": "", "answer": 0}]
    )
    assert found(look) == [("FTB362", "`task:fit`: row 0, column `b`: option 1 is empty")]


def test_programs_need_tests_and_a_name() -> None:
    document = load_spec(builtin.specs()["micro/code"]).spec
    (key,) = (f"task:{task.name}" for task in document.evaluation.tasks[:1])
    columns = document.evaluation.tasks[0].columns
    assert {code for code, _ in found(fitness.look(document, key, [dict.fromkeys(columns, "")]))} == {"FTB362"}
    assert {code for code, _ in found(fitness.look(document, key, [dict.fromkeys(columns, None)]))} == {"FTB360"}


def test_items_that_are_there_twice_are_told() -> None:
    rows = [*GOOD, {"question": "One?", "answer": 2}, GOOD[1]]
    ((code, message),) = found(fitness.look(spec(), "task:fit", rows))
    assert code == "FTB363"
    assert message == (
        "`task:fit`: 2 of 4 items are there already: row 2 asks what row 0 asks with another answer (2, there 0); "
        "row 3 asks what row 1 asks"
    )


def test_empty_answers_are_counted_and_nulls_refused() -> None:
    rows = [*TRAIN[:3], {"q": "What?", "a": " "}, {"q": "What?", "a": None}, {"q": None, "a": "x"}]
    look = fitness.look(spec(), "train", rows)
    assert [(one.code, one.severity, one.path) for one in look] == [
        ("FTB360", "error", ("data", "columns", "a")),
        ("FTB360", "error", ("data", "columns", "q")),
        ("FTB364", "warning", ("data", "completion")),
    ]
    assert "1 of 6 rows have an empty answer and are left out of training: rows 3" in look[2].message


def test_training_rows_without_any_answer_are_refused() -> None:
    look = fitness.look(spec(), "train", [{"q": "What?", "a": ""}] * 3)
    assert [one.code for one in look] == ["FTB362", "FTB364"]


def test_pairs_with_equal_answers_are_counted() -> None:
    pairs = spec(rejected=" {b}", loss_reduction="example-mean", columns={"q": "q", "a": "a", "b": "b"})
    look = fitness.look(pairs, "train", [{"q": "?", "a": "x", "b": "y"}, {"q": "?", "a": "x", "b": "x"}])
    assert [one.code for one in look] == ["FTB364"]
    assert "two equal answers" in look[0].message


def test_a_flood_is_counted() -> None:
    look = fitness.look(spec(), "task:fit", [{"question": None, "answer": 0}] * 1000)
    assert len(look) == fitness.SHOWN + 1
    assert look[-1].message == "`task:fit`: 995 more rows like these"


def test_faults_of_all_sources_are_told_with_their_lines_and_good_pins_kept(
    hub: Any, waits: Any, tmp_path: Path, capsys: Any
) -> None:
    value = document()
    (task,) = value["evaluation"]["tasks"]
    tasks = [task | {"name": name} for name in ("fit", "other", "last")]
    tasks[1]["source"] = tasks[1]["source"] | {"repo": "some/other"}
    tasks[2]["source"] = tasks[2]["source"] | {"repo": "some/last"}
    value["evaluation"]["tasks"] = tasks
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps(value, indent=1))
    add(hub, items=[{"question": None, "answer": 1}])
    hub.add("dataset", "some/other", {"test.jsonl": lines([{"question": "Two?", "answer": 4}])})
    hub.add("dataset", "some/last", {"test.jsonl": lines(GOOD)})
    store = ["--store", str(tmp_path / "store")]
    assert run(["lock", str(path), *store, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [(one["code"], one["message"].split(":")[1].rstrip("`")) for one in told] == [
        ("FTB360", "fit"),
        ("FTB361", "other"),
    ]
    text = path.read_text().splitlines()
    assert ['"question": "question"' in text[told[0]["line"] - 1], '"answer"' in text[told[1]["line"] - 1]] == [
        True
    ] * 2
    kept = load_pins(path)
    assert {key for key, pin in kept.sources.items() if pin.digest} == {"train", "task:last"}
    assert kept.partition is not None
    hub.add("dataset", "some/test", {"test.jsonl": lines(GOOD)})
    hub.add("dataset", "some/other", {"test.jsonl": lines(GOOD)})
    hub.requests.clear()
    assert run(["lock", str(path), *store]) == 0
    assert load_pins(path).resolved
    assert not [address for _, address in hub.requests if "some/train" in address or "some/last" in address]


def test_pins_made_before_this_was_looked_at_do_not_pass_the_check(hub: Any, connect: Connect, tmp_path: Path) -> None:
    add(hub)
    store = Store([tmp_path / "store"])
    pins = lock(spec(), store, hub=connect)
    digest = store.put_rows([{"question": None, "answer": 1}])
    pin = pins.sources["task:fit"].model_copy(update={"digest": digest, "rows": 1})
    old = pins.model_copy(update={"sources": {**pins.sources, "task:fit": pin}})
    assert [one.code for one in confirm_pins(spec(), old, store)] == ["FTB360"]
    with pytest.raises(InvalidInput, match="FTB361"):  # nor are they kept as good ones
        other = document()
        other["evaluation"]["tasks"][0]["columns"] = {"question": "answer", "answer": "question"}
        lock(Spec.model_validate(other), store, hub=connect)


def test_offline_looks_at_built_in_rows(tmp_path: Path) -> None:
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    value["evaluation"]["tasks"][0]["columns"]["answer"] = "question"
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps(value))
    assert run(["lock", str(path), "--offline", "--store", str(tmp_path / "store")]) == 3
    assert not path.with_suffix(".pins.json").exists()
