"""No digest of an update or adapter stands where averaging what different clients trained cannot have put it."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result import adapter
from ftbench.spec.implied import traffic
from ftbench.spec.model import Spec
from ftbench.spec.strategies import STRATEGIES, having
from ftbench.verify import adapters, open_division
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.rows import weight

PLAIN_MEAN = having(combines="mean", frozen=())
"""Strategies whose new adapter is the weighted mean of the replies and nothing else."""
MIDDLE = having(combines="middle")
"""Strategies whose new adapter lies among the replies: where these are alike, it is they."""
ONE_REPLY = having(combines="one")
"""Strategies whose new adapter is one of the replies."""


def run(context: Context) -> str | Failure:
    """What can be proved without the tensors of each round.

    FedAvg and FedProx: the weighted mean of one reply is that reply. A client that trained does not send back what it
    was sent. Clients with different rows do not send the same update, nor does anyone send one twice over the rounds.
    A mean of several replies is none of them, nor is what another strategy makes of it; what Krum makes of them is one
    of them, and what the server has covered with noise is none. So a digest that turns up again where it cannot has
    been copied. What clients send is not looked at where the entry trains with code of its own.
    """
    if context.brings("strategy"):
        return open_division.skipped(
            context, "That updates and adapters come of averaging what different clients trained"
        )
    evidence = f"{plural(len(context.rounds), 'round')}, no digest where averaging cannot put it"
    if context.brings("client"):
        open_division.skipped(context, "That updates are what different clients trained")
        return judge(_combined(context, own=True), f"{plural(len(context.rounds), 'round')}; updates are not looked at")
    if _plain(context.in_force):
        one = sum(len(body.replies) == 1 for body in context.rounds)
        evidence += f"; {plural(one, 'mean')} of one reply equal to it"
    problems = list(_problems(context))
    if STRATEGIES[context.in_force.strategy.kind].frozen:
        problems += _of_b(context)
    elif STRATEGIES[context.in_force.strategy.kind].combines == "stack":
        stacked = _stacked(context)
        problems += [problem for problem in stacked if problem]
        evidence += f"; {plural(len(stacked), 'update')} found in the stack"
    return judge(problems, evidence)


def _plain(spec: Spec) -> bool:
    """Noise of the server makes something else of every mean."""
    return spec.strategy.kind in PLAIN_MEAN and not _noised(spec)


def _noised(spec: Spec) -> bool:
    return spec.privacy is not None and spec.privacy.kind == "central"


def _problems(context: Context) -> Iterator[str]:
    yield from _sent(context)
    yield from _combined(context, own=False)


def _sent(context: Context) -> Iterator[str]:
    """Updates that are copies."""
    rows = context.partition.digests
    before = context.started.adapter
    sent: dict[str, tuple[int, int]] = {}
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
        before = body.adapter


def _combined(context: Context, *, own: bool) -> Iterator[str]:
    """Adapters that the server cannot have made of the updates. `own`: clients may send what they like."""
    spec = context.in_force
    # Code of their own may send −0, which a mean of one turns into 0.
    whole = not own and (_plain(spec) or (spec.strategy.kind in MIDDLE and not _noised(spec)))
    chosen = spec.strategy.kind in ONE_REPLY
    known = {context.started.adapter: 0}
    for body in context.rounds:
        updates = {reply.update for reply in body.replies}
        if whole and len(updates) == 1 and body.adapter not in updates:
            yield f"round {body.round}: the adapter is not the only update, of which it is the mean"
        if chosen and updates and body.adapter not in updates:
            yield f"round {body.round}: the adapter is none of the {len(updates)} updates, of which it must be one"
        # They may also agree on most numbers, so that a median is one of theirs.
        single = spec.strategy.kind in PLAIN_MEAN or not own
        if not chosen and single and len(updates) > 1 and body.adapter in updates:
            yield f"round {body.round}: the adapter is one client's update, not the mean of {len(updates)}"
        elif _noised(spec) and body.adapter in updates:
            yield f"round {body.round}: the adapter is a client's update, without the noise that covers it"
        if body.adapter in known and not own:
            yield f"round {body.round}: the adapter is the one after round {known[body.adapter]} again"
        known.setdefault(body.adapter, body.round)


def _of_b(context: Context) -> Iterator[str]:
    """FFA-LoRA: updates are of B alone, so the adapter in the bundle tells what B the round scored ended with."""
    config = context.block("adapter")
    b = adapters.moving(context.tensors)
    ended = adapter.tensors_digest(b, config)
    sent = {1: adapter.tensors_digest(adapters.zeroed(b), config), context.finished.round + 1: ended}
    for body in context.rounds:
        updates = [reply.update for reply in body.replies]
        if sent.get(body.round) in updates:
            yield f"round {body.round}: a client sent back the B that it was sent"
        if body.round != context.finished.round:
            continue
        if len(set(updates)) > 1 and ended in updates:
            yield f"round {body.round}: the adapter's B is one client's update, not the mean of {len(set(updates))}"
        noised = _noised(context.in_force)
        if len(set(updates)) == 1 and ended not in updates and not noised:
            yield f"round {body.round}: the adapter's B is not the only update, of which it is the mean"
        elif len(set(updates)) == 1 and ended in updates and noised:
            yield f"round {body.round}: the adapter's B is a client's update, without the noise that covers it"


def _stacked(context: Context) -> list[str]:
    """FLoRA: updates are parts of the adapter. What is wrong with each that can be taken out again; empty: nothing."""
    found: list[str] = []
    block, begin = context.in_force.adapter, 0
    config, rows_of = context.block("adapter"), context.partition.digests
    seen: dict[str, tuple[int, str]] = {}
    width = max((t.shape[-1] for n, t in context.tensors.items() if n.endswith(traffic.B) and t.shape), default=0)
    for body in context.rounds[: context.finished.round]:
        weights = {reply.partition: weight(context, reply) for reply in body.replies}
        rows = float(sum(weights.values()))
        for reply in body.replies:
            if begin >= width:  # more replies than the stack has room for: `adapter-shape` says so
                return found
            factor = block.alpha / block.rank * (weights[reply.partition] / rows) if rows else 0.0
            part = adapters.unstacked(context.tensors, begin, block.rank, factor)
            here = body.round, rows_of[reply.partition] if reply.partition < len(rows_of) else str(reply.partition)
            if seen.setdefault(adapters.columns(context.tensors, begin, block.rank), here) != here:
                found.append(f"round {body.round}: what client {reply.partition} put into B is another reply's")
            begin += block.rank
            if part is not None:
                same = adapter.tensors_digest(part, config) == reply.update
                found.append(
                    "" if same else f"round {body.round}: what client {reply.partition} sent is not in the stack"
                )
    return found


CHECK = Check(
    "averaging", "CONFORMS", "FTB649", "no digest stands where averaging different clients cannot put it", run
)
