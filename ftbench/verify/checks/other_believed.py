"""The other run is believed as far as files go, and is of the same benchmark, model, knobs and seed."""

from __future__ import annotations

from ftbench.result.documents import LEVELS
from ftbench.verify.check import Check, Failure, NotRun, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare digests of spec and entry. Raises NotRun where the other bundle does not reach RESCORED here."""
    other = context.other_run
    if LEVELS.index(other.verdict.level) < LEVELS.index("RESCORED"):
        first = next((one for one in other.verdict.checks if one.outcome != "passed"), None)
        why = f": {first.check}: {first.evidence}" if first is not None else ""
        raise NotRun(f"{other.name} is {other.verdict.level} here, not RESCORED{why}")
    mine, theirs = context.result, other.context.result
    problems = []
    if mine.spec_hash != theirs.spec_hash:
        problems.append(f"the other is of spec hash {theirs.spec_hash[:12]}, this of {mine.spec_hash[:12]}")
    if mine.seed != theirs.seed:
        problems.append(f"the other is of seed {theirs.seed}, this of {mine.seed}")
    elif mine.entry != theirs.entry:
        problems.append("the other has another base model or other knobs")
    return judge(problems, f"{other.name}: {other.verdict.level}, the same spec, choices and seed {mine.seed}")


CHECK = Check("other-believed", "REPRODUCED", "FTB859", "another bundle is of the same spec, choices and seed", run)
