"""The adapter changes some weight: one that changes none is the base model, and has not been trained."""

from __future__ import annotations

from ftbench.result import adapter
from ftbench.verify import adapters, products
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context

NORMAL = 2.0**-126
"""Least number that float32 holds with all its digits; smaller ones are zero for many devices."""
LARGEST = 2.0**128
"""Beyond what float32 holds."""
FACTOR = "base_model.model.{}.lora_{}.weight"


def run(context: Context) -> str | Failure:
    """Multiply the factors of each module, in float64. DoRA's magnitudes count for nothing: they scale what is there.

    How much of a change it is does not matter here. What follows from it, answers other than the untuned model's, is
    the affair of `answers-possible`.
    """
    block = adapters.finished(context)
    scale = block.alpha / block.rank
    modules, _ = adapter.factors(context.tensors)
    changed, problems, most = 0, [], 0.0
    for module, pair in modules.items():
        if pair.a is None or pair.b is None:
            continue
        b, a = (context.tensors[FACTOR.format(module, factor)] for factor in "BA")
        size = scale * products.least(b, a)
        changed += size >= NORMAL
        most = max(most, size)
        if size >= LARGEST:
            problems.append(f"`{module}`: an element of alpha / rank · B·A is too large for float32")
    if not changed:
        problems.append(f"alpha / rank · B·A of none of {plural(len(modules), 'module')} can be told from zero")
    evidence = f"alpha / rank · B·A is not zero in {changed} of {plural(len(modules), 'module')}"
    return judge(problems, f"{evidence}, its largest element no less than {most:.1e}")


CHECK = Check("adapter-trained", "CONFORMS", "FTB657", "alpha / rank · B·A is not zero in some module", run)
