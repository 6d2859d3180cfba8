"""Privacy whose parameters can hold together, under strategies for which it holds, with rounds that fit its epsilon."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec import words
from ftbench.spec.checks.strategies import kinds
from ftbench.spec.implied import accounting
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import KIND, STRATEGIES

ADAPTIVE = ("quantile", "clip_learning_rate", "count_noise_multiplier")
"""Parameters of adaptive clipping."""


def parameters(spec: Spec) -> Iterator[Problem]:
    """Adaptive clipping has its parameters, fixed clipping none, and the count's noise leaves some for the changes."""
    privacy = spec.privacy
    if privacy is None:
        return
    for name in ADAPTIVE:
        value = getattr(privacy, name)
        if privacy.clipping == "adaptive" and value is None:
            message = f"`privacy.clipping: adaptive` needs `privacy.{name}`"
            yield Problem(codes.MISSING_PARAMETER, ("privacy", "clipping"), message)
        elif privacy.clipping == "fixed" and value is not None:
            message = f"`privacy.{name}` has no effect with `privacy.clipping: fixed`"
            yield Problem(codes.NO_EFFECT, ("privacy", name), message, "leave it out, or use `adaptive`")
    if privacy.kind == "local" and privacy.clipping == "adaptive":
        message = "with `privacy.kind: local` nobody sees the norms that an adaptive clip follows"
        yield Problem(codes.CONTRADICTION, ("privacy", "clipping"), message, "use `clipping: fixed`")
    count = privacy.count_noise_multiplier
    if privacy.clipping == "adaptive" and count is not None and count <= privacy.noise_multiplier / 2:
        message = f"noise of {count:g} on the count costs what `noise_multiplier` {privacy.noise_multiplier:g} may cost"
        hint = "it must be above noise_multiplier / 2; a twentieth of the clients asked, where that is more"
        yield Problem(codes.CONTRADICTION, ("privacy", "count_noise_multiplier"), message, hint)
    if privacy.delta >= 1 / spec.federation.clients:
        message = f"a delta of {privacy.delta:g} would let one of {spec.federation.clients} clients be laid open"
        yield Problem(codes.CONTRADICTION, ("privacy", "delta"), message, "choose it far below 1 / clients")


def strategies(spec: Spec) -> Iterator[Problem]:
    """Every strategy that the spec allows is one for which this kind of privacy holds."""
    privacy = spec.privacy
    if privacy is None:
        return
    holds = [kind for kind, one in STRATEGIES.items() if privacy.kind in one.privacy]
    wrong = sorted(kinds(spec) - set(holds))
    reason = {
        "central": "it needs the single replies or more than those, and the server's noise covers their mean alone",
        "local": "its clients send more than one change of what they were sent",
    }[privacy.kind]
    for kind in wrong:
        own = kind == spec.strategy.kind
        message = f"`privacy.kind: {privacy.kind}` does not hold under `{kind}`: {reason}"
        hint = f"strategies for which it holds: {words.listed(holds)}"
        yield Problem(codes.CONTRADICTION, ("strategy", "kind") if own else ("knobs", KIND), message, hint, key=not own)


def budget(spec: Spec) -> Iterator[Problem]:
    """All rounds fit the epsilon; without `dp-accounting` that cannot be told, which is said."""
    privacy = spec.privacy
    if privacy is None:
        return
    if not accounting.available():
        message = "whether the rounds fit `privacy.epsilon` cannot be told without the package `dp-accounting`"
        hint = "pip install 'ftbench[run]'"
        yield Problem(codes.CONTRADICTION, ("privacy", "epsilon"), message, hint, severity="warning")
        return
    rounds, spending = spec.federation.rounds, accounting.spending(spec)
    if accounting.fits(privacy, spending(rounds)):
        return
    # With local privacy the client that is asked most often decides, which is seldom one of every round.
    for seed in spec.seeds.runs if privacy.kind == "local" else spec.seeds.runs[:1]:
        times = accounting.releases(spec, rounds, seed)
        if accounting.fits(privacy, spending(times[-1])):
            continue
        first = next(number for number, count in enumerate(times, 1) if not accounting.fits(privacy, spending(count)))
        message = f"{rounds} rounds would spend epsilon {spending(times[-1]):.4g} at delta {privacy.delta:g}; "
        message += f"the budget is {privacy.epsilon:g}, and round {first} would not start"
        enough = accounting.just_fitting(spec, times[-1])
        hint = f"a noise_multiplier of {enough:g} would just fit; `ftbench privacy SPEC` shows epsilon by round"
        yield Problem(codes.CONTRADICTION, ("privacy", "epsilon"), message, hint)
        return
