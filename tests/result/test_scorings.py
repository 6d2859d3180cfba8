"""Several scorings of the same items, code tasks, references, and what odd models deserve in each."""

from __future__ import annotations

from typing import Any

import pytest
from evaluations import choice, code, evaluation

from ftbench.errors import InvalidInput
from ftbench.result.documents import Answer, Sample
from ftbench.result.marks import Given, mark, picked
from ftbench.result.score import is_attainable, score
from ftbench.spec.tasks import ChoiceTask

OPTIONS = [" negative", " neutral", " positive"]
TARGETS = [0] * 3 + [1] * 6 + [2]
SENTIMENT = choice(
    "fpb",
    options=OPTIONS,
    scoring=["likelihood", "generated", "flowertune"],
    extraction="option-text",
    flowertune="sentiment-substring",
)


def answered(text: str, chosen: int = 0) -> Answer:
    return Answer(loglikelihoods=[-1.0 if n == chosen else -2.0 for n in range(3)], text=text)


def samples(tuned: list[Answer], untuned: list[Answer] | None = None, **references: list[Answer]) -> list[Sample]:
    made = []
    for index, (target, answer) in enumerate(zip(TARGETS, tuned, strict=True)):
        others = {name: answers[index] for name, answers in references.items()}
        made.append(
            Sample(
                index=index,
                item="0" * 64,
                prompt="p",
                options=OPTIONS,
                target=target,
                untuned=untuned[index] if untuned else answer,
                tuned=answer,
                references=others,
            )
        )
    return made


@pytest.mark.parametrize(
    ("text", "generated", "unparsable", "flowertune"),
    [
        ("", 0, 10, 6),  # mute: nothing, and never a class; the incumbent gives it the neutral share
        (" positive", 1, 0, 1),  # always the same label: that label's share
        ("neutral", 6, 0, 6),
        ("Well, that is hard to say without knowing the market, but", 0, 10, 6),  # long sentences, no answer
        ("Having read it twice I would call this negative, all in all", 3, 0, 3),  # long sentences with one
        ("not negative but positive", 1, 0, 1),  # what is denied is not meant
    ],
)
def test_odd_models(text: str, generated: int, unparsable: int, flowertune: int) -> None:
    """Log-likelihoods say `negative` each time: what the model writes does not touch that score."""
    task = score({"fpb": samples([answered(text)] * 10)}, evaluation(SENTIMENT)).tasks["fpb"]
    assert task.scoring == "likelihood"
    assert (task.tuned.correct, task.tuned.unparsable) == (3, 0)
    assert (task.also["generated"].tuned.correct, task.also["generated"].tuned.unparsable) == (generated, unparsable)
    assert (task.also["flowertune"].tuned.correct, task.also["flowertune"].tuned.unparsable) == (flowertune, 0)


def test_letters_and_labels_by_the_incumbents_rules() -> None:
    letters = choice("m", scoring=["likelihood", "flowertune"], options=[" A", " B", " C"], flowertune="first-letter")
    lines = [s.model_copy(update={"options": [" A", " B", " C"]}) for s in samples([answered("The answer is A")] * 10)]
    told = score({"m": lines}, evaluation(letters)).tasks["m"].also["flowertune"].tuned
    assert (told.correct, told.unparsable) == (0, 10)  # below chance, since it scores the form first


def test_the_first_scoring_ranks() -> None:
    task = {**SENTIMENT, "scoring": ["generated", "likelihood"], "flowertune": None}
    lines = samples([answered("positive")] * 10)
    scores = score({"fpb": lines}, evaluation(task))
    assert scores.tasks["fpb"].scoring == "generated"
    assert scores.tuned.value == 0.1 and scores.tasks["fpb"].also["likelihood"].tuned.value == 0.3
    (asked,) = evaluation(task).tasks
    ranking = [mark(asked, asked.scoring[0], Given(one.tuned, one.options, one.target)) for one in lines]
    assert [one == "right" for one in ranking] == [False] * 9 + [True]


def test_difference_is_by_the_same_scoring() -> None:
    lines = samples([answered("positive", 2)] * 10, [answered("", 1)] * 10)
    task = score({"fpb": lines}, evaluation(SENTIMENT)).tasks["fpb"]
    assert (task.difference.gained, task.difference.lost) == (1, 6)
    generated = task.also["generated"].difference
    assert (generated.gained, generated.lost) == (1, 0)


def program(passed: bool, status: str | None = None) -> Answer:
    return Answer(text="x = 1", passed=passed, status=status or ("passed" if passed else "failed"))


def coded(*pairs: tuple[Answer, Answer]) -> list[Sample]:
    return [
        Sample(index=n, item="0" * 64, prompt="p", options=[], target=None, untuned=before, tuned=after)
        for n, (before, after) in enumerate(pairs)
    ]


def test_code_tasks_stand_beside_choices() -> None:
    lines = coded((program(False), program(True)), (program(False), program(False, "timeout")))
    scores = score({"c": lines, "fpb": samples([answered("")] * 10)}, evaluation(code(), SENTIMENT))
    assert scores.tasks["c"].scoring == "pass@1"
    assert (scores.tasks["c"].tuned.correct, scores.tasks["c"].difference.gained) == (1, 1)
    assert scores.tuned.value == pytest.approx((0.5 + 0.3) / 2)


def test_references() -> None:
    local = {f"local-{n}": [answered("", n)] * 10 for n in range(2)}
    lines = samples([answered("", 2)] * 10, centralised=[answered("", 1)] * 10, **local)
    scores = score({"fpb": lines}, evaluation(SENTIMENT))
    assert {name: s.correct for name, s in scores.tasks["fpb"].references.items()} == {
        "centralised": 6,
        "local-0": 3,
        "local-1": 6,
    }
    assert scores.references["centralised"].interval.low == scores.tasks["fpb"].references["centralised"].interval.low
    assert scores.local is not None
    assert (scores.local.models, scores.local.least, scores.local.most) == (2, 0.3, 0.6)
    assert scores.local.mean == pytest.approx(0.45)
    assert scores.local.deviation == pytest.approx(0.3 / 2**0.5)


@pytest.mark.parametrize(
    ("answer", "code_"),
    [
        (Answer(text=""), "FTB684"),
        (Answer(loglikelihoods=[-1.0, -2.0, -3.0]), "FTB684"),
        (Answer(loglikelihoods=[-1.0, -2.0, -3.0], text="", passed=True, status="passed"), "FTB684"),
    ],
)
def test_answers_hold_what_the_scorings_ask_for(answer: Answer, code_: str) -> None:
    with pytest.raises(InvalidInput, match=code_):
        score({"fpb": samples([answer] * 10)}, evaluation(SENTIMENT))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(text="x"),
        Answer(text="x", passed=True),
        Answer(passed=True, status="passed"),
        Answer(text="x", passed=True, status="failed"),
        Answer(text="x", passed=False, status="passed"),
        Answer(text="x", passed=True, status="passed", loglikelihoods=[-1.0]),
    ],
)
def test_code_answers_hold_together(answer: Answer) -> None:
    with pytest.raises(InvalidInput, match="FTB684"):
        score({"c": coded((program(True), answer))}, evaluation(code()))


def test_code_items_have_no_options() -> None:
    (line,) = coded((program(True), program(True)))
    with pytest.raises(InvalidInput, match="FTB683"):
        score({"c": [line.model_copy(update={"options": [" a"], "target": 0})]}, evaluation(code()))


def test_other_references_in_one_sample_and_unknown_tasks() -> None:
    lines = samples([answered("")] * 10, centralised=[answered("")] * 10)
    lines[4] = lines[4].model_copy(update={"references": {}})
    with pytest.raises(InvalidInput, match="FTB686"):
        score({"fpb": lines}, evaluation(SENTIMENT))
    with pytest.raises(InvalidInput, match="FTB685"):
        score({"fpb": samples([answered("")] * 10)}, evaluation(code()))


PUBLISHED: list[tuple[str, int, str]] = [
    ("mmlu-stem", 3153, "12.37"),
    ("mmlu-social-sciences", 3077, "13.49"),
    ("mmlu-humanities", 4705, "12.60"),
    ("fpb", 1212, "44.55"),
    ("fiqa", 304, "62.50"),
    ("tfns", 2388, "28.77"),
    ("pubmedqa", 500, "59.00"),
    ("medmcqa", 4183, "23.69"),
    ("medqa", 1273, "27.10"),
    ("careqa", 5621, "21.47"),
    ("mbpp", 500, "31.60"),
    ("humaneval", 164, "23.78"),
    ("multipl-e-js", 161, "28.57"),
    ("multipl-e-cpp", 161, "25.47"),
]
"""Task of our specs, items, accuracy in per cent on the FlowerTune leaderboard (Mistral-7B-v0.3)."""


@pytest.mark.parametrize(("task", "items", "published"), PUBLISHED)
def test_published_lower_bounds_are_attainable(task: str, items: int, published: str) -> None:
    assert is_attainable(float(published) / 100, items, digits=4), task


def test_a_value_in_another_column_is_not() -> None:
    assert not is_attainable(0.1237, 304, digits=4)
    assert not is_attainable(0.6250, 2388, digits=4)


def declared() -> dict[str, Any]:
    """Items of each test set that the four domain specs declare."""
    from ftbench import builtin
    from ftbench.spec.load import load_spec

    found = {}
    for name, path in builtin.specs().items():
        if name in ("general-nlp", "finance", "medical", "code"):
            tasks = load_spec(path).spec.evaluation.tasks
            found |= {task.name: getattr(task.source, "rows", None) for task in tasks}
    return found


def test_our_specs_declare_these_items() -> None:
    assert declared() == {task: items for task, items, _ in PUBLISHED}


def test_an_options_own_text_is_found_whatever_was_asked() -> None:
    """An answer that was read for one prompt need not be read for another; letters have their texts of the prompt."""
    told = choice("q", options=[" A", " B"], scoring=["generated"], extraction="option-letter")
    lettered, plain = ChoiceTask.model_validate(told), ChoiceTask.model_validate(SENTIMENT)
    asked = [f"{order[0]}\n{order[1]}\nAnswer:" for order in (("A. heart", "B. liver"), ("A. liver", "B. heart"))]
    found = [
        picked(lettered, "generated", Given(Answer(text="It is the liver"), [" A", " B"], 0, one)) for one in asked
    ]
    assert found == [1, 0]
    for prompt in asked:
        assert picked(plain, "generated", Given(answered("Neutral."), OPTIONS, 0, prompt)) == 1


def test_the_answer_of_nobody_is_none() -> None:
    one = samples([answered("a")] * 10, [answered("b")] * 10, centralised=[answered("c")] * 10)[0]
    told = [found.text for name in ("untuned", "tuned", "centralised") if (found := one.answer(name))]
    assert told == ["b", "a", "c"] and one.answer("local-0") is None
