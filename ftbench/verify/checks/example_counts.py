"""Every reply weighs as many rows as its client's partition holds."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare each reply's weight with the pinned sizes."""
    sizes = context.partition.sizes
    problems = []
    for body in context.rounds:
        for reply in body.replies:
            due = sizes[reply.partition] if reply.partition < len(sizes) else 0
            if reply.examples != due:
                problems.append(
                    f"round {body.round}: client {reply.partition} has {reply.examples} rows, its partition holds {due}"
                )
    return judge(problems, f"partition sizes {min(sizes)} to {max(sizes)}, as pinned")


CHECK = Check("example-counts", "CONFORMS", "FTB642", "every reply weighs as many rows as its partition holds", run)
