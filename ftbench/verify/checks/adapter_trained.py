"""The adapter does something: one that adds nothing to the base model has not been trained."""

from __future__ import annotations

from ftbench.result import adapter
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """In some module both factors have a number that is not zero, of either sign."""
    acting = {name for name in context.tensors if adapter.acts(context.tensors[name])}
    modules, _ = adapter.factors(context.tensors)
    stem = "base_model.model.{}.lora_{}.weight"
    pairs = [module for module in modules if all(stem.format(module, factor) in acting for factor in "AB")]
    problems = [] if pairs else ["the product of its factors is zero in every module: the base model itself"]
    return judge(problems, f"{plural(len(pairs), 'module')} of {len(modules)} with a product that is not zero")


CHECK = Check("adapter-trained", "CONFORMS", "FTB657", "the adapter adds something to the base model", run)
