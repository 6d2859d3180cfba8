"""Per-item answers made by hand, and the evaluation blocks that they are answers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftbench.result.documents import Answer, Sample
from ftbench.spec.canonical import digest
from ftbench.spec.model import Evaluation


def samples(right: Sequence[int], untuned: Sequence[int]) -> list[Sample]:
    def answer(correct: int, target: int) -> Answer:
        return Answer(loglikelihoods=[-1.0, -2.0] if bool(correct) == (target == 0) else [-2.0, -1.0])

    return [
        Sample(
            index=i,
            item=digest(i),
            prompt=f"q{i}",
            options=[" a", " b"],
            target=i % 2,
            untuned=answer(before, i % 2),
            tuned=answer(after, i % 2),
        )
        for i, (before, after) in enumerate(zip(untuned, right, strict=True))
    ]


def evaluation(names: Sequence[str]) -> Evaluation:
    """Choice tasks of these names, scored by log-likelihood."""
    source = {"kind": "builtin", "name": "world", "split": "test"}
    task = {"kind": "choice", "source": source, "columns": {"q": "q", "a": "a"}, "prompt": "{q}", "answer": "a"}
    task |= {"options": [" a", " b"], "scoring": ["likelihood"]}
    return Evaluation.model_validate({"tasks": [task | {"name": name} for name in names]})


def sentiment(tuned: Sequence[str], references: Mapping[str, Sequence[int]] | None = None) -> list[Sample]:
    """Items whose right answer is positive: the tuned model writes `tuned`, the untuned one nothing at all.

    By log-likelihood the tuned model is always right and the untuned one never; a reference is right where it says 1.
    """

    def answer(right: bool, text: str) -> Answer:
        return Answer(loglikelihoods=[-2.0, -2.0, -1.0] if right else [-1.0, -2.0, -2.0], text=text)

    return [
        Sample(
            index=i,
            item=digest(i),
            prompt=f"q{i}",
            options=[" negative", " neutral", " positive"],
            target=2,
            untuned=answer(False, ""),
            tuned=answer(True, text),
            references={name: answer(bool(marks[i]), "") for name, marks in (references or {}).items()},
        )
        for i, text in enumerate(tuned)
    ]


def sentiment_evaluation(*names: str) -> Evaluation:
    """Choice tasks of these names with all three scorings, log-likelihood first."""
    plain = evaluation(names).model_dump(mode="json")
    more = {"scoring": ["likelihood", "generated", "flowertune"], "generation": {"max_new_tokens": 4, "stop": []}}
    more |= {"extraction": "option-text", "flowertune": "sentiment-substring"}
    more |= {"options": [" negative", " neutral", " positive"]}
    return Evaluation.model_validate({**plain, "tasks": [task | more for task in plain["tasks"]]})
