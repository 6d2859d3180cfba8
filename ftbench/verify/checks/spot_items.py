"""Base model and adapter give the drawn items the answers that the bundle records."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

from ftbench.result.documents import Answer
from ftbench.verify.bands import Band, band_of
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare log-likelihoods within the band, and texts up to the first token that the band leaves open."""
    evidence = context.evidence
    band = band_of(evidence.machine.device, context.in_force.model)
    if band is None:
        raise NotRun("there is no band for this device")
    problems: list[str] = []
    worst, texts, open_ = 0.0, 0, 0
    for one in evidence.items:
        samples = context.samples.get(one.task, [])
        if one.index >= len(samples) or samples[one.index].item != one.item:
            problems.append(f"{one.task}, item {one.index}: another row was asked again")
            continue
        told = samples[one.index]
        for name, was, now, steps in (
            ("untuned", told.untuned, one.untuned, one.untuned_steps),
            ("tuned", told.tuned, one.tuned, one.tuned_steps),
        ):
            where = f"{one.task}, item {one.index}, {name}"
            far = apart(was, now)
            problems += [f"{where}: {what}" for what in _likelihoods(was, now, band)]
            worst = max(worst, far)
            if was.text is not None:
                texts += 1
                open_ += was.text != now.text
                problems += [f"{where}: {what}" for what in _text(was, now, steps, band)]
    asked = sum(len(samples) for samples in context.samples.values())
    context.notes.append(
        f"Items that were not drawn: whoever invented the answers to a tenth of all {asked:,} items escapes this draw "
        f"with a chance of {escape(asked, asked // 10, len(evidence.items)):.2g}, to one item with "
        f"{escape(asked, 1, len(evidence.items)):.2g}."
    )
    told_texts = f"; {plural(texts, 'text')}, {open_} otherwise from a token on that nearly tied" if texts else ""
    return judge(
        problems,
        f"{plural(len(evidence.items), 'item')} asked again, untuned and tuned; log-likelihoods at most {worst:.2g} "
        f"nats apart, the band is {band.likelihood:g}{told_texts}",
    )


def escape(items: int, changed: int, drawn: int) -> float:
    """Chance that none of `changed` items of `items` is among `drawn` (hypergeometric)."""
    if drawn + changed > items:
        return 0.0
    return comb(items - changed, drawn) / comb(items, drawn)


def apart(was: Answer, now: Answer) -> float:
    """Nats by which two answers' log-likelihoods lie apart at most."""
    pairs = zip(was.loglikelihoods or [], now.loglikelihoods or [], strict=False)
    return max((abs(a - b) for a, b in pairs), default=0.0)


def _likelihoods(was: Answer, now: Answer, band: Band) -> Iterator[str]:
    if len(was.loglikelihoods or []) != len(now.loglikelihoods or []):
        yield "the number of log-likelihoods differs"
    elif (far := apart(was, now)) > band.likelihood:
        yield f"log-likelihoods lie {far:.3g} nats apart, the band is {band.likelihood:g}"


def _text(was: Answer, now: Answer, steps: list[tuple[int, float]] | None, band: Band) -> Iterator[str]:
    one, other = was.text or "", now.text
    if other is None or steps is None:
        yield "its text was not made again"
        return
    place = first_difference(one, other)
    if place is None:
        return
    # A token that begins before the difference and nearly tied may have been chosen otherwise.
    nearest = min((margin for begin, margin in steps if begin <= place), default=None)
    if nearest is None or nearest > band.margin:
        sure = "no token" if nearest is None else f"the least sure token before it led by {nearest:.3g} nats"
        yield f"the text differs from character {place} on, and {sure}: {one[place : place + 30]!r}"


def first_difference(one: str, other: str) -> int | None:
    """Position of the first character in which two texts differ; None where they are equal."""
    if one == other:
        return None
    shared = min(len(one), len(other))
    return next((i for i in range(shared) if one[i] != other[i]), shared)


CHECK = Check("spot-items", "SPOT-RUN", "FTB856", "the drawn items get their answers again", run)
