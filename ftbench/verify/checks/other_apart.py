"""The other bundle is of a run of its own, and no copy of this one, as far as that can be told."""

from __future__ import annotations

from ftbench.result.documents import Answer
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

MEASURED = ("train_seconds", "evaluate_seconds", "peak_memory_bytes")
"""What two runs never have alike to the last digit, all together."""
SAME = (
    "That {} is no copy: its adapter and answers are identical to this bundle's, as whoever runs this entry on such a "
    "machine gets them, and as a copy has them. It counts by the word of who signed it."
)


def run(context: Context) -> str | Failure:
    """Compare manifests, what was measured, adapter and answers."""
    other = context.other_run
    problems = []
    if other.context.manifest_digest == context.manifest_digest:
        return Failure(f"identical to {other.name}: the same manifest, signed again")
    mine, theirs = context.result.cost, other.context.result.cost
    if all(getattr(mine, name) == getattr(theirs, name) for name in MEASURED):
        problems.append(f"identical to {other.name}: the same times and the same memory to the last digit")
    alike = [
        name
        for name, same in (
            ("adapter", context.result.adapter == other.context.result.adapter),
            ("answers", context.samples == other.context.samples),
        )
        if same
    ]
    on_cpus = context.result.bit_reproducible and other.context.result.bit_reproducible
    if alike and on_cpus:
        context.notes.append(SAME.format(other.name))
    elif alike:
        problems.append(f"identical to {other.name}: the same {' and '.join(alike)}, which no accelerator promises")
    if not alike:
        items = [(mine, theirs) for task in context.samples for mine, theirs in _side_by_side(context, task)]
        equal = sum(mine == theirs for mine, theirs in items)
        return judge(problems, f"another manifest, other times, another adapter; {equal} of {len(items)} answers equal")
    return judge(problems, f"another manifest, other times; the same {' and '.join(alike)}")


def _side_by_side(context: Context, task: str) -> list[tuple[Answer, Answer]]:
    """The two runs' tuned answers. How many are equal to the last digit is told: with another adapter few are, and
    nobody knows how few of honest runs."""
    theirs = context.other_run.context.samples.get(task, [])
    return [(a.tuned, b.tuned) for a, b in zip(context.samples[task], theirs, strict=False)]


CHECK = Check("other-apart", "REPRODUCED", "FTB861", "it is of a run of its own, not a copy", run)
