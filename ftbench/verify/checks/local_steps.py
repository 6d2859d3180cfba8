"""Every reply tells as many steps as the plan says."""

from __future__ import annotations

from ftbench.verify import open_division
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare each reply's steps. The server takes no reply with others, whosever code trained; but that is a word."""
    if context.brings("client"):
        open_division.skipped(context, "That every client took as many steps as it says")
    due = context.in_force.training.local_steps
    problems = [
        f"round {body.round}: client {reply.partition} took {reply.steps} steps, due are {due}"
        for body in context.rounds
        for reply in body.replies
        if reply.steps != due
    ]
    return judge(problems, f"{due} steps in every reply")


CHECK = Check("local-steps", "CONFORMS", "FTB643", "every reply tells as many steps as the plan says", run)
