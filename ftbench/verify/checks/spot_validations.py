"""The drawn rounds' adapters, and the one that is scored, have the validation losses that the ledger tells."""

from __future__ import annotations

from ftbench.verify.bands import band_of
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare losses within the band of log-likelihoods: a loss is a mean of them. Raises NotRun where one
    is missing."""
    evidence = context.evidence
    if context.spec.data.validation is None:
        return "the spec has no validation cut"
    band = band_of(evidence.machine.device, context.in_force.model)
    if band is None:
        raise NotRun("there is no band for this device")
    if undone := [f"round {one.round}: {one.reason}" for one in evidence.validations if one.loss is None]:
        raise NotRun(f"not validated again: {'; '.join(undone)}")
    told = {body.round: body.validation_loss for body in context.rounds}
    problems, farthest = [], 0.0
    for one in evidence.validations:
        was = told[one.round]
        if was is None or one.loss is None or not abs(one.loss - was) <= band.likelihood:
            problems.append(f"round {one.round}: the loss is {one.loss}, the ledger says {was}")
        else:
            farthest = max(farthest, abs(one.loss - was))
    rounds = len(evidence.validations)
    if context.spec.evaluation.checkpoint == "best-validation" and rounds < len(told):
        context.notes.append(
            f"Validation losses of {len(told) - rounds} of {plural(len(told), 'round')} were not computed again: "
            "told too high, they lead the spec's rule to another round."
        )
    return judge(problems, f"{plural(rounds, 'round')} validated again, at most {farthest:.2g} nats off")


CHECK = Check("spot-validations", "SPOT-RUN", "FTB864", "the drawn validation losses come out again", run)
