"""The drawn rounds' replies give the adapters that the ledger names."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.checks.privacy_accounted import told_of_the_system
from ftbench.verify.context import Context

SHOWN = 3
"""Rounds that were not done again, told with their reasons."""


def run(context: Context) -> str | Failure:
    """Compare digests: a server adds in numpy, in one order, on every machine. Raises NotRun where one is missing."""
    if told_of_the_system(context):
        raise NotRun("the noise came from the operating system and cannot be drawn again")
    done = context.evidence.aggregations
    undone = [f"round {one.round}: {one.reason}" for one in done if not one.adapter]
    if undone:
        more = f"; and {len(undone) - SHOWN} more" if len(undone) > SHOWN else ""
        raise NotRun(f"not aggregated again: {'; '.join(undone[:SHOWN])}{more}")
    told = {body.round: body for body in context.rounds}
    problems = []
    for one in done:
        body = told[one.round]
        if one.adapter != body.adapter:
            problems.append(
                f"round {one.round}: its replies give {(one.adapter or '')[:12]}…, not {body.adapter[:12]}…"
            )
        if one.state != (body.strategy_state or ""):
            problems.append(f"round {one.round}: the server's state is not the ledger's")
    of = "all of them" if len(done) == len(told) else f"of {len(told):,}"
    return judge(
        problems, f"{plural(len(done), 'round')} aggregated again, {of}, from the kept replies, to the last bit"
    )


CHECK = Check("spot-aggregations", "SPOT-RUN", "FTB858", "the drawn rounds' replies give their adapters again", run)
