"""Robust strategies need enough replies to tell the hostile from the others, and must leave somebody out."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.checks.federation import sampled
from ftbench.spec.knobs import extremes
from ftbench.spec.model import Choices, Spec
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import KIND, STRATEGIES

ROUNDING = 1e-9
"""As in the app's `robust` module: trim × n counts as whole where it is this near."""


def least(byzantine: float) -> int:
    """Fewest replies with which Krum holds against that many hostile ones (Blanchard et al.: n > 2f + 2)."""
    return 2 * int(byzantine) + 3


def _replies(count: int) -> str:
    return f"{count} repl{'y' if count == 1 else 'ies'}"


def krum(spec: Spec) -> Iterator[Problem]:
    """Every round that may be aggregated has replies enough for Krum, and MultiKrum keeps no more than are honest."""
    strategy, replies = spec.strategy, spec.federation.min_replies
    if strategy.byzantine is None:
        return
    f = strategy.byzantine
    if replies < least(f):
        message = f"{strategy.kind} against {f} hostile replies needs {least(f)} replies, "
        message += f"and `federation.min_replies` is {replies}"
        hint = "ask more clients and raise `federation.min_replies`, or guard against fewer"
        yield Problem(codes.CONTRADICTION, ("strategy", "byzantine"), message, hint)
    elif strategy.kind == "multikrum" and strategy.keep is not None and strategy.keep > replies - f:
        message = f"of {_replies(replies)}, {f} of them hostile, {strategy.keep} cannot be kept"
        hint = f"keep at most {replies - f}: a round may be aggregated with `federation.min_replies`"
        yield Problem(codes.CONTRADICTION, ("strategy", "keep"), message, hint)


def krum_by_knob(spec: Spec) -> Iterator[Problem]:
    """A kind that the knob lists can be chosen with at least one of the values that `byzantine` may have."""
    knob = spec.knobs.get(KIND)
    listed = [
        kind for kind, one in STRATEGIES.items() if one.chooses and isinstance(knob, Choices) and kind in knob.choices
    ]
    open_ = extremes(spec.knobs.get("strategy.byzantine"))
    fewest = min(open_, default=spec.strategy.byzantine)
    replies = spec.federation.min_replies
    if listed and not STRATEGIES[spec.strategy.kind].chooses and fewest is not None and replies < least(fewest):
        message = f"the knob `{KIND}` allows `{listed[0]}`, which needs {least(fewest)} replies or more; "
        message += f"`federation.min_replies` is {replies}"
        yield Problem(codes.CONTRADICTION, ("knobs", KIND), message, "raise it, or leave the choice out", key=True)


def effects(spec: Spec) -> Iterator[Problem]:
    """Nobody left out: an unweighted mean under another name. All but the middle left out: the median under another."""
    strategy, federation = spec.strategy, spec.federation
    n = sampled(federation.clients, federation.sampling.fraction)
    if strategy.kind == "fedmedian" and n < 3:
        message = f"the median of {_replies(n)} is their mean"
        yield Problem(codes.NO_EFFECT, ("strategy", "kind"), message, "ask 3 clients or more a round, or use `fedavg`")
    if strategy.kind == "fedtrimmedavg" and strategy.trim is not None:
        cut = math.floor(strategy.trim * n + ROUNDING)
        if cut == 0:
            message = f"a share of {strategy.trim:g} of {_replies(n)} is nobody: nothing is cut"
            hint = (
                f"{math.ceil(1000 / n) / 1000:g} cuts one at each end"
                if n > 4
                else "ask 5 clients or more a round, or use `fedavg`"
            )
            yield Problem(codes.NO_EFFECT, ("strategy", "trim"), message, hint)
        elif n - 2 * cut < 3:
            message = f"a mean without the {cut} largest and the {cut} smallest of {n} values is their median"
            yield Problem(codes.NO_EFFECT, ("strategy", "trim"), message, "cut less, or use `fedmedian`")
    if strategy.kind == "multikrum" and strategy.keep == 1:
        message = "MultiKrum that keeps one reply is Krum"
        yield Problem(codes.NO_EFFECT, ("strategy", "keep"), message, "keep more, or use `krum`")
    if strategy.kind == "multikrum" and strategy.keep is not None and n <= strategy.keep and strategy.byzantine == 0:
        message = f"MultiKrum that keeps all {n} replies leaves nobody out"
        yield Problem(codes.NO_EFFECT, ("strategy", "keep"), message, "keep fewer")
