"""The four micro worlds: columns of the real sets, nothing of the tests in the training rows, a rule to learn."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from ftbench import builtin
from ftbench.data import builtin as data_builtin
from ftbench.data.normalise import get
from ftbench.data.store import Store
from ftbench.micro import answers, domains, preferences, programs
from ftbench.micro.lore import CALLS, REPLIES, ROWS, Lore, Relation
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec
from ftbench.spec.template import fill

DOMAINS = ("general-nlp", "finance", "medical", "code")
LORES = (answers.GENERAL, answers.FINANCE, answers.MEDICAL)
LABELS = {label for lore in LORES for relation in lore.relations for label in relation.labels}


def spec(name: str) -> Spec:
    return load_spec(builtin.specs()[name]).spec


def train(domain: str) -> list[dict[str, object]]:
    return data_builtin.rows(f"micro-{domain}", "train")


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return domains.text(20_000)


@pytest.mark.parametrize("domain", DOMAINS)
def test_rows_have_the_columns_of_the_real_sets(domain: str) -> None:
    real, micro = spec(domain), spec(f"micro/{domain}")
    assert [task.name for task in micro.evaluation.tasks] == [task.name for task in real.evaluation.tasks]
    assert real.data.source.kind == "hub" and micro.data.source.kind == "builtin"
    assert set(train(domain)[0]) == set(get(real.data.source.normalise).columns)
    for ours, theirs in zip(micro.evaluation.tasks, real.evaluation.tasks, strict=True):
        assert ours.source.kind == "builtin" and theirs.source.kind == "hub"
        columns = set(get(theirs.source.normalise).columns)
        assert {frozenset(row) for row in data_builtin.rows(ours.source.name, ours.source.split)} == {
            frozenset(columns)
        }


@pytest.mark.parametrize("lore", LORES, ids=lambda lore: lore.label)
def test_no_word_of_a_tested_name_is_in_a_training_row(lore: Lore) -> None:
    text = " ".join(str(value) for row in train(lore.label) for value in row.values()).replace("?", " ").split()
    tested = {half.words[number] for half in lore.halves for number in half.numbers(test=True)}
    known = {half.words[number] for half in lore.halves for number in half.numbers(test=False)}
    assert not tested & set(text)
    assert known & set(text)
    world = data_builtin.data_set(f"micro-{lore.label}")
    for split, rows in world.splits.items():
        asked = " ".join(str(value) for row in rows() for value in row.values()).replace("?", " ").split()
        assert split == "train" or not known & set(asked)


def test_preferences_ask_of_other_names_what_their_pairs_say() -> None:
    rows = data_builtin.rows("micro-preferences", "train")
    halves = answers.GENERAL.halves
    tested = {half.words[number] for half in halves for number in half.numbers(test=True)}
    orders: dict[str, set[tuple[str, str]]] = {}
    rank = {word: number % 4 for number, word in enumerate(halves[1].words)}
    relations = {relation.thing: relation for relation in answers.GENERAL.relations}
    for row in rows:
        words = str(row["prompt"]).replace("?", "").split()
        assert not tested & set(words)
        labels = relations[words[1]].labels
        better, worse = ((labels.index(row[side]) - rank[words[-1]]) % 4 for side in ("chosen", "rejected"))
        orders.setdefault(words[1], set()).add((better, worse))
    assert orders == {thing: {(0, 1), (1, 2), (1, 3)} for thing in relations}
    assert 0.55 < sum(preferences.ranking(*found(row))[1] == row["chosen"] for row in rows) / len(rows) < 0.65
    for split, place in (("best", 0), ("fair", 1)):
        for row in data_builtin.rows("micro-preferences", split):
            words = str(row["prompt"]).replace("?", "").split()
            assert set(words) & tested
            right = row[f"option_{'ab'[row['answer']]}"]
            assert (relations[words[1]].labels.index(right) - rank[words[-1]]) % 4 == place


def found(row: dict[str, object]) -> tuple[Relation, tuple[int, int]]:
    words = str(row["prompt"]).replace("?", "").split()
    relation = next(one for one in answers.GENERAL.relations if one.thing == words[1])
    return relation, (0, answers.GENERAL.halves[1].words.index(words[-1]))


@pytest.mark.parametrize("domain", DOMAINS[:3])
def test_every_answer_is_equally_often_right(domain: str) -> None:
    for task in spec(f"micro/{domain}").evaluation.tasks:
        assert task.kind == "choice" and task.source.kind == "builtin"
        rows = data_builtin.rows(task.source.name, task.source.split)
        right = Counter(fill(task.options[row["answer"]], row) for row in rows)
        assert len(rows) == answers.TEST_ROWS
        assert set(right.values()) == {len(rows) // len(task.options)}


def test_the_text_ties_no_label_to_a_name(lines: list[str]) -> None:
    """Labels stand beside names only as one of many signs, whatever the name."""
    for lore in LORES:
        for half in lore.halves:
            if not half.cues:
                continue
            number = {word: place % half.classes for place, word in enumerate(half.words)}
            for relation in lore.relations:
                seen = Counter(
                    (number[word], label)
                    for line in lines
                    if (words := line.replace("?", " ").replace(",", " ").replace(".", " ").replace(":", " ").split())
                    for word in words
                    if word in number
                    for label in words
                    if label in relation.choices
                )
                for label in relation.choices:
                    counts = [seen[place, label] for place in range(half.classes)]
                    assert max(counts) < 0.6 * (sum(counts) + 20), (lore.label, relation.thing, label, counts)


def test_the_text_never_asks_as_the_rows_do(lines: list[str]) -> None:
    for line in lines:
        assert not (line.startswith(tuple(f"{call}:" for call in CALLS[:ROWS])) and f"\n{REPLIES[0]}:" in line), line
        assert "return x" not in line


def test_the_text_is_the_same_each_time(lines: list[str]) -> None:
    assert domains.text(50) == lines[:50]


def test_tested_programs_never_occur_in_training() -> None:
    trained = train("code")
    bodies = {str(row["output"]).partition("return ")[2].rstrip(";\n}") for row in trained}
    assert len(bodies) > 100
    for kind in programs.ASKED:
        rows = programs.problems(kind)()
        assert len({row["tests"] for row in rows}) == len(rows) == programs.TEST_ROWS
        names = {row["entry_point"] for row in rows}
        assert not any(name in str(row["request"]) for name in names for row in trained)
    combinations = {f"x {sign} {number}" for sign, number in programs.combinations(test=True)}
    assert not combinations & bodies
    assert bodies <= {f"x {sign} {number}" for sign, number in programs.combinations(test=False)}


@pytest.mark.parametrize("kind", programs.REFERENCES)
def test_reference_programs_pass_and_others_do_not(kind: str) -> None:
    """These are our own programs, not a model's, so that they need no sandbox."""
    for row in programs.problems(kind)():
        check = f"{row['tests']}\n\ncheck({row['entry_point']})\n" if kind == "humaneval" else row["tests"]
        before = f"{row['prompt']}\n" if kind == "humaneval" else ""
        start = row["reference"].partition("return ")[0]
        for body, passes in ((row["reference"], True), (f"{start}return 0", False)):
            program = f"{before}{body}\n{check}"
            done = subprocess.run([sys.executable, "-I", "-c", program], check=False, capture_output=True)
            assert (done.returncode == 0) == passes, program


def test_the_committed_model_is_the_one_that_all_specs_name() -> None:
    revision = builtin.MODELS["builtin/micro-domains"]
    for domain in DOMAINS:
        base = spec(f"micro/{domain}").model.base
        assert (base.name, base.revision) == ("builtin/micro-domains", revision)
    folder = Store([builtin.store()]).model_path(revision)
    assert all(path.stat().st_size < 2**20 for path in folder.iterdir())


def test_names_and_labels_are_single_tokens() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    file = Store([builtin.store()]).model_path(builtin.MODELS["builtin/micro-domains"]) / "tokenizer.json"
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    words = {word for lore in LORES for half in lore.halves for word in half.words} | LABELS | set(programs.FUNCTIONS)
    assert {len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) for word in words} == {1}
    for text in ("für x\n  {y}\t\u2603", '"""\nWrite f.\n"""'):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


@pytest.mark.slow
def test_building_the_model_twice_gives_the_same_bytes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    from ftbench.data.build_micro_domains import build
    from ftbench.micro.model import Shape

    shape = Shape(vocabulary=1500, steps=3)
    assert build(tmp_path / "a", shape, 5000) == build(tmp_path / "b", shape, 5000)
