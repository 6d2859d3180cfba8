"""A strategy has the parameters that its kind uses and no others, in the spec and in what its knobs allow."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec import words
from ftbench.spec.model import Choices, Spec
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import EVERY, KIND, STRATEGIES, uses


def parameters(spec: Spec) -> Iterator[Problem]:
    """What the kind in force needs is given, and what it does not use is null."""
    kind = spec.strategy.kind
    for name in EVERY:
        if not hasattr(spec.strategy, name):  # it has a value, which its field does not take
            continue
        value = getattr(spec.strategy, name)
        if uses(kind, name) and value is None:
            message = f"`strategy.kind: {kind}` needs `strategy.{name}`"
            yield Problem(codes.MISSING_PARAMETER, ("strategy", "kind"), message, f"its parameters: {_listed(kind)}")
        elif not uses(kind, name) and value is not None:
            message = f"`strategy.{name}` has no effect with `strategy.kind: {kind}`"
            owners = words.listed(other for other in STRATEGIES if uses(other, name))
            yield Problem(codes.NO_EFFECT, ("strategy", name), message, f"leave it out, or use {owners}")


def _listed(kind: str) -> str:
    return ", ".join(f"`{name}`" for name in STRATEGIES[kind].parameters)


def kinds(spec: Spec) -> set[str]:
    """The kinds of strategy that the spec or its knob allows."""
    knob = spec.knobs.get(KIND)
    chosen = (
        {choice for choice in knob.choices if isinstance(choice, str) and choice in STRATEGIES}
        if isinstance(knob, Choices)
        else set()
    )
    return chosen | {spec.strategy.kind}


def choosable(spec: Spec) -> Iterator[Problem]:
    """Every kind that may be chosen can be given its parameters, and every parameter that is a knob has a kind."""
    allowed = kinds(spec)
    for kind in sorted(allowed - {spec.strategy.kind}):
        fixed = [name for name in STRATEGIES[kind].parameters if f"strategy.{name}" not in spec.knobs]
        lacking = [name for name in fixed if getattr(spec.strategy, name) is None]
        if lacking:
            names = words.listed((f"strategy.{name}" for name in lacking), "and")
            message = f"the knob `{KIND}` allows `{kind}`, which needs {names}: no knob, and without a value"
            yield Problem(codes.CONTRADICTION, ("knobs", KIND), message, "make it a knob too", key=True)
    for name in EVERY:
        path = f"strategy.{name}"
        if path in spec.knobs and not any(uses(kind, name) for kind in allowed):
            message = f"the knob `{path}` has no effect: no strategy that the spec allows uses it"
            yield Problem(codes.NO_EFFECT, ("knobs", path), message, "leave it out", key=True)
