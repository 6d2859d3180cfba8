"""The base model is the one named, by the digest of its files, and within the limit on its size."""

from __future__ import annotations

from ftbench.errors import MissingResource
from ftbench.verify import base
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare with the revision where that is a digest, and with the store where it has the model."""
    model, result = context.entry.model, context.result
    problems = []
    if context.started.base_model != result.base_model:
        problems.append("result and ledger name different base model files")
    if len(model.revision) == 64 and result.base_model != model.revision:
        problems.append(f"the entry names revision {model.revision[:12]}, the files are {result.base_model[:12]}")
    evidence = f"{model.name} {result.base_model[:12]}"
    try:
        digest = context.store.model_digest(model)
        folder = context.store.model_path(digest)
        parameters = base.parameters(folder)
    except MissingResource:
        what = "parameter count" if len(model.revision) == 64 else "files and parameter count"
        context.notes.append(f"The base model's {what}: {model.name} is not in the store.")
        return judge(problems, f"{evidence}; not in the store, so its parameter limit was not checked")
    if digest != result.base_model:
        problems.append(f"the store has {digest[:12]} for {model.name} at that revision, not {result.base_model[:12]}")
    if base.packed(folder):
        problems.append("its weights are stored quantised: its parameters cannot be counted")
    limit = context.spec.model.max_parameters
    if parameters > limit:
        problems.append(f"{parameters} parameters, at most {limit} are allowed")
    return judge(problems, f"{evidence}, {parameters} parameters of at most {limit}")


CHECK = Check("base-model", "CONFORMS", "FTB634", "the base model's files are those of the revision named", run)
