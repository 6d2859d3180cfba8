"""Every client asked is in the round's mean or named as left out, and enough are in it."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Round
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.limits import LEFT_OUT


def run(context: Context) -> str | Failure:
    """replies + excluded = sampled, no client twice, at least `min_replies`."""
    fewest = context.in_force.federation.min_replies
    problems = [problem for body in context.rounds for problem in _round(body, fewest)]
    replies = sum(len(body.replies) for body in context.rounds)
    excluded = sum(len(body.excluded) for body in context.rounds)
    unplanned = sum(not one.planned for body in context.rounds for one in body.excluded)
    if unplanned:
        context.notes.append(LEFT_OUT.format(unplanned))
    return judge(problems, f"{plural(replies, 'reply')}, {excluded} left out, at least {fewest} a round")


def _round(body: Round, fewest: int) -> Iterator[str]:
    answered = [reply.partition for reply in body.replies]
    left_out = [exclusion.partition for exclusion in body.excluded]
    if answered != sorted(set(answered)) or left_out != sorted(set(left_out)):
        yield f"round {body.round}: a client is named twice or out of order"
    if sorted(answered + left_out) != body.sampled:
        yield f"round {body.round}: the {len(body.sampled)} clients asked are not those that replied or were left out"
    if len(answered) < fewest:
        yield f"round {body.round}: {len(answered)} replies, at least {fewest} are needed"
    if (body.clients_together or 0) > len(body.sampled):
        yield f"round {body.round}: {body.clients_together} clients together, and {len(body.sampled)} were asked"


CHECK = Check("replies-complete", "CONFORMS", "FTB641", "every client asked replied or is named as left out", run)
