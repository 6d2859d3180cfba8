"""The answers can be a model's: log-likelihoods for every option, and tuning changed something."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.models import Sample
from ftbench.result.score import ROUNDING
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """One finite number of at most 0 for each option; an adapter that is not zero moves some of them."""
    problems = [problem for task, samples in context.samples.items() for problem in _task(task, samples)]
    answers = [sample for samples in context.samples.values() for sample in samples]
    acts = any(any(t.data) for name, t in context.tensors.items() if name.endswith("lora_B.weight"))
    if acts and answers and all(sample.tuned == sample.untuned for sample in answers):
        problems.append("the adapter is not zero, yet every tuned answer is the untuned one to the last digit")
    return judge(problems, f"{plural(2 * len(answers), 'answer')}, none above 0 nats")


def _task(task: str, samples: list[Sample]) -> Iterator[str]:
    for sample in samples:
        for kind in ("untuned", "tuned"):
            values = getattr(sample, kind).loglikelihoods
            if len(values) != len(sample.options):
                yield f"{task}, item {sample.index}, {kind}: {len(values)} values for {len(sample.options)} options"
            elif not all(value <= ROUNDING for value in values):
                yield f"{task}, item {sample.index}, {kind}: {max(values)} nats is no log-likelihood"


CHECK = Check("answers-possible", "RESCORED", "FTB662", "the answers are log-likelihoods that a model can give", run)
