"""The bytes of each round are what clients, replies and the adapter's size imply."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.models import Round
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

NOTHING_SENT = ("error", "missing")
"""Reasons for which no arrays came back."""
WHOLE_SENT = ("not-finite",)
"""Reasons for which a whole adapter came back. For the others any number of bytes may have come."""


def run(context: Context) -> str | Failure:
    """Down: one adapter for every client asked. Up: one for every usable reply, and what unusable ones held."""
    size = context.adapter_bytes
    problems = [problem for body in context.rounds for problem in _round(body, size)]
    down, up = (sum(getattr(body, name) for body in context.rounds) for name in ("bytes_down", "bytes_up"))
    if (context.finished.bytes_down, context.finished.bytes_up) != (down, up):
        problems.append(f"the last line adds up to other bytes than the rounds: {down} down, {up} up")
    return judge(problems, f"{size} bytes an adapter; {down} down, {up} up in all")


def _round(body: Round, size: int) -> Iterator[str]:
    due = len(body.sampled) * size
    if body.bytes_down != due:
        yield f"round {body.round}: {body.bytes_down} bytes down, {len(body.sampled)} clients are sent {due}"
    reasons = [exclusion.reason for exclusion in body.excluded]
    least = (len(body.replies) + sum(reason in WHOLE_SENT for reason in reasons)) * size
    open_ended = any(reason not in (*NOTHING_SENT, *WHOLE_SENT) for reason in reasons)
    if body.bytes_up < least or (body.bytes_up > least and not open_ended):
        yield f"round {body.round}: {body.bytes_up} bytes up, {len(body.replies)} replies make {least}"


CHECK = Check("bytes-counted", "CONFORMS", "FTB644", "bytes are what clients, replies and adapter size imply", run)
