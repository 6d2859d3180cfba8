"""The digests of updates and adapters can come from averaging what different clients trained."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context

PLAIN_MEAN = ("fedavg", "fedprox")
"""Strategies whose new adapter is the weighted mean of the replies and nothing else."""


def run(context: Context) -> str | Failure:
    """What can be proved without the tensors of each round.

    FedAvg and FedProx: the weighted mean of one reply is that reply. A client that trained does not send back what it
    was sent. Clients with different rows do not send the same update, nor does anyone send one twice over the rounds.
    A mean of several replies is none of them, nor is what another strategy makes of it. So a digest that turns up
    again where it cannot has been copied.
    """
    evidence = f"{plural(len(context.rounds), 'round')}, no digest twice"
    if context.in_force.strategy.kind in PLAIN_MEAN:
        one = sum(len(body.replies) == 1 for body in context.rounds)
        evidence += f"; {plural(one, 'mean')} of one reply equal to it"
    return judge(_problems(context), evidence)


def _problems(context: Context) -> Iterator[str]:
    rows = context.partition.digests
    plain = context.in_force.strategy.kind in PLAIN_MEAN
    before = context.started.adapter
    sent: dict[str, tuple[int, int]] = {}
    adapters = {before: 0}
    means = {body.adapter: body.round for body in context.rounds if len(body.replies) > 1} | {before: 0}
    for body in context.rounds:
        for reply in body.replies:
            if reply.update == before and reply.steps:
                yield f"round {body.round}: client {reply.partition} sent back the adapter that it was sent"
            elif means.get(reply.update, body.round) != body.round:
                yield f"round {body.round}: client {reply.partition} sent the adapter after round {means[reply.update]}"
            if reply.update in sent:
                number, client = sent[reply.update]
                same_rows = (
                    number == body.round
                    and max(client, reply.partition) < len(rows)
                    and rows[client] == rows[reply.partition]
                )
                if not same_rows:
                    yield (
                        f"round {body.round}: client {reply.partition} sent what client {client} sent in round {number}"
                    )
            sent.setdefault(reply.update, (body.round, reply.partition))
        updates = {reply.update for reply in body.replies}
        if plain and len(updates) == 1 and body.adapter not in updates:
            yield f"round {body.round}: the adapter is not the only update, of which it is the mean"
        if len(updates) > 1 and body.adapter in updates:
            yield f"round {body.round}: the adapter is one client's update, not the mean of {len(updates)}"
        if body.adapter in adapters:
            yield f"round {body.round}: the adapter is the one after round {adapters[body.adapter]} again"
        adapters.setdefault(body.adapter, body.round)
        before = body.adapter


CHECK = Check("averaging", "CONFORMS", "FTB649", "updates and adapters can come from averaging different clients", run)
