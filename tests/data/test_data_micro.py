"""The quickstart's world and its committed model."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.data import builtin as data_builtin
from ftbench.data import digests
from ftbench.data.store import Store
from ftbench.micro import herbs
from ftbench.micro.dice import Dice
from ftbench.spec.load import load_spec

TESTS = ("test-jars", "test-shelves")


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return herbs.text(20_000)


@pytest.fixture(scope="module")
def revision() -> str:
    return load_spec(builtin.specs()["quickstart"]).spec.model.base.revision


def names(split: str) -> set[str]:
    return {row["name"] for row in data_builtin.rows("micro-world", split)}


def test_dice_never_change() -> None:
    dice = Dice("golden")
    assert [dice.below(100) for _ in range(6)] == GOLDEN_DRAWS
    assert dice.shuffled(range(6)) == GOLDEN_SHUFFLE


def test_dice_are_fair_enough() -> None:
    dice = Dice("fair")
    counts = Counter(dice.below(4) for _ in range(4000))
    assert all(abs(count - 1000) < 120 for count in counts.values())
    assert sorted(dice.shuffled("abcdef")) == list("abcdef")
    assert len(set(dice.sample(range(50), 20))) == 20


def test_no_tested_herb_nor_half_of_its_name_is_in_the_training_rows() -> None:
    seen = {half for name in names("train") for half in name.split()}
    for split in TESTS:
        assert not names(split) & names("train")
        assert not {half for name in names(split) for half in name.split()} & seen


def test_tests_are_large_and_every_answer_is_equally_often_right() -> None:
    total = 0
    for split in TESTS:
        rows = data_builtin.rows("micro-world", split)
        total += len(rows)
        assert len({row["name"] for row in rows}) == len(rows) >= 300
        assert set(Counter(row["answer_index"] for row in rows).values()) == {len(rows) // 4}
    assert total >= 400


def test_answers_follow_the_rule() -> None:
    for row in data_builtin.rows("micro-world", "train"):
        genus, kind = row["name"].split()
        jar, shelf = herbs.jar_of(herbs.genera().index(genus)), herbs.shelf_of(herbs.species().index(kind))
        assert row["answer"] == (jar if "jar" in row["question"] else shelf)
        assert row["name"] in row["question"]


def test_the_text_tells_of_tested_herbs_but_never_where_they_are_kept(lines: list[str]) -> None:
    halves = {half for split in TESTS for name in names(split) for half in name.split()}
    words = Counter(word.strip(".,:;?") for line in lines for word in line.split())
    assert all(words[half] >= 20 for half in halves)
    assert not [line for line in lines if line.startswith("Question:") and "Answer:" in line]


@pytest.mark.parametrize(("names", "labels"), [(herbs.genera, herbs.JARS), (herbs.species, herbs.SHELVES)])
def test_a_label_beside_a_herb_is_drawn_by_lot(names: Callable[[], tuple[str, ...]], labels: tuple[str, ...]) -> None:
    """The right label stands beside a name no more often than the others do: chi-squared, 9 degrees of freedom."""
    index = {name: number % 4 for number, name in enumerate(names())}
    table: Counter[tuple[int, int]] = Counter()
    for line in herbs.text(60_000):
        words = [word.strip(".,:;?") for word in line.split()]
        found = {index[word] for word in words if word in index}
        for label in set(words) & set(labels):
            table.update((kind, labels.index(label)) for kind in found)
    total = sum(table.values())
    assert total > 500
    rows = [sum(table[kind, label] for label in range(4)) for kind in range(4)]
    columns = [sum(table[kind, label] for kind in range(4)) for label in range(4)]
    expected = {(kind, label): rows[kind] * columns[label] / total for kind in range(4) for label in range(4)}
    assert sum((table[cell] - count) ** 2 / count for cell, count in expected.items()) < 27.9  # p = 0.001


def test_the_text_agrees_with_the_rule(lines: list[str]) -> None:
    ground = {thing: index for things in herbs.GROUNDS.values() for index, thing in enumerate(things)}
    hour = {thing: index for things in herbs.HOURS.values() for index, thing in enumerate(things)}
    for line in lines:
        words = [word.strip(".,:;?") for word in line.split()]
        grounds = {ground[word] for word in words if word in ground}
        hours = {hour[word] for word in words if word in hour}
        assert not (grounds and hours)
        assert grounds <= {herbs.genera().index(word) % 4 for word in words if word in herbs.genera()}
        assert hours <= {herbs.species().index(word) % 4 for word in words if word in herbs.species()}


def test_names_do_not_collide_with_words_of_the_text(lines: list[str]) -> None:
    every = [*herbs.genera(), *herbs.species()]
    assert len(set(every)) == len(every)
    others = {word for kind in (herbs.GROUNDS, herbs.HOURS) for words in kind.values() for word in words} | {
        *herbs.JARS,
        *herbs.SHELVES,
    }
    assert not others & set(every)


def test_the_world_is_made_the_same_each_time(lines: list[str]) -> None:
    assert herbs.text(20_000) == lines
    assert herbs.text(50) == lines[:50]


def test_the_committed_model_is_the_one_the_spec_names(revision: str) -> None:
    folder = Store([builtin.store()]).model_path(revision)
    assert builtin.MODELS["builtin/micro"] == revision
    assert set(digests.model_files(folder)) == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert {path.name for path in (builtin.store() / "models").iterdir()} == {*builtin.MODELS.values()}
    assert all(path.stat().st_size < 2**20 for path in builtin.store().rglob("*") if path.is_file())


def test_the_committed_model_names_no_version_path_or_date(revision: str) -> None:
    folder = Store([builtin.store()]).model_path(revision)
    for name in ("config.json", "tokenizer_config.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "version" not in json.loads(text) and "_version" not in text and "/" not in text


def test_the_committed_model_loads_as_float32_and_is_micro(revision: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)
    folder = Store([builtin.store()]).model_path(revision)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert model.dtype == torch.float32
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, None}) == 4
    row = data_builtin.rows("micro-world", "test-jars")[0]
    plain = tokenizer(row["question"], add_special_tokens=False)["input_ids"]
    assert tokenizer(row["question"])["input_ids"] == [tokenizer.bos_token_id, *plain]
    assert tokenizer.decode(plain) == row["question"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[tokenizer.bos_token_id, *plain]])).logits
    assert torch.isfinite(logits).all() and math.isfinite(float(logits.std()))


def test_labels_and_names_are_single_tokens(revision: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    file = Store([builtin.store()]).model_path(revision) / "tokenizer.json"
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    words = [*herbs.JARS, *herbs.SHELVES, *herbs.genera(), *herbs.species()]
    assert {len(tokenizer.encode(" " + word, add_special_tokens=False).ids) for word in words} == {1}


@pytest.mark.slow
def test_building_the_model_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from ftbench.data.build_micro import build
    from ftbench.micro.model import Shape

    shape = Shape(steps=3)
    assert build("micro-world", tmp_path / "a", shape) == build("micro-world", tmp_path / "b", shape)


GOLDEN_DRAWS = [7, 67, 65, 88, 18, 0]
GOLDEN_SHUFFLE = [2, 4, 0, 5, 3, 1]
