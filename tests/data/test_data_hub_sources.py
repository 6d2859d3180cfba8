"""From files in the real layouts to plain rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import layouts
import numpy
import pytest

from ftbench import builtin
from ftbench.data.hub import Hub
from ftbench.data.hub_source import load
from ftbench.data.normalise import NORMALISERS
from ftbench.data.normalise.pubmedqa import PUBMEDQA, pmids
from ftbench.data.shaping import subset
from ftbench.data.sources import named_sources
from ftbench.data.table import Table
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.load import load_spec
from ftbench.spec.sources import HubSource, Subset, source_column

Connect = Callable[[], Hub]

NAMES = {"parquet": "data/train.parquet", "csv": "train.csv", "json": "train.json", "jsonl": "train.jsonl"}
WRITERS = {"parquet": layouts.parquet, "csv": layouts.csv_, "json": layouts.json_, "jsonl": layouts.jsonl}


def applied(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a normaliser makes of rows."""
    return NORMALISERS[name].apply(Table.unplaced(rows), "it").rows


def source(format_: str, *files: str, **more: Any) -> HubSource:
    value = {"kind": "hub", "repo": "some/data", "revision": None, "files": list(files), "format": format_, **more}
    return HubSource.model_validate(value)


def test_the_same_rows_in_other_parquet_bytes(hub: Any, connect: Connect) -> None:
    rows = layouts.alpaca()
    halves = {"a-1.parquet": layouts.parquet(rows[30:]), "a-0.parquet": layouts.parquet(rows[:30])}
    hub.add("dataset", "some/data", {**halves, "b.parquet": layouts.parquet(rows)})
    first, second = (load(source("parquet", name), connect()).rows for name in ("a-*.parquet", "b.parquet"))
    assert first == second == rows


def test_files_are_joined_in_the_order_of_the_spec(hub: Any, connect: Connect) -> None:
    files = {f"{name}.csv": f"x\n{name}\n".encode() for name in ("train", "valid", "test")}
    hub.add("dataset", "some/data", files)
    rows = load(source("csv", "train.csv", "valid.csv", "test.csv", "t*.csv"), connect()).rows
    assert [row["x"] for row in rows] == ["train", "valid", "test"]


def test_named_classes_are_numbers(hub: Any, connect: Connect, tmp_path: Path) -> None:
    """The published files say in their metadata that an answer is a class with a name; its number is taken."""
    import datasets

    published, plain = layouts.LAYOUTS["medmcqa"]
    rows = datasets.Dataset.from_list([published]).cast_column("cop", datasets.ClassLabel(names=list("abcd")))
    rows.to_parquet(tmp_path / "x.parquet")
    hub.add("dataset", "some/data", {"x.parquet": (tmp_path / "x.parquet").read_bytes()})
    assert load(source("parquet", "x.parquet", normalise="medmcqa"), connect()).rows == [plain]


@pytest.mark.parametrize("path", sorted(set(builtin.specs().values())), ids=lambda path: path.stem)
def test_specs_ask_for_columns_that_their_normalisers_give(path: Path) -> None:
    for key, (one, columns) in named_sources(load_spec(path).spec).items():
        if isinstance(one, HubSource) and one.normalise is not None:
            assert {source_column(one) for one in columns.values()} <= set(NORMALISERS[one.normalise].columns), (
                key,
                columns,
            )


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_layouts(hub: Any, connect: Connect, name: str) -> None:
    published, plain = layouts.LAYOUTS[name]
    format_ = {"fiqa": "csv", "tfns": "csv", "medqa": "jsonl", "alpaca": "json"}.get(name, "parquet")
    hub.add("dataset", "some/data", {NAMES[format_]: WRITERS[format_]([published, published])})
    rows = load(source(format_, NAMES[format_], normalise=name), connect()).rows
    assert rows == [plain, plain]
    assert set(plain) == set(NORMALISERS[name].columns)


def test_every_normaliser_is_tried() -> None:
    assert set(layouts.LAYOUTS) | {"fpb", "pubmedqa"} == set(NORMALISERS)


def test_the_phrase_bank(hub: Any, connect: Connect) -> None:
    data = layouts.fpb()
    hub.add("dataset", "some/data", {"data/fpb.zip": data})
    more = {"normalise": "fpb", "member": layouts.FPB_MEMBER}
    digest = hashlib.sha256(data).hexdigest()
    rows = load(source("zip-text", "data/fpb.zip", sha256=digest, **more), connect()).rows
    assert rows == [
        {"sentence": "Net sales rose 5 % @ home to EUR 3 mn .", "label": "positive", "answer": 2},
        {"sentence": "Sampo kept its view .", "label": "neutral", "answer": 1},
        {"sentence": "Säästö fell .", "label": "negative", "answer": 0},
    ]
    with pytest.raises(MissingResource, match="FTB346"):
        load(source("zip-text", "data/fpb.zip", sha256="0" * 64, **more), connect())
    with pytest.raises(MissingResource, match=r"FTB330[^\n]*\n.*Sentences_50Agree"):
        load(source("zip-text", "data/fpb.zip", member=layouts.FPB_MEMBER + "x"), connect())


@pytest.mark.parametrize(
    ("score", "label"),
    [(-0.11, "negative"), (-0.1, "neutral"), (0.0, "neutral"), (0.0999, "neutral"), (0.1, "positive"), (1, "positive")],
)
def test_sentiment_bounds(score: float, label: str) -> None:
    assert applied("fiqa", [{"sentence": "x", "score": score}])[0]["label"] == label


def test_twitter_labels() -> None:
    rows = [{"text": "x", "label": label} for label in (0, 1, 2)]
    assert [row["label"] for row in applied("tfns", rows)] == ["negative", "positive", "neutral"]


def pubmedqa(pmid: str) -> dict[str, Any]:
    context = {"contexts": ["One.", "Two."], "labels": ["A", "B"], "meshes": []}
    return {"pubid": int(pmid), "question": "Q?", "context": context, "long_answer": "L", "final_decision": "maybe"}


def test_pubmedqa_takes_the_original_test_questions(hub: Any, connect: Connect) -> None:
    assert len(pmids()) == 500
    wanted = sorted(pmids())
    rows = [pubmedqa(pmid) for pmid in ["1", *wanted, "2"]]
    hub.add("dataset", "some/data", {"x.parquet": layouts.parquet(rows)})
    found = load(source("parquet", "x.parquet", normalise="pubmedqa", rows=500), connect()).rows
    assert [row["pmid"] for row in found] == wanted
    plain = {"pmid": wanted[0], "question": "Q?", "context": "One.\nTwo.", "label": "maybe", "answer": 2}
    assert found[0] == plain
    assert set(plain) == set(PUBMEDQA.columns)
    for wrong in (rows[:-2], [*rows, rows[1]]):
        with pytest.raises(InvalidInput, match="FTB334"):
            applied("pubmedqa", wrong)


def test_the_finance_quarter() -> None:
    rows = [{"n": n} for n in range(4846)]
    found = subset(Table.unplaced(rows), Subset(seed=42, divisor=4)).rows
    order = numpy.random.default_rng(42).permutation(4846)
    assert [row["n"] for row in found] == order[:1212].tolist()


def test_the_number_of_rows_is_held(hub: Any, connect: Connect) -> None:
    hub.add("dataset", "some/data", {"x.csv": b"a\n1\n2\n3\n"})
    assert len(load(source("csv", "x.csv", rows=2, subset={"seed": 1, "divisor": 2}), connect()).rows) == 2
    with pytest.raises(InvalidInput, match="FTB336"):
        load(source("csv", "x.csv", rows=4), connect())


BAD_FILES = {
    "x.parquet": b"PAR1 this is none",
    "x.csv": b'a,b\n"1,2\n',
    "twice.csv": b"a,a\n1,2\n",
    "x.json": b'[{"a": 1},',
    "x.zip": b"PK no archive",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_not_what_they_say(hub: Any, connect: Connect, tmp_path: Path, name: str) -> None:
    hub.add("dataset", "some/data", BAD_FILES)
    format_ = name.partition(".")[2].replace("zip", "zip-text")
    with pytest.raises(MissingResource, match="FTB332"):
        load(source(format_, name, member="x" if format_ == "zip-text" else None), connect())
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_large_archive_is_refused(hub: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftbench.data.reading.MAX_MEMBER", 1000)
    hub.add("dataset", "some/data", {"x.zip": layouts.zip_({"x": b"0" * 2000})})
    with pytest.raises(MissingResource, match="FTB335"):
        load(source("zip-text", "x.zip", member="x"), connect())


def test_large_files_are_not_even_asked_for(hub: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftbench.data.shaping.MAX_FILE", 1000)
    hub.add("dataset", "some/data", {"x.csv": b"a\n" + b"1\n" * 2000})
    with pytest.raises(MissingResource, match="FTB335"):
        load(source("csv", "x.csv"), connect())
    assert hub.asked("GET", "/cdn/") == 0


@pytest.mark.parametrize("name", ["mmlu.py", "x.csv.py", "weights.bin", "x.parquet"])
def test_only_data_files_are_loaded(hub: Any, connect: Connect, name: str) -> None:
    hub.add("dataset", "some/data", {name: b"raise SystemExit('must never run')"})
    with pytest.raises(InvalidInput, match="FTB331"):
        load(source("csv", name), connect())
    assert hub.asked("GET", "/resolve/") == 0


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("mmlu", {"question": "Q", "subject": "s", "choices": ["a"], "answer": 0}, "4 options"),
        ("mmlu", {"question": "Q", "subject": "s", "choices": ["a", "b", "c", "d"], "answer": 4}, "from 0 to 3"),
        ("careqa", {"question": "Q", "op1": "a", "op2": "b", "op3": "c", "op4": "d", "cop": 0}, "from 1 to 4"),
        ("medqa", {"question": "Q", "options": dict.fromkeys("ABCD", "x"), "answer_idx": "E"}, "A to D"),
        ("medqa", {"question": "Q", "options": {"A": "x"}, "answer_idx": "A"}, "no column 'B'"),
        ("tfns", {"text": "x", "label": "1"}, "whole number"),
        ("fpb", {"text": "no label"}, "`@`"),
        ("fpb", {"text": "x@bullish"}, "bullish"),
        ("alpaca", {"instruction": "x"}, "no column 'output'"),
        ("alpaca", {"instruction": 3, "output": "x"}, "a text is expected"),
        ("multipl-e", {"name": "mbpp_1", "prompt": "", "tests": ""}, "HumanEval_NUMBER"),
        ("ultrafeedback", {"prompt": "a", "chosen": [], "rejected": []}, "one of the assistant"),
        (
            "ultrafeedback",
            {"prompt": "a", "chosen": [{"role": r, "content": "b"} for r in ("user", "assistant")], "rejected": "c"},
            "begin with the prompt",
        ),
        ("hh-rlhf", {"chosen": "Iron.", "rejected": "Oak."}, "a conversation"),
        (
            "mbpp",
            {"task_id": 1, "text": "", "code": "x = 1", "test_list": ["assert x"], "test_setup_code": ""},
            "no function",
        ),
    ],
)
def test_rows_of_another_layout_are_told(name: str, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match="FTB334") as error:
        applied(name, [row])
    assert message in str(error.value)
    assert "row 0" in str(error.value)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("ultrafeedback", {"prompt": "a", "chosen": "b", "rejected": " b "}),
        ("ultrafeedback", {"prompt": "a", "chosen": "b", "rejected": ""}),
        ("hh-rlhf", {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: d"}),
    ],
)
def test_rows_without_a_preference_are_left_out(name: str, row: dict[str, Any]) -> None:
    assert applied(name, [row]) == []


def test_the_preferred_answer_stands_first_as_often_as_last() -> None:
    rows = [{"prompt": f"Say {n}.", "chosen": f"{n}!", "rejected": f"not {n}"} for n in range(400)]
    made = applied("ultrafeedback", rows)
    assert 160 < sum(row["answer"] for row in made) < 240
    assert all(row[f"option_{'ab'[row['answer']]}"] == row["chosen"] for row in made)
    swapped = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    again = applied("ultrafeedback", swapped)
    assert [row["option_a"] for row in again] == [row["option_a"] for row in made], "the order tells nothing"


def test_unknown_normalisers_are_told_with_a_near_name(hub: Any, connect: Connect) -> None:
    with pytest.raises(InvalidInput, match=r"FTB333[^\n]*\n.*`mmlu`"):
        load(source("csv", "x.csv", normalise="mlu"), connect())
    assert hub.requests == []
