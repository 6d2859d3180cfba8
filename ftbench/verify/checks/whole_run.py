"""The result does not call itself that of a shortened trial run."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """`smoke` is false."""
    if context.result.smoke:
        return Failure("the result says `smoke`: 1 round, 2 steps, for trying out; it cannot be submitted")
    return "the result does not say `smoke`"


CHECK = Check("whole-run", "CLAIMED", "FTB612", "the result does not call itself a trial run", run)
