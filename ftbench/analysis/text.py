"""An analysis as Markdown, and as lines for a terminal: the same tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftbench.analysis.anova import LEFT
from ftbench.analysis.documents import PARTS, Analysis, Compared, Expected, PairDifference, Resource, Share, Verdict
from ftbench.result.documents import Interval

ASSUMED = (
    "Levels and items are these and no sample of others; what is left over is independent between runs and equally "
    "spread. Shares are ω² of a plain analysis of variance (type II); they add up where the design is balanced."
)
Grid = tuple[str, list[str], list[list[str]]]
"""Title, columns, rows."""


def told(analysis: Analysis) -> list[str]:
    """Terms that the F test sees, with the error that shares have."""
    error = (1 - analysis.confidence) / PARTS
    return [one.term for one in analysis.shares if one.p_value is not None and one.p_value <= error]


def grids(analysis: Analysis) -> list[Grid]:
    """Every table that has rows."""
    found = [
        ("Claims", ["claim", "outcome", "figure", "asked", "why"], [_claim(one) for one in analysis.claims]),
        ("Shares of variance", ["term", "share", "interval", "p"], [_share(one) for one in analysis.shares]),
        (
            "Pairs",
            ["factor", "level", "against", "difference", "apart", "seeds", "contexts"],
            [_pair(one) for one in analysis.pairs],
        ),
        (
            "Scores and costs",
            ["benchmark", "method", "score", "MiB sent", "MiB held", "s trained", "nothing beats it by"],
            [_resource(one) for one in analysis.resources],
        ),
        (
            "Estimated and measured",
            [
                "benchmark",
                "method",
                "seed",
                "on",
                "MiB sent",
                "MiB of a client",
                "s trained",
                "10⁹ operations a second",
            ],
            [_expected(one) for one in analysis.expected],
        ),
    ]
    return [one for one in found if one[2]]


def heading(analysis: Analysis) -> list[str]:
    """What was analysed, in sentences."""
    factors = "; ".join(f"{name}: {', '.join(levels)}" for name, levels in analysis.factors.items())
    seeds = ", ".join(map(str, analysis.seeds))
    error = 100 * (1 - analysis.confidence)
    found = [f"{analysis.runs} runs, seeds {seeds}. {factors or 'They differ in nothing but their seeds'}."]
    found.append(
        f"One error of {error:g} % for the whole page, a third each for shares, pairs and claims. {ASSUMED} "
        f"This design is {'balanced' if analysis.balanced else 'not balanced'}."
    )
    if seen := told(analysis):
        found.append(f"The F test sees {', '.join(seen)}.")
    found += [
        f"{benchmark}: of the methods' scores {', '.join(parts)} (no cause is meant)."
        for benchmark, costs in analysis.explained.items()
        if (parts := [f"{100 * share:.0f} % goes with {cost}" for cost, share in costs.items()])
    ]
    found += [
        f"{benchmark}: standard deviation over seeds {100 * value:.2f} points."
        for benchmark, value in analysis.deviation_over_seeds.items()
    ]
    return found


def markdown(analysis: Analysis) -> str:
    """The page."""
    return "\n".join(_markdown(analysis)) + "\n"


def lines(analysis: Analysis) -> Iterator[str]:
    """For a terminal: a line a row."""
    yield from heading(analysis)
    for title, columns, rows in grids(analysis):
        yield ""
        yield title
        widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
        for row in [columns, *rows]:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"left out: {one}" for one in analysis.left_out)


def _markdown(analysis: Analysis) -> Iterator[str]:
    yield "# Analysis"
    for sentence in heading(analysis):
        yield from ("", sentence)
    for title, columns, rows in grids(analysis):
        yield from ("", f"## {title}", "", _row(columns), _row(["---"] * len(columns)))
        yield from map(_row, rows)
    if analysis.left_out:
        yield from ("", "## Left out", "", *(f"- {one}" for one in analysis.left_out))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _claim(one: Verdict) -> list[str]:
    figure = "—" if one.value is None else _signed(one.value, one.interval)
    return [one.claim, one.outcome, figure, one.asked, one.why + needed(one)]


def needed(one: Verdict) -> str:
    """What would tell, in words; empty where it was told."""
    if one.outcome != "not told apart":
        return ""
    seeds = f"{one.seeds_needed:,} seeds" if one.seeds_needed else ""
    items = f"{one.items_needed:,} items" if one.items_needed else ""
    joined = (" and " if one.needed_together else " or ").join(part for part in (seeds, items) if part)
    return f"; {joined} would tell, were the figure as it is" if joined else ""


def _share(one: Share) -> list[str]:
    interval = "—" if one.interval is None else f"{100 * one.interval.low:.1f} to {100 * one.interval.high:.1f} %"
    name = f"{one.term} ({one.freedom} degrees of freedom)" if one.term == LEFT else one.term
    return [name, f"{100 * one.share:.1f} %", interval, "—" if one.p_value is None else _p(one.p_value)]


def _pair(one: PairDifference) -> list[str]:
    told = "yes" if one.apart else "no" if one.over_seeds is not None else "one seed"
    figure = _signed(one.value, one.interval)
    return [one.factor, one.level, one.against, figure, told, str(one.seeds), str(one.contexts)]


def _resource(one: Resource) -> list[str]:
    memory = "—" if one.memory_bytes is None else f"{one.memory_bytes / 2**20:,.0f}"
    seconds = "—" if one.train_seconds is None else f"{one.train_seconds:,.0f}"
    traffic = f"{one.traffic_bytes / 2**20:,.1f}"
    score = f"{100 * one.score:.1f} %"
    return [one.benchmark, one.name, score, traffic, memory, seconds, ", ".join(one.efficient) or "—"]


def _expected(one: Expected) -> list[str]:
    traffic, memory = (_compared(each, 2**20, "{:,.1f}") for each in (one.traffic_bytes, one.memory_bytes))
    pace = "—" if one.operations_per_second is None else f"{one.operations_per_second / 1e9:,.1f}"
    seconds = _compared(one.train_seconds, 1, "{:,.0f}")
    return [one.benchmark, one.name, str(one.seed), one.device, traffic, memory, seconds, pace]


def _compared(one: Compared | None, unit: float, form: str) -> str:
    """Estimate, measurement, and the first over the second."""
    if one is None:
        return "—"
    return f"{form.format(one.estimated / unit)} / {form.format(one.measured / unit)} = {one.ratio:.2f}"


def _signed(value: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{100 * value:+.1f}"
    return f"{100 * value:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
