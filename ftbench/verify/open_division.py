"""What the open division leaves unchecked: whatever follows from a strategy or a training that is the entry's own."""

from __future__ import annotations

from ftbench.verify.context import Context

SKIPPED = "open division: not checked"
"""Evidence of a check that has nothing to go by."""


def skipped(context: Context, what: str) -> str:
    """Note that `what`, a sentence's beginning with `That`, is for nobody to check here; the evidence to return."""
    context.notes.append(f"{what}: in the open division that is the affair of the entry's own code.")
    return SKIPPED
