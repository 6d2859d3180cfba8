"""What was done again is what bundle and nonce draw, no more and no less, on a kind of device that was measured."""

from __future__ import annotations

from ftbench.verify.bands import band_of, kind
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Make the draw again. Raises NotRun without evidence, and without a band for the device it was made on."""
    evidence, drawn = context.evidence, context.drawn
    machine = evidence.machine.device
    if band_of(machine, context.in_force.model) is None:
        raise NotRun(f"nobody measured how far machines lie apart with {kind(machine, context.in_force.model)}")
    problems = []
    if evidence.bundle != context.manifest_digest:
        return Failure(f"the evidence is of another bundle: {evidence.bundle[:12]}…")
    items = [(one.task, one.index) for one in evidence.items]
    if items != [(task, index) for task, indices in sorted(drawn.items.items()) for index in indices]:
        problems.append("other items were asked again than the nonce draws")
    if [(one.round, one.partition) for one in evidence.clients] != drawn.clients:
        problems.append("other clients were trained again than the nonce draws")
    if [one.round for one in evidence.aggregations] != drawn.aggregations:
        problems.append("other rounds were aggregated again than the nonce draws")
    if [one.round for one in evidence.validations] != drawn.validations:
        problems.append("other rounds were validated again than the nonce draws")
    if not drawn.clients or not drawn.aggregations:
        problems.append("the ledger has no committed round")
    return judge(
        problems,
        f"nonce {evidence.nonce}: {plural(len(items), 'item')}, {plural(len(drawn.clients), 'client round')}, "
        f"{plural(len(drawn.aggregations), 'aggregation')}, of {plural(len(context.rounds), 'committed round')}",
    )


CHECK = Check("spot-drawn", "SPOT-RUN", "FTB855", "what was done again is what bundle and nonce draw", run)
