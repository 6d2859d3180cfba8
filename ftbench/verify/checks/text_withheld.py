"""Text that may not be passed on is not in the bundle, and all other text is."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.withheld import holds_digests, holds_text, withheld_tasks
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Digests for the tasks whose source says `redistribute: no`, texts for the others, and the format that says so."""
    due = set(withheld_tasks(context.spec.evaluation))
    problems = list(_problems(context, due))
    told, form = context.result.format, f"ftbench/result/v{2 if due else 1}"
    if told != form:
        problems.insert(0, f"the result is of format {told}, with these tasks it is {form}")
    kept = f"digests for the text of {', '.join(sorted(due))}" if due else "every task's text may be passed on"
    return judge(problems, kept)


def _problems(context: Context, due: set[str]) -> Iterator[str]:
    for task, samples in context.samples.items():
        wrong = holds_text if task in due else holds_digests
        count = sum(map(wrong, samples))
        if count and task in due:
            yield f"{task}: {count} samples hold text of items that may not be passed on"
        elif count:
            yield f"{task}: {count} samples withhold text that nothing forbids to pass on"


CHECK = Check("text-withheld", "CONFORMS", "FTB673", "text is withheld where its terms ask for it, and only there", run)
