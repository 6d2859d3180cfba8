"""One bundle's answers to one task: which items were gained and lost, and each of them as a page shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from ftbench.board.submission import Marks
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.result.documents import Answer, Sample, Withheld
from ftbench.result.marks import Given, chosen, mark
from ftbench.spec.canaries import NAME as CANARIES
from ftbench.spec.tasks import Task
from ftbench.verify.filled import filled

Kind = Literal["gained", "lost", "both", "neither", "unknown"]
WORDS: dict[Kind, str] = {
    "gained": "▲ gained",
    "lost": "▼ lost",
    "both": "right",
    "neither": "wrong",
    "unknown": "not scored",
}
"""What a page calls them; the signs say it without a colour."""
BRIEF = 110
"""Characters of a prompt that stand in a list."""


@dataclass(frozen=True)
class Answers:
    """One bundle's answers to one task, in the order of the items."""

    task: str
    rule: Task | None
    samples: Sequence[Sample]
    """As the bundle has them."""
    whole: Sequence[Sample]
    """With the text that the bundle withholds, as far as it is here: for scoring only."""
    kinds: Sequence[Kind]
    """What became of each item by the scoring that ranks."""
    unparsable: frozenset[int] = field(default_factory=frozenset)
    """Places of items where the tuned model's answer could not be read by some scoring."""
    common: frozenset[str] = field(default_factory=frozenset)
    """Lines that stand in most prompts."""

    @property
    def withheld(self) -> bool:
        """Whether any of its texts may not be passed on."""
        return any(isinstance(one.prompt, Withheld) for one in self.samples)

    def places(self, view: str) -> list[int]:
        """The items of a view: `all`, `gained`, `lost`, `unparsable`."""
        if view == "unparsable":
            return sorted(self.unparsable)
        return [at for at, kind in enumerate(self.kinds) if view in ("all", kind)]

    def counts(self) -> list[tuple[Kind, int]]:
        """How many of each kind, in the order of a drawing."""
        kinds: tuple[Kind, ...] = ("gained", "both", "neither", "lost")
        return [(kind, sum(one == kind for one in self.kinds)) for kind in kinds]


def answers(
    samples: Mapping[str, Sequence[Sample]], tuned: Marks, untuned: Marks, plan: Plan | None, store: Store
) -> list[Answers]:
    """Every task's answers, by name. `tuned` and `untuned`: the marks that the board counted."""
    whole: Mapping[str, Sequence[Sample]] = samples
    if plan is not None:
        with suppress(FtbenchError):
            whole = filled(samples, plan, store)
    rules = {task.name: task for task in plan.typed_spec().evaluation.scored} if plan else {}
    # No page for the canaries' secrets: hundreds of numbers each, and the entry's page has what they come to.
    shown = [name for name in sorted(samples) if not (plan and name == CANARIES and name not in rules)]
    return [
        _answers(
            name, rules.get(name), _sorted(samples[name]), _sorted(whole[name]), tuned.get(name), untuned.get(name)
        )
        for name in shown
    ]


def _answers(  # noqa: PLR0917
    name: str,
    rule: Task | None,
    samples: Sequence[Sample],
    whole: Sequence[Sample],
    tuned: Sequence[float] | None,
    untuned: Sequence[float] | None,
) -> Answers:
    known = tuned is not None and untuned is not None and len(tuned) == len(untuned) == len(samples)
    kinds: list[Kind] = ["unknown"] * len(samples)
    if known and tuned is not None and untuned is not None:
        kinds = [_kind(before > 0, after > 0) for before, after in zip(untuned, tuned, strict=True)]
    silent = frozenset(at for at, one in enumerate(whole) if rule is not None and _unparsable(rule, one))
    return Answers(name, rule, samples, whole, kinds, silent, _common(samples))


def _sorted(samples: Sequence[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda one: one.index)


def _common(samples: Sequence[Sample]) -> frozenset[str]:
    """Lines that stand in most prompts of a task: its template."""
    counts = Counter(line for one in samples for line in set(_lines(one)))
    return frozenset(line for line, count in counts.items() if 2 * count > len(samples))


def _lines(sample: Sample) -> list[str]:
    prompt = sample.prompt if isinstance(sample.prompt, str) else ""
    return [line.strip() for line in prompt.splitlines() if line.strip()]


def _kind(before: bool, after: bool) -> Kind:
    return ("both" if before else "gained") if after else ("lost" if before else "neither")


def _unparsable(rule: Task, sample: Sample) -> bool:
    given = Given(sample.tuned, sample.options, sample.target, sample.prompt)
    for scoring in rule.scoring:
        if scoring != "likelihood":
            with suppress(ValueError):
                if mark(rule, scoring, given) == "unparsable":
                    return True
    return False


def shown(told: Answers, at: int) -> dict[str, Any]:
    """One item for a template. Of one whose text is withheld: numbers and digests only."""
    sample = told.samples[at]
    hidden = not isinstance(sample.prompt, str)
    kind = told.kinds[at]
    return {
        "index": at,
        "item": sample.item,
        "kind": kind,
        "word": WORDS[kind],
        "prompt": None if hidden else sample.prompt,
        "digest": sample.prompt.sha256 if isinstance(sample.prompt, Withheld) else "",
        "brief": sample.item[:16] if hidden else _brief(sample, told.common),
        "answers": _answered(sample),
        "options": _options(sample),
        "key": "Log-likelihoods in nats; ● is what the model chose." if sample.tuned.loglikelihoods else "",
        "wrote": [] if hidden else [one for one in (_wrote(told, at, "untuned"), _wrote(told, at, "tuned")) if one],
        "references": _references(told, sample),
    }


def _brief(sample: Sample, common: Collection[str]) -> str:
    """The longest line of a prompt that is not a line of most prompts."""
    lines = _lines(sample)
    longest = max([line for line in lines if line not in common] or lines, key=len, default="")
    return longest if len(longest) <= BRIEF else f"{longest[: BRIEF - 1]}…"


def _answered(sample: Sample) -> str:
    if sample.tuned.passed is not None:
        return f"{sample.untuned.status} → {sample.tuned.status}"
    if not sample.tuned.loglikelihoods or not sample.untuned.loglikelihoods:
        return ""
    return " → ".join(_option(sample, chosen(one)) for one in (sample.untuned, sample.tuned))


def _option(sample: Sample, at: int) -> str:
    option = sample.options[at] if at < len(sample.options) else ""
    return option.strip() if isinstance(option, str) and option.strip() else f"option {at + 1}"


def _options(sample: Sample) -> list[dict[str, Any]]:
    picks = {name: chosen(one) if one.loglikelihoods else None for name, one in _models(sample).items()}
    return [
        {
            "text": option if isinstance(option, str) else f"option {at + 1}, {option.sha256[:16]}…",
            "right": at == sample.target,
            **{name: _likelihood(one, at) for name, one in _models(sample).items()},
            **{f"{name}_chosen": picks[name] == at for name in picks},
        }
        for at, option in enumerate(sample.options)
    ]


def _models(sample: Sample) -> dict[str, Answer]:
    return {"untuned": sample.untuned, "tuned": sample.tuned}


def _likelihood(answer: Answer, at: int) -> str:
    values = answer.loglikelihoods or []
    return f"{values[at]:.3f}".replace("-", "−") if at < len(values) else "–"


def _wrote(told: Answers, at: int, who: str) -> dict[str, str] | None:
    sample = told.whole[at]
    answer = _models(sample)[who]
    if answer.text is None:
        return None
    said = [answer.status] if answer.status else []
    if told.rule is not None and answer.passed is None:
        given = Given(answer, sample.options, sample.target, sample.prompt)
        for scoring in told.rule.scoring:
            if scoring != "likelihood":
                with suppress(ValueError):
                    said.append(f"{scoring}: {mark(told.rule, scoring, given)}")
    return {"who": f"The {who} model", "text": answer.text or "(nothing)", "said": ", ".join(said)}


def _references(told: Answers, sample: Sample) -> str:
    found = []
    for name, answer in sorted(sample.references.items()):
        if answer.passed is not None:
            found.append(f"{name} {answer.status}")
        elif answer.loglikelihoods:
            found.append(f"{name} {_option(sample, chosen(answer))}")
    return ", ".join(found)
