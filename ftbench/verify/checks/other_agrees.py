"""The two runs agree: to the last bit where the platform promises it, else within what the items allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from ftbench.result.documents import Answer, Difference, Round, Sample, Scores
from ftbench.result.score import score
from ftbench.result.statistics import normal_quantile, stratified
from ftbench.verify.bands import Band, band_of
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.checks.spot_items import apart
from ftbench.verify.context import Context
from ftbench.verify.other import promised

ALARM = 0.01
"""How often two honest runs that differ by chance alone are told apart, by their untuned or their tuned marks each; and
by all that is looked at beside them together: each task, its other scorings, the references."""


def run(context: Context) -> str | Failure:
    """Where digests are promised, and where they are equal, compare rounds, adapter and answers; else test the marks of
    the two, item by item."""
    other = context.other_run.context
    if promised(context, other) or context.result.adapter == other.result.adapter:
        return _equal(context, other)
    return _close(context, other)


def _equal(one: Context, two: Context) -> str | Failure:
    band = band_of("cpu", one.in_force.model)
    problems = [*_rounds(one.rounds, two.rounds)]
    if one.result.adapter != two.result.adapter:
        problems.append(f"the adapters are {one.result.adapter[:12]} and {two.result.adapter[:12]}")
    worst, texts = 0.0, 0
    for task, samples in sorted(one.samples.items()):
        theirs = two.samples.get(task, [])
        for mine, again in zip(samples, theirs, strict=False):
            for name in _models(mine):
                far, other, why = _answers(mine.answer(name), again.answer(name), band)
                worst, texts = max(worst, far), texts + other
                problems += [f"{task}, item {mine.index}, {name}: {why}"] if why else []
    if texts:
        problems += _beside({name: _scored(one, two, name) for name in _names(one)})
    differing = f", {plural(texts, 'text')} otherwise" if texts else ""
    return judge(
        problems,
        f"{plural(len(one.rounds), 'round')} and the adapter to the last bit; answers at most {worst:.2g} nats apart"
        f"{differing}",
    )


def _rounds(one: list[Round], two: list[Round]) -> Iterator[str]:
    if len(one) != len(two):
        yield f"{plural(len(one), 'round')} and {len(two)}"
    for mine, theirs in zip(one, two, strict=False):
        if mine != theirs:
            yield f"they part in round {mine.round} (`ftbench bisect` shows where, and what differs)"
            return


def _answers(mine: Answer | None, theirs: Answer | None, band: Band | None) -> tuple[float, bool, str]:
    """How far two answers lie apart, whether their texts differ, and what cannot be so. Where log-likelihoods rank,
    a text may differ by a token that nearly tied, and it is the marks of all texts that are tested."""
    if mine is None or theirs is None:
        return 0.0, False, "" if mine == theirs else "one of the two has no answer"
    allowed = band.likelihood if band is not None else 0.0
    far = apart(mine, theirs)
    if far > allowed:
        return far, False, f"log-likelihoods lie {far:.3g} nats apart, the band is {allowed:g}"
    other = (mine.text, mine.passed) != (theirs.text, theirs.passed)
    if other and mine.loglikelihoods is None:
        return far, True, "the texts, or what became of them, differ"
    return far, other, ""


def _close(one: Context, two: Context) -> str | Failure:
    problems, told = [], []
    scores = {name: _scored(one, two, name) for name in _names(one)}
    for name in ("untuned", "tuned"):
        found = scores[name]
        change = found.difference
        # What a test of this error would see four times in five, by the items that changed.
        items = sum(task.tuned.items for task in found.tasks.values())
        moved = sum(task.difference.gained + task.difference.lost for task in found.tasks.values())
        least = (normal_quantile(1 - ALARM) + 0.84) * max(moved, 1) ** 0.5 / items
        told.append(f"{name} {change.value:+.4f} (p {change.p_value:.2g}, {least:.3f} would be seen)")
        if change.p_value < ALARM:
            problems.append(f"{name}: the scores lie {change.value:+.4f} apart, p {change.p_value:.2g}")
    problems += _beside(scores)
    far = _losses(one.rounds, two.rounds)
    return judge(problems, f"nothing promises equal digests here; the other's scores: {', '.join(told)}; {far}")


def _losses(one: Sequence[Round], two: Sequence[Round]) -> str:
    """How far losses lie apart at most. No band was measured over a whole run, so that it is told and not held."""
    pairs = list(zip(one, two, strict=False))
    told: dict[str, list[tuple[float | None, float | None]]] = {
        "training": [(_mean_loss(a), _mean_loss(b)) for a, b in pairs if a.replies and b.replies],
        "validation": [(a.validation_loss, b.validation_loss) for a, b in pairs],
    }
    far = [
        f"{name} {max(found):.2g}"
        for name, both in told.items()
        if (found := [abs(a - b) for a, b in both if a is not None and b is not None])
    ]
    return f"mean losses of a round, which nothing holds, at most apart: {', '.join(far) or 'none told'}"


def _mean_loss(body: Round) -> float:
    return fmean(reply.loss for reply in body.replies)


def _beside(scores: Mapping[str, Scores]) -> list[str]:
    """Where what stands beside the means lies too far apart: a mean is the same where one task wins what another
    loses, and says nothing of other scorings and of the references. Name → difference and p-value of each test."""
    tests: dict[str, tuple[float, float]] = {}
    for name, found in scores.items():
        if name not in {"untuned", "tuned"}:
            tests[name] = (found.difference.value, found.difference.p_value)
        others: dict[str, list[Difference]] = defaultdict(list)
        sizes: dict[str, list[int]] = defaultdict(list)
        for task, one in found.tasks.items():
            tests[f"{name}, {task}"] = (one.difference.value, one.difference.p_value)
            for scoring, also in one.also.items():
                tests[f"{name}, {task}, {scoring}"] = (also.difference.value, also.difference.p_value)
                others[scoring].append(also.difference)
                sizes[scoring].append(also.tuned.items)
        for scoring, several in others.items():
            counts = [(size, one.gained, one.lost) for size, one in zip(sizes[scoring], several, strict=True)]
            tests[f"{name}, {scoring}"] = (fmean(one.value for one in several), stratified(counts))
    return [
        f"{what}: the scores lie {value:+.4f} apart, p {p_value:.2g}"
        for what, (value, p_value) in tests.items()
        if p_value < ALARM / len(tests)
    ]


def _scored(one: Context, two: Context, name: str) -> Scores:
    """A model's answers in the second run against those in the first, as tuned against untuned."""
    pairs = {task: _pairs(samples, two.texts[task], name) for task, samples in one.texts.items()}
    return score(pairs, one.spec.evaluation)


def _names(context: Context) -> list[str]:
    return _models(next(samples[0] for samples in context.samples.values() if samples))


def _models(sample: Sample) -> list[str]:
    return ["untuned", "tuned", *sorted(sample.references)]


def _pairs(mine: list[Sample], theirs: list[Sample], name: str) -> list[Sample]:
    """Samples whose two answers are this run's and the other's."""
    return [
        a.model_copy(update={"untuned": a.answer(name), "tuned": b.answer(name), "references": {}})
        for a, b in zip(mine, theirs, strict=True)
    ]


CHECK = Check("other-agrees", "REPRODUCED", "FTB862", "the two runs came to the same", run)
