"""The two runs agree: to the last bit where the platform promises it, else within what the items allow."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Round, Sample
from ftbench.result.score import score
from ftbench.result.statistics import normal_quantile
from ftbench.verify.bands import Band, band_of
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.checks.spot_items import apart
from ftbench.verify.context import Context
from ftbench.verify.other import promised

ALARM = 0.01
"""How often two honest runs that differ by chance alone are told apart, by their untuned or their tuned marks each."""


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
    worst = 0.0
    for task, samples in sorted(one.samples.items()):
        theirs = two.samples.get(task, [])
        for mine, again in zip(samples, theirs, strict=False):
            far, why = _answers(mine, again, band)
            worst = max(worst, far)
            problems += [f"{task}, item {mine.index}: {why}"] if why else []
    return judge(
        problems,
        f"{plural(len(one.rounds), 'round')} and the adapter to the last bit; answers at most {worst:.2g} nats apart",
    )


def _rounds(one: list[Round], two: list[Round]) -> Iterator[str]:
    if len(one) != len(two):
        yield f"{plural(len(one), 'round')} and {len(two)}"
    for mine, theirs in zip(one, two, strict=False):
        if mine != theirs:
            yield f"they part in round {mine.round} (`ftbench bisect` shows where, and what differs)"
            return


def _answers(mine: Sample, theirs: Sample, band: Band | None) -> tuple[float, str]:
    """How far two answers lie apart, and what cannot be so; texts are compared where nothing but they are scored."""
    allowed = band.likelihood if band is not None else 0.0
    far = max(apart(mine.untuned, theirs.untuned), apart(mine.tuned, theirs.tuned))
    if far > allowed:
        return far, f"log-likelihoods lie {far:.3g} nats apart, the band is {allowed:g}"
    same = all(
        one.text == two.text and one.passed == two.passed
        for one, two in ((mine.untuned, theirs.untuned), (mine.tuned, theirs.tuned))
    )
    return far, "" if same or mine.tuned.loglikelihoods is not None else "the texts, or what became of them, differ"


def _close(one: Context, two: Context) -> str | Failure:
    problems, told = [], []
    for name in ("untuned", "tuned"):
        pairs = {task: _pairs(samples, two.texts[task], name) for task, samples in one.texts.items()}
        found = score(pairs, one.spec.evaluation)
        change = found.difference
        # What a test of this error would see four times in five, by the items that changed.
        items = {task: len(lines) for task, lines in pairs.items()}
        moved = sum(scores.difference.gained + scores.difference.lost for scores in found.tasks.values())
        least = (normal_quantile(1 - ALARM) + 0.84) * max(moved, 1) ** 0.5 / sum(items.values())
        told.append(f"{name} {change.value:+.4f} (p {change.p_value:.2g}, {least:.3f} would be seen)")
        if change.p_value < ALARM:
            problems.append(f"{name}: the scores lie {change.value:+.4f} apart, p {change.p_value:.2g}")
    return judge(problems, f"nothing promises equal digests here; the other's scores: {', '.join(told)}")


def _pairs(mine: list[Sample], theirs: list[Sample], name: str) -> list[Sample]:
    """Samples whose two answers are this run's and the other's."""
    return [
        a.model_copy(update={"untuned": getattr(a, name), "tuned": getattr(b, name), "references": {}})
        for a, b in zip(mine, theirs, strict=True)
    ]


CHECK = Check("other-agrees", "REPRODUCED", "FTB862", "the two runs came to the same", run)
