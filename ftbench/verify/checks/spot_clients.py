"""The drawn clients' training ends at the updates that the ledger names."""

from __future__ import annotations

from ftbench.verify.bands import band_of
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.checks.privacy_accounted import told_of_the_system
from ftbench.verify.checks.spot_items import escape
from ftbench.verify.context import Context

LOSS = 0.05
"""Relative: how far a client's mean loss may lie from the ledger's where the digest differs."""


def run(context: Context) -> str | Failure:
    """Compare digests, or distances within the band. Raises NotRun where one was not done again."""
    evidence = context.evidence
    if (
        told_of_the_system(context)
        and context.in_force.privacy is not None
        and context.in_force.privacy.kind == "local"
    ):
        raise NotRun("the noise came from the operating system and cannot be drawn again")
    band = band_of(evidence.machine.device, context.in_force.model)
    if band is None:
        raise NotRun("there is no band for this device")
    undone = [f"round {one.round}, client {one.partition}: {one.reason}" for one in evidence.clients if not one.update]
    if undone:
        raise NotRun(f"not trained again: {'; '.join(undone)}")
    told = {(body.round, reply.partition): reply for body in context.rounds for reply in body.replies}
    states = {(body.round, int(k)): name for body in context.rounds for k, name in body.client_states.items()}
    problems, equal, farthest = [], 0, 0.0
    for one in evidence.clients:
        where = f"round {one.round}, client {one.partition}"
        reply = told[one.round, one.partition]
        if one.update == reply.update:
            equal += 1
            if one.loss != reply.loss:
                problems.append(f"{where}: its loss is {one.loss}, the ledger says {reply.loss}")
            if one.state != states.get((one.round, one.partition), ""):
                problems.append(f"{where}: what it keeps is not what the ledger names")
        elif band.update is None or one.distance is None:
            problems.append(f"{where}: its update is {(one.update or '')[:12]}…, the ledger says {reply.update[:12]}…")
        elif one.distance > band.update:
            problems.append(
                f"{where}: its update lies {one.distance:.3g} of its length off, the band is {band.update:g}"
            )
        else:
            farthest = max(farthest, one.distance)
            if one.loss is None or abs(one.loss - reply.loss) > LOSS * max(abs(reply.loss), 1e-3):
                problems.append(f"{where}: its loss is {one.loss}, the ledger says {reply.loss}")
    beside = {body.round for body in context.rounds if body.clients_together}
    if again := [one for one in evidence.clients if one.round in beside]:
        context.notes.append(
            f"{plural(len(again), 'client round')} of those drawn were trained beside others on one device, and again "
            "alone: they are held to the band, and to the last bit only by chance."
        )
    replies = len(told)
    context.notes.append(
        f"Rounds that were not drawn: {len(evidence.clients)} of {replies:,} client rounds and "
        f"{len(evidence.aggregations)} of {len(context.rounds):,} aggregations were done again; whoever invented one "
        f"reply in ten escapes with a chance of {escape(replies, replies // 10, len(evidence.clients)):.2g}."
    )
    far = f", the others at most {farthest:.2g} of their length off" if equal < len(evidence.clients) else ""
    return judge(
        problems, f"{plural(len(evidence.clients), 'client round')} trained again: {equal} to the last bit{far}"
    )


CHECK = Check("spot-clients", "SPOT-RUN", "FTB857", "the drawn clients train to their updates again", run)
