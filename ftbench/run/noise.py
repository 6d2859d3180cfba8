"""Noise from the operating system, by the operator's switch: what it asks of a run.

Replies that are kept, and the adapter that they gave with noise, tell the noise: so nothing is kept of such a run.
Whoever runs the app without ftbench sets the variable by hand.
"""

from __future__ import annotations

from ftbench import codes
from ftbench.compile.plan import Plan
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.run.keep import AUTO
from ftbench.spec.privacy import OS_NOISE


def variables(*, asked: bool) -> dict[str, str]:
    """Environment variables for the app."""
    return {OS_NOISE: "1"} if asked else {}


def keeping(plan: Plan, keep: int, engine: str, *, asked: bool) -> int:
    """What is kept of the run's rounds. Raises InvalidInput (FTB863) where the switch does not go with the run."""
    if not asked:
        return keep
    block = plan.typed_spec().privacy
    if block is None:
        _refuse("the spec has no `privacy`, so no noise is added", "leave out --os-noise")
    elif block.clipping == "adaptive":
        _refuse("an adaptive clip is held to the seed's noise on the count", "it goes with `clipping: fixed` alone")
    if engine == "flower-deployment":
        _refuse(
            "the machines of a deployment are set up by their operators",
            f"set {OS_NOISE}=1 where the SuperLink, or for local privacy each SuperNode, is started",
        )
    if keep not in {0, AUTO}:
        _refuse("replies that are kept would tell the noise", "leave out --keep")
    return 0


def _refuse(why: str, hint: str) -> None:
    raise InvalidInput(Diagnostic(codes.NO_OS_NOISE, f"noise from the operating system: {why}", hint=hint))
