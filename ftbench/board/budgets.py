"""Evaluation by budget on the leaderboard: what the target cost, and the score within each smaller budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum

from ftbench.board import figures, text
from ftbench.board.model import Reached, Row, Table, Within
from ftbench.result.documents import Result
from ftbench.spec.budgets import plain, within_name

HEADING = "Score within a budget"


def target(results: Sequence[Result]) -> Reached | None:
    """Over an entry's bundles; None where one says nothing of a target."""
    told = [one.cost_to_target for one in results if one.cost_to_target is not None]
    if not told or len(told) < len(results):
        return None
    hits = [one for one in told if one.round is not None]
    return Reached(
        validation_loss=told[0].validation_loss,
        runs=len(told),
        reached=len(hits),
        round=_mean([one.round for one in hits]),
        bytes=_mean([one.bytes for one in hits]),
        seconds=_mean([one.seconds for one in hits]),
        simulated_seconds=_mean([one.simulated_seconds for one in hits]),
    )


def reached_within(results: Sequence[Result]) -> list[Within]:
    """Every budget that all of an entry's bundles have a score for, ascending."""
    found = []
    for mib in sorted({one.communication_mib for result in results for one in result.within}):
        told = [(result, one) for result in results for one in result.within if one.communication_mib == mib]
        name = within_name(mib)
        if len(told) != len(results) or any(name not in result.scores.references for result, _ in told):
            continue
        found.append(
            Within(
                communication_mib=mib,
                score=figures.over_seeds(
                    (result.seed, figures.estimate(result.scores.references[name])) for result, _ in told
                ),
                round=fsum(one.round for _, one in told) / len(told),
                bytes=fsum(one.bytes for _, one in told) / len(told),
            )
        )
    return found


def describe_reached(reached: Reached) -> str:
    """`round 4, 1.20 MiB, 12.5 s`, with how many of the runs reached it where not all did."""
    if not reached.reached or reached.round is None or reached.bytes is None:
        return "not reached"
    parts = [f"round {reached.round:g}" if reached.round.is_integer() else f"round {reached.round:.1f}"]
    parts.append(f"{text.mib(round(reached.bytes))} MiB")
    if reached.seconds is not None:
        parts.append(text.seconds(reached.seconds))
    if reached.simulated_seconds is not None:
        parts.append(f"{text.seconds(reached.simulated_seconds)} simulated")
    partly = f" ({reached.reached} of {reached.runs} runs)" if reached.reached < reached.runs else ""
    return ", ".join(parts) + partly


def limits(table: Table) -> list[float]:
    """The budgets that some row of the table has a score for, ascending."""
    return sorted({one.communication_mib for row in table.rows for one in row.within})


def header(table: Table) -> list[str]:
    """The block's columns."""
    return ["Entry", *(f"{plain(mib)} MiB" for mib in limits(table)), "Whole run"]


def lines(table: Table) -> Iterator[list[str]]:
    """A row for each entry in the order of `header`, not escaped yet."""
    for row in table.rows:
        found = {one.communication_mib: one for one in row.within}
        cells = [_cell(found.get(mib)) for mib in limits(table)]
        yield [row.label or ", ".join(row.names), *cells, f"{text.estimate(row.score)} at {_traffic(row)} MiB"]


def _cell(one: Within | None) -> str:
    if one is None:
        return "—"
    at = f"round {one.round:g}" if one.round.is_integer() else f"round {one.round:.1f}"
    return f"{text.estimate(one.score)} ({at if one.round else 'none fits'})"


def _traffic(row: Row) -> str:
    return text.mib(row.bytes_down + row.bytes_up)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    # Each share by itself: below CONFORMS a figure may be so large that a sum overflows.
    return fsum(one / len(known) for one in known) if known and len(known) == len(values) else None
