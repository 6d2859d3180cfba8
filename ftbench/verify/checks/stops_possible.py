"""Where a run was stopped and went on, it stopped for a reason that can pass, over clients that were asked."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Stopped
from ftbench.verify import formulas
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context
from ftbench.verify.limits import REPEATED

FOR_GOOD = ("communication-budget", "parameter-budget", "privacy-budget")
"""Limits that follow from plan and ledger: who stopped at one stops there again."""


def run(context: Context) -> str | Failure:
    """A budget stops a run for good; too few replies are fewer than are needed, of the clients due."""
    stops = [line.body for line in context.lines if isinstance(line.body, Stopped)]
    problems = [problem for body in stops for problem in _stop(context, body)]
    failed = sum(body.reason == "too-few-replies" for body in stops)
    if failed:
        context.notes.append(REPEATED.format(failed))
    return judge(problems, f"stopped {len(stops)} times, {failed} for want of replies")


def _stop(context: Context, body: Stopped) -> Iterator[str]:
    if body.reason in FOR_GOOD:
        yield f"stopped in round {body.round} for the {body.reason}, and yet it went on"
        return
    federation = context.in_force.federation
    if body.round > federation.rounds:
        yield f"stopped in round {body.round}, and there are {federation.rounds}"
        return
    asked = formulas.chosen_clients(context.entry.seed, body.round, federation.clients, federation.sampling.fraction)
    left_out = [exclusion.partition for exclusion in body.excluded]
    if body.reason != "too-few-replies":
        if left_out:
            yield f"stopped in round {body.round} by the operator, who leaves out no client"
    elif left_out != sorted(set(left_out)) or not set(left_out) <= set(asked):
        yield f"stopped in round {body.round}: clients left out twice, or that were not asked"
    elif len(asked) - len(left_out) >= max(1, federation.min_replies):
        yield (
            f"stopped in round {body.round} for want of replies: {len(asked) - len(left_out)} of {len(asked)} came, "
            f"{federation.min_replies} are needed"
        )


CHECK = Check("stops-possible", "CONFORMS", "FTB656", "a run that stopped and went on could do so", run)
