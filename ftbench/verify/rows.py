"""What the verifier knows of the rows that clients learnt from: no tokenizer, so an upper bound and no more."""

from __future__ import annotations

from functools import cache

from ftbench.errors import MissingResource
from ftbench.result.documents import Reply
from ftbench.spec.template import columns, fill
from ftbench.verify.context import Context


def weight(context: Context, reply: Reply) -> int:
    """Rows by which a reply counts in a weighted mean."""
    if context.in_force.federation.weigh_by == "rows-used":
        return reply.used or 0
    return reply.examples


def most_used(context: Context) -> list[int] | None:
    """For each client the rows that can be learnt from at most, whatever the tokenizer: those whose templates can be
    filled with an answer that is not empty. None where the training rows or their partition are not in the store."""
    data, pins = context.in_force.data, context.plan.pins
    if pins.sources["train"].digest is None:
        return None
    try:
        rows = context.store.rows(pins.sources["train"].digest)
        shares = context.store.partition(context.partition.digest)
    except MissingResource:
        return None
    answers = [data.completion, *([data.rejected] if data.rejected is not None else [])]
    named = {name for text in (data.prompt, *answers) for name in columns(text)}

    @cache
    def teaches(number: int) -> bool:
        row = rows[number]
        if any(isinstance(row.get(name), bool) or not isinstance(row.get(name), str | int) for name in named):
            return False
        texts = [fill(text, row) for text in answers]
        return all(text.strip() for text in texts) and len(set(texts)) == len(texts)

    return [sum(map(teaches, share)) for share in shares]
