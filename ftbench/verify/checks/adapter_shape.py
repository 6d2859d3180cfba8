"""The adapter has the rank and targets of the entry, fits the base model, and is as large as the ledger says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftbench.result import adapter
from ftbench.spec.model import Adapter
from ftbench.verify import adapters, base
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.targets import is_target, names


def run(context: Context) -> str | Failure:
    """Factors [rank, in] and [out, rank] on the targets, for DoRA a magnitude [out], finite, and counted."""
    block = adapters.finished(context)
    modules, strange = adapter.factors(context.tensors)
    problems = [f"`{name}` is no factor of a low-rank adapter" for name in strange]
    problems += [f"`{name}` is not finite" for name in adapter.not_finite(context.tensors)]
    problems += _shapes(modules, block)
    problems += _fit(modules, block, context.base)
    told = context.started.trainable_parameters
    counted = not problems and not context.brings("strategy")  # what an entry's own strategy trains only it knows
    if counted and told != (due := adapters.trained(context.in_force, context.tensors)):
        problems.append(f"the ledger says {told} parameters are trained, by the file and the entry it is {due}")
    count = adapter.parameters(context.tensors)
    found = f"{plural(len(modules), 'module')} of rank {block.rank}, {count} parameters, on the base model's layers"
    return judge(problems, found)


def _shapes(modules: Mapping[str, adapter.Factors], block: Adapter) -> Iterator[str]:
    if not modules:
        yield "the adapter has no module"
    for module, pair in modules.items():
        if pair.a is None or pair.b is None or len(pair.a) != 2 or len(pair.b) != 2:
            yield f"`{module}` has not two factors"
        elif pair.a[0] != block.rank or pair.b[1] != block.rank:
            yield f"`{module}` has rank {pair.a[0]} and {pair.b[1]}, due is {block.rank}"
        elif block.kind == "dora" and pair.magnitude != (pair.b[0],):
            yield f"`{module}` has not one magnitude for each of its {pair.b[0]} outputs, as DoRA has"
        if block.kind == "lora" and pair.magnitude is not None:
            yield f"`{module}` has a magnitude, which LoRA has not"
        if not is_target(module, block.targets):
            yield f"`{module}` is not one of the targets"
    if isinstance(block.targets, list):
        for target in names(block.targets):
            if not any(is_target(module, [target]) for module in modules):
                yield f"no module for the target `{target}`"


def _fit(modules: Mapping[str, adapter.Factors], block: Adapter, model: base.Base) -> Iterator[str]:
    linear = model.linear
    for module, pair in modules.items():
        shape = linear.get(module)
        if shape is None:
            yield f"the base model has no linear layer `{module}`"
        elif pair.a and pair.b and (pair.b[0], pair.a[-1]) != shape:
            yield f"`{module}` maps {pair.a[-1]} to {pair.b[0]}, the base model {shape[1]} to {shape[0]}"
    if model.complete:
        due = {name for name in linear if is_target(name, block.targets)}
        for name in sorted(due - set(modules)):
            yield f"`{name}` has no adapter"


CHECK = Check("adapter-shape", "CONFORMS", "FTB647", "the adapter has the rank, targets and size that are claimed", run)
