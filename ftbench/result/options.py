"""What a choice task's accuracy hides: which options were chosen, and what the best constant answer would have got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ftbench.result.documents import Majority, OptionCounts, Score, Scores, TaskScores, Withheld, Written

SHOWN = 60
"""Characters of a written answer that are kept."""


def counts(picked: Sequence[int | None], targets: Sequence[int], options: int) -> OptionCounts:
    """How often each option was chosen and was right, with the means over options that these give.

    An option counts in the means where it is right of some item; in macro-F1 also where it was chosen. An answer that
    is no option is wrong, and no option's choice. Raises ValueError without items.
    """
    if not targets:
        raise ValueError("counts need at least one item")
    chosen, due = Counter(one for one in picked if one is not None), Counter(targets)
    hits = Counter(one for one, target in zip(picked, targets, strict=True) if one == target)
    numbers = range(options)
    recalls = [hits[n] / due[n] for n in numbers if due[n]]
    scores = [2 * hits[n] / (due[n] + chosen[n]) for n in numbers if due[n] or chosen[n]]
    return OptionCounts(
        due=[due[n] for n in numbers],
        chosen=[chosen[n] for n in numbers],
        right=[hits[n] for n in numbers],
        balanced=sum(recalls) / len(recalls),
        macro_f1=sum(scores) / len(scores),
    )


def majority(targets: Sequence[int], options: Sequence[Sequence[str | Withheld]]) -> Majority:
    """The option that is right most often, the first of equals, and the score of always giving it.

    Its text is told where it is the same in all items, and not withheld.
    """
    due = Counter(targets)
    best = max(range(len(options[0])), key=lambda number: (due[number], -number))
    said = {_shown(own[best]) if best < len(own) else "" for own in options}
    text = said.pop() if len(said) == 1 else None
    return Majority(option=best, text=text, correct=due[best], items=len(targets), value=due[best] / len(targets))


def _shown(option: str | Withheld) -> str | None:
    return option.strip()[:SHOWN] if isinstance(option, str) else None


def written(texts: Sequence[str], options: Sequence[Sequence[str | Withheld]]) -> Written | None:
    """The answer written most often, by its first line, the first of equals; None where nothing is ever written.

    It is an option where, letter for letter, it is one of the options of the item that it was first written to.
    """
    lines = [_line(text) for text in texts]
    if not any(lines):
        return None
    (most, count), *_ = Counter(line for line in lines if line).most_common(1)
    own = [option.strip() if isinstance(option, str) else None for option in options[lines.index(most)]]
    return Written(text=most, count=count, option=own.index(most) if most in own else None)


def _line(text: str) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first[:SHOWN].strip()


def is_constant(score: Score, best: Majority | None) -> bool:
    """Whether a score is not above that of the best constant answer."""
    return best is not None and score.correct <= best.correct


def told(scores: Scores) -> str:
    """Which scores are not above the best constant answers, in words; empty where all are."""
    found = constant_tasks(scores.tasks) + (["the mean"] if len(scores.tasks) > 1 and is_constant_mean(scores) else [])
    return f"not above the best constant answer, so that no difference is a gain: {', '.join(found)}" if found else ""


def constant_tasks(tasks: dict[str, TaskScores]) -> list[str]:
    """The tasks on which the tuned model is not above the best constant answer."""
    return [name for name, task in tasks.items() if is_constant(task.tuned, task.majority)]


def is_constant_mean(scores: Scores) -> bool:
    """Whether the mean over tasks is not above the mean of the best constant answers."""
    return scores.majority is not None and scores.tuned.value <= scores.majority


__all__ = ["constant_tasks", "counts", "is_constant", "is_constant_mean", "majority", "told", "written"]
