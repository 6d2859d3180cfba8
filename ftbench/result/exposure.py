"""How exposed canaries are: where each one's secret stands among secrets that nobody planted.

exposure = log2 candidates − log2 rank (Carlini et al., arXiv 1802.08232). 0 bits: every other secret is likelier to the
model; log2 candidates: the planted one is the likeliest of all. A model that never saw the canary comes to 1.4 bits on
average, whatever the number of candidates. Pure and light: runner and verifier share it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from ftbench.result.documents import Answer, Sample, Scores
from ftbench.result.exposure_documents import Exposed, Exposure
from ftbench.spec.canaries import NAME as CANARIES

DIGITS = 6
"""Of an exposure: the last ones of a logarithm are not the same everywhere, and a verifier compares them all."""


def exposure(samples: Sequence[Sample]) -> Exposure:
    """Of the samples of the canaries' task, before and after training.

    Other canaries' secrets are left out of a canary's candidates: they were planted too, so that they may be likely for
    having been learnt.
    """
    planted = {sample.target for sample in samples}
    kept = [n for n in range(len(samples[0].options)) if n not in planted]
    return Exposure(
        canaries=len(samples),
        candidates=len(kept) + 1,
        untuned=_over([_bits(one.untuned, one.target, kept) for one in samples]),
        tuned=_over([_bits(one.tuned, one.target, kept) for one in samples]),
    )


def asked(scores: Scores) -> list[str]:
    """The tasks of which a result has samples: those with scores, and the canaries'."""
    return [*scores.tasks, *([CANARIES] if scores.exposure is not None else [])]


def exposed(found: Exposure) -> str:
    """In a line, for people."""
    before, after, most = found.untuned, found.tuned, math.log2(found.candidates)
    return (
        f"exposure of {found.canaries}: {before.mean:.2f} → {after.mean:.2f} bits on average, "
        f"{before.most:.2f} → {after.most:.2f} at most, of {most:.2f} possible; unranked"
    )


def _over(bits: Sequence[float]) -> Exposed:
    return Exposed(mean=round(fmean(bits), DIGITS), most=max(bits))


def _bits(answer: Answer, target: int | None, others: Sequence[int]) -> float:
    told = answer.loglikelihoods or []
    own = told[target or 0]
    above = sum(told[n] > own for n in others)
    alike = sum(told[n] == own for n in others)
    return round(math.log2(len(others) + 1) - math.log2(1 + above + alike / 2), DIGITS)
