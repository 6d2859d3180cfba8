"""The bytes told of each round are what clients, replies, strategy and transport imply."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Round
from ftbench.verify import open_division, traffic
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

NOTHING_SENT = ("error", "missing", "dropped-out", "late")
"""Reasons for which no arrays came back."""
CODED = "That arrays travelled in {} down and {} up: the bytes are those of this coding, and updates are digests."
UNUSABLE = "How many bytes came of replies that were refused: a total may be larger by any number."
WHOLE_SENT = ("not-finite",)
"""Reasons for which a whole reply came back. For the others any number of bytes may have come."""


def run(context: Context) -> str | Failure:
    """Down: what each client asked is sent. Up: what each usable reply holds, and what unusable ones held."""
    problems = []
    down, up = (sum(getattr(body, name) for body in context.rounds) for name in ("bytes_down", "bytes_up"))
    if (context.finished.bytes_down, context.finished.bytes_up) != (down, up):
        problems.append(f"the last line adds up to other bytes than the rounds: {down} down, {up} up")
    if context.brings("strategy"):
        skipped = open_division.skipped(context, "That the bytes of each round are what was sent")
        return judge(problems, f"{skipped}, but that the rounds told add up to {down} bytes down and {up} up")
    problems += [problem for one in zip(context.rounds, traffic.due(context), strict=True) for problem in _round(*one)]
    block = context.in_force.transport
    if any(map(_open_ended, context.rounds)):
        context.notes.append(UNUSABLE)
    if (block.down, block.up) != ("float32", "float32"):
        context.notes.append(CODED.format(block.down, block.up))
    return judge(problems, f"{down} bytes down in {block.down}, {up} up in {block.up}")


def _round(body: Round, due: traffic.Due) -> Iterator[str]:
    sent = sum(due.down.values())
    if body.bytes_down != sent:
        yield f"round {body.round}: {body.bytes_down} bytes down, {len(body.sampled)} clients are sent {sent}"
    whole = [reply.partition for reply in body.replies]
    whole += [exclusion.partition for exclusion in body.excluded if exclusion.reason in WHOLE_SENT]
    least = sum(due.up.get(client, 0) for client in whole)  # who was not asked is the affair of `replies-complete`
    if body.bytes_up < least or (body.bytes_up > least and not _open_ended(body)):
        yield f"round {body.round}: {body.bytes_up} bytes up, {len(body.replies)} replies make {least}"


def _open_ended(body: Round) -> bool:
    return any(exclusion.reason not in (*NOTHING_SENT, *WHOLE_SENT) for exclusion in body.excluded)


CHECK = Check("bytes-counted", "CONFORMS", "FTB644", "bytes are what clients, replies, strategy and coding imply", run)
