"""Every reply weighs as many rows as the spec says, and no client used rows that it cannot have used."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.spec.model import SitesSource
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context
from ftbench.verify.rows import most_used

NOT_COUNTED = (
    "How many rows clients learnt from is their own word: counting them takes the base model's tokenizer. It is no "
    "more than they hold, nor than their texts allow where the training rows are here, and the same in every round."
)
AT_SITES = (
    "What the rows of the {} sites say: they never left their sites, and nobody else has seen them. Known of them are "
    "the counts and salted digests that the sites locked."
)


def run(context: Context) -> str | Failure:
    """Rows held against the pinned sizes; rows used against what is held, against the rows themselves as far as they
    are here, and against other rounds: the same rows and tokenizer give the same count."""
    sizes = context.partition.sizes
    told = [reply for body in context.rounds for reply in body.replies if reply.used is not None]
    most = most_used(context) if told else None
    problems = [*_held(context, sizes), *_used(context, most or sizes)]
    if any(reply.used != reply.examples for reply in told) or context.in_force.federation.weigh_by == "rows-used":
        context.notes.append(NOT_COUNTED)
    if isinstance(source := context.in_force.data.source, SitesSource):
        context.notes.append(AT_SITES.format(len(source.sites)))
    return judge(problems, f"partition sizes {min(sizes)} to {max(sizes)}, as pinned")


def _held(context: Context, sizes: list[int]) -> Iterator[str]:
    for body in context.rounds:
        for reply in body.replies:
            due = sizes[reply.partition] if reply.partition < len(sizes) else 0
            if reply.examples != due:
                where = f"round {body.round}: client {reply.partition}"
                yield f"{where} has {reply.examples} rows, its partition holds {due}"


def _used(context: Context, most: list[int]) -> Iterator[str]:
    asked = context.in_force.federation.weigh_by == "rows-used"
    before: dict[int, int] = {}
    for body in context.rounds:
        for reply in body.replies:
            where = f"round {body.round}: client {reply.partition}"
            if reply.used is None:
                if asked:
                    yield f"{where} does not say how many rows it used, and they are its weight"
                continue
            limit = most[reply.partition] if reply.partition < len(most) else 0
            if not 1 <= reply.used <= limit:
                yield f"{where} used {reply.used} rows, of its rows {limit} can be learnt from"
            elif before.setdefault(reply.partition, reply.used) != reply.used:
                yield f"{where} used {reply.used} rows, in an earlier round {before[reply.partition]}"


CHECK = Check("example-counts", "CONFORMS", "FTB642", "every reply weighs as many rows as its partition holds", run)
