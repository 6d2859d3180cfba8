"""The adapter in the bundle is the one that ledger and result name."""

from __future__ import annotations

from ftbench.result import adapter
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Digest its tensors with the adapter block in force; compare with the round scored, the last line, the result."""
    config = context.in_force.adapter.model_dump(mode="json")
    digest = adapter.tensors_digest(context.tensors, config)
    named = {"result": context.result.adapter, "ledger's last line": context.finished.adapter}
    number = context.finished.round
    named |= {f"ledger's round {number}": body.adapter for body in context.rounds if body.round == number}
    problems = [
        f"the {where} names {told[:12]}, the file is {digest[:12]}" for where, told in named.items() if told != digest
    ]
    return judge(problems, f"adapter {digest[:12]}")


CHECK = Check("adapter-digest", "CONFORMS", "FTB646", "the adapter is the one that ledger and result name", run)
