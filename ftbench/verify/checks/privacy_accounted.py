"""Epsilon told of every round is what spec and seed imply, none began past the budget, the result says what was spent.

A fixed clip is the spec's in every round, an adaptive one has moved as far as the replies can have moved it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftbench.result.documents import PrivacySpent
from ftbench.spec.implied import accounting
from ftbench.spec.model import Spec
from ftbench.spec.privacy import Privacy
from ftbench.verify import clipping
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.context import Context

EQUAL = 1e-6
"""Relative: mathematical libraries differ in the last digits of what is summed and inverted here."""
NOISED = "That changes were clipped and covered with noise as the spec says: in a ledger updates are digests."

OS_NOISE = (
    "The noise: it came from the operating system and was written nowhere, so nobody can draw it again, no round of it "
    "can be done again, and the run cannot reach SPOT-RUN."
)


def told_of_the_system(context: Context) -> bool:
    """Whether the run says that its noise came from the operating system."""
    told = context.result.privacy
    return told is not None and told.noise == "operating-system"


def run(context: Context) -> str | Failure:
    """Account again, round by round, by the accounting of `spec.implied`: not the app's code, but `estimate`'s."""
    spec = context.in_force
    if spec.privacy is None:
        told = [f"round {body.round} tells of privacy" for body in context.rounds if body.privacy is not None]
        told += ["the result tells of privacy"] if context.result.privacy is not None else []
        return judge((f"{one}, of which the spec promises none" for one in told), "the spec promises no privacy")
    if not accounting.available():
        raise NotRun("epsilon cannot be accounted without the package dp-accounting (pip install 'ftbench[run]')")
    # More rounds than the plan's are the affair of `rounds-complete`: each one takes milliseconds here.
    due = _epsilons(spec, min(len(context.rounds), spec.federation.rounds), context.entry.seed)
    context.notes.append(NOISED)
    if told_of_the_system(context):
        context.notes.append(OS_NOISE)
    problems = [*_rounds(context, spec.privacy, due), *_result(context, spec.privacy, due)]
    spent = due[-1] if due else 0.0
    evidence = f"{plural(len(due), 'round')} accounted again: epsilon {spent:.4g} of {spec.privacy.epsilon:g} "
    return judge(problems, evidence + f"at delta {spec.privacy.delta:g}, {spec.privacy.kind}")


def _epsilons(spec: Spec, rounds: int, seed: int) -> list[float]:
    """Epsilon after each round."""
    spending = accounting.spending(spec)
    return [spending(count) for count in accounting.releases(spec, rounds, seed)]


def _rounds(context: Context, privacy: Privacy, due: list[float]) -> Iterator[str]:
    before = None
    for body, epsilon in zip(context.rounds, due, strict=False):
        if not accounting.fits(privacy, epsilon):
            yield f"round {body.round} began, which makes epsilon {epsilon:.6g}; the budget is {privacy.epsilon:g}"
        if body.privacy is None:
            yield f"round {body.round} does not say what it spent"
            before = None
            continue
        if not _equal(body.privacy.epsilon, epsilon):
            yield f"round {body.round} tells epsilon {body.privacy.epsilon:.6g}; it is {epsilon:.6g}"
        told = body.privacy.clip
        if privacy.clipping == "fixed" or body.round == 1:
            if not math.isclose(told, privacy.clip, rel_tol=EQUAL):
                yield f"round {body.round} clipped to {told:g}, due is {privacy.clip:g}"
        elif before is not None and not clipping.follows(privacy, context.entry.seed, before, told):
            yield f"round {body.round} clipped to {told:g}: no count of replies within the clip before moves it there"
        before = body


def _result(context: Context, privacy: Privacy, due: list[float]) -> Iterator[str]:
    told = context.result.privacy
    if told is None:
        yield "the result does not say what was spent"
        return
    spent = due[-1] if due else 0.0
    if not _equal(told.epsilon, spent):
        yield f"the result tells epsilon {told.epsilon:.6g}; it is {spent:.6g}"
    wanted = PrivacySpent(
        kind=privacy.kind,
        epsilon=told.epsilon,
        delta=privacy.delta,
        limit=privacy.epsilon,
        noise_multiplier=privacy.noise_multiplier,
        clipping=privacy.clipping,
        noise=told.noise,
    )
    for name in type(wanted).model_fields:
        if getattr(told, name) != getattr(wanted, name):
            yield f"the result tells {name} {getattr(told, name)}; the spec has {getattr(wanted, name)}"


def _equal(told: float, due: float) -> bool:
    return math.isclose(told, due, rel_tol=EQUAL, abs_tol=EQUAL)


CHECK = Check(
    "privacy-accounted", "CONFORMS", "FTB658", "epsilon told is what the rounds come to, within the budget", run
)
