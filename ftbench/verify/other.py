"""What two runs of one entry must have alike."""

from __future__ import annotations

from ftbench.verify.context import Context


def promised(one: Context, other: Context) -> bool:
    """Whether two runs of one entry must end at the same digests: on CPUs of one system with the same vector
    instructions, by the plan's stack. With others they do not (measured: docs/design/031)."""
    both = (one, other)
    return all(c.result.bit_reproducible and not c.result.unpinned for c in both) and (
        one.environment.system == other.environment.system
        and one.environment.instructions is not None
        and one.environment.instructions == other.environment.instructions
    )
