"""Every document is there, is strict JSON (or YAML, or JSON lines) and fits its schema."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.documents import describe_problems


def run(context: Context) -> str | Failure:
    """Read them all; nothing is believed yet."""
    documents = context.documents
    count = sum(len(samples) for samples in documents.samples.values())
    lines = len(documents.ledger or [])
    return judge(
        describe_problems(documents.problems), f"7 documents, {plural(lines, 'ledger line')}, {plural(count, 'sample')}"
    )


CHECK = Check("documents-parse", "CLAIMED", "FTB610", "every document is there, strict and fits its schema", run)
