"""Each line of the ledger follows from the one before, from the spec hash to the line that the result names."""

from __future__ import annotations

from ftbench.result import ledger, names
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Recompute every `prev` and `seq`."""
    problems = ledger.chain_problems(context.bundle.files[names.LEDGER], context.plan.spec_hash)
    if context.result.ledger != context.ledger_head:
        problems.append("the result names another last line than this ledger's")
    return judge(problems, f"{plural(len(context.lines), 'line')}, the last is {context.ledger_head[:12]}")


CHECK = Check("ledger-chain", "CONFORMS", "FTB635", "the ledger is one chain that ends where the result says", run)
