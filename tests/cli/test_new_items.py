"""`ftbench new` where items have options of their own, where answers are numbers, and where nothing is chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run
from ftbench.data.store import Store
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import ChoiceTask

Row = Callable[[int], dict[str, Any]]
OPTIONS = ("north", "south", "east", "west")


def four(n: int) -> dict[str, Any]:
    """Four options, in an order of the item's own."""
    return {f"option_{'abcd'[k]}": f"{OPTIONS[(k + n) % 4]} {n}" for k in range(4)}


def asked(n: int) -> dict[str, Any]:
    return {"question": f"Where does path {n} lead?", **four(n)}


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)

    def made(train: Row, test: Row | None = None, *more: str, format_: str = "jsonl", items: int = 24) -> int:
        for name, row, numbers in (("train", train, range(60)), ("test", test or train, range(100, 100 + items))):
            rows = [row(n) for n in numbers]
            if format_ == "csv":
                text = "".join(",".join(map(str, one)) + "\n" for one in [list(rows[0]), *(r.values() for r in rows)])
            else:
                text = "".join(json.dumps(one) + "\n" for one in rows)
            Path(f"{name}.{format_}").write_text(text)
        return run(["new", "ways", "--train", f"train.{format_}", "--test", f"test.{format_}", *more])

    return made


def asks(row: dict[str, Any], template: str) -> str:
    return template.format(**row)


def first_item() -> tuple[ChoiceTask, dict[str, Any]]:
    """The task of the spec that was written, and its first item, after `lock` has held all answers to the options."""
    assert run(["lock", "ways.yaml", "--store", "store"]) == 0
    loaded = load_spec(Path("ways.yaml"))
    (task,) = loaded.spec.evaluation.tasks
    assert isinstance(task, ChoiceTask)
    return task, Store([Path("store")]).rows(str(load_pins(loaded.path).sources["task:test"].digest))[0]


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("marks", "kind"), [("ABCD", "letter"), ("abcd", "letter"), ("0123", "number"), ("1234", "number")]
)
def test_options_behind_letters_or_numbers(new: Callable[..., int], marks: str, kind: str, format_: str) -> None:
    def row(n: int) -> dict[str, Any]:
        mark: str | int = marks[n % 4]
        return {**asked(n), "answer": int(mark) if kind == "number" and format_ == "jsonl" else mark}

    assert new(row, format_=format_) == 0
    task, item = first_item()
    assert task.options == [f" {one}" for one in marks]
    lines = [f"{mark}. {OPTIONS[(k + 100) % 4]} 100" for k, mark in enumerate(marks)]
    question = ["Question: Where does path 100 lead?", *lines]
    assert asks(item, task.prompt) == "\n".join([*question, f"Reply with the {kind} of the right answer.", "Answer:"])
    assert item["answer"] == marks[0]  # the text of exactly one option, whatever it is in the file
    assert load_spec(Path("ways.yaml")).spec.data.prompt == task.prompt


def test_options_by_their_texts(new: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Training rows need not have the options: free text teaches the answer."""
    train = lambda n: {"question": f"Where does path {n} lead?", "answer": f"{OPTIONS[n % 4]} {n}"}  # noqa: E731
    assert new(train, lambda n: {**asked(n), "answer": f"{OPTIONS[n % 3]} {n}"}) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "each item has its own in `option_a`, `option_b`, `option_c`, `option_d`, and `answer` is the text of one"
        in told
    )
    task, item = first_item()
    assert task.prompt == "Question: {question}\nAnswer:"
    assert [asks(item, one) for one in task.options] == [f" {four(100)[f'option_{k}']}" for k in "abcd"]
    assert "always choosing `option_a` is right in 25 % of the test" in told


@pytest.mark.parametrize(
    "columns", [("A", "B", "C"), ("choice1", "choice2"), ("opa", "opb", "opc"), ("ending0", "ending1")]
)
def test_names_of_option_columns(new: Callable[..., int], columns: tuple[str, ...]) -> None:
    options = lambda n: {one: f"{one} of {n}" for one in columns}  # noqa: E731
    assert new(lambda n: {"question": f"What is {n}?", **options(n), "label": f"{columns[n % 2]} of {n}"}) == 0
    assert len(first_item()[0].options) == len(columns)


def test_two_texts_that_are_no_options(new: Callable[..., int]) -> None:
    assert new(lambda n: {"a": f"text {n}", "b": f"other {n}", "label": ["same", "other"][n % 2]}) == 0
    assert first_item()[0].prompt.startswith("A: {a}\nB: {b}\n")


@pytest.mark.parametrize("first", [0, 1, 3])
def test_numbers_for_answers_are_texts_and_never_places(new: Callable[..., int], first: int) -> None:
    """Sorted as texts 10 comes before 2: a number taken for a place would then mean another option."""
    row = lambda n: {"text": f"A thing of kind {n % 12}.", "label": first + n % 12}  # noqa: E731
    assert new(row, items=48) == 0
    task, item = first_item()
    assert task.options == [f" {first + k}" for k in range(12)] and item["label"] == str(first + 100 % 12)


def test_options_that_are_numbers_are_texts(new: Callable[..., int]) -> None:
    row = lambda n: {"text": f"A thing of kind {n % 3}.", "label": 1 + n % 3}  # noqa: E731
    assert new(row, None, "--options", "3,2,1") == 0
    task, item = first_item()
    assert task.options == [" 3", " 2", " 1"] and item["label"] == str(1 + 100 % 3)


HUMANEVAL = {"prompt": "def f(x):", "canonical_solution": "  return x", "test": "assert f(1) == 1", "entry_point": "f"}


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (lambda n: {"prompt": "x", "solution": "y"}, lambda n: HUMANEVAL, "holds programming problems, by its columns"),
        (lambda n: {"prompt": f"{n}", "chosen": "a", "rejected": "b"}, None, "holds pairs of answers"),
        (
            lambda n: {"question": f"{n}", "choices": ["a", "b"], "answer": n % 2},
            None,
            "`choices` of test.jsonl holds all options of an item",
        ),
        (
            lambda n: {"text": f"{n}", "label": n % 2 == 0},
            None,
            "`label` of train.jsonl holds truth values or fractions",
        ),
        (lambda n: {**asked(n), "answer": 1 + n % 3}, None, "counts options from 0 or from 1 cannot be told"),
        (
            lambda n: {**asked(n), "answer": "none of these"},
            None,
            "row 0 (from 0) of test.jsonl: `answer` is 'none of these'",
        ),
        (
            lambda n: {**asked(n), "option_b": None, "answer": "A"},
            None,
            "row 0 (from 0) of test.jsonl has no text in `option_b`",
        ),
        (
            lambda n: {"question": f"{n}", "answer": "A"},
            lambda n: {**asked(n), "answer": "ABCD"[n % 4]},
            "train.jsonl has no `option_a`",
        ),
        (
            lambda n: {**asked(n), "answer": f"north {n}"},
            lambda n: {**asked(n), "answer": "ABCD"[n % 4]},
            "which is none of A, B, C, D",
        ),
        (lambda n: {**asked(n), "right": "A"}, None, "is the answer cannot be told"),
        (
            lambda n: {"text": f"{n}", "answer": f"words {n}"},
            None,
            "Free text has no right answer that a machine could tell",
        ),
    ],
)
def test_what_is_no_choice_is_refused_with_what_to_write(
    new: Callable[..., int], capsys: pytest.CaptureFixture[str], train: Row, test: Row | None, told: str
) -> None:
    assert new(train, test) == 3
    error = " ".join(capsys.readouterr().err.split())
    assert "FTB319" in error and told in error and "hint: " in error
    assert not Path("ways.yaml").exists()


def dump(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in rows))


@pytest.mark.parametrize("number", [0, 1])
def test_what_the_page_gives_to_copy_is_a_spec(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/specs.md, to which refusals lead: each example validates, and locks over files of the layout it names."""
    page = (Path(__file__).resolve().parents[2] / "docs/specs.md").read_text()
    part = page[page.index("### What `new` does not draft") : page.index("\n## Entries")]
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)[number])
    if number == 0:
        dump(
            "train.jsonl",
            [{"instruction": f"Add {n} to x.", "output": f"def f(x):\n    return x + {n}"} for n in range(20)],
        )
        more = {
            "test": "def check(f):\n    assert f(1) == 2",
            "entry_point": "f",
            "canonical_solution": "    return x + 1\n",
        }
        dump("test.jsonl", [{"prompt": f"def f(x):  # step {n}\n", **more} for n in range(3)])
    else:
        dump("train.jsonl", [{"prompt": f"Say {n}.", "chosen": f"It is {n}.", "rejected": "No."} for n in range(20)])
        texts = {"option_a": "It is so.", "option_b": "No."}
        dump("test.jsonl", [{"prompt": f"Say {n}!", **texts, "answer": "It is so."} for n in range(3)])
    assert run(["lock", "mine.yaml", "--store", "store"]) == 0
    assert load_pins(Path("mine.yaml")).resolved and run(["compile", "mine.yaml", "--out", "out"]) == 0
