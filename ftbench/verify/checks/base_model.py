"""The base model is the one named, as far as this verifier knows that, and within the limit on its size."""

from __future__ import annotations

from ftbench.data.store import FETCH
from ftbench.errors import MissingResource
from ftbench.spec.outline import Outline
from ftbench.verify.check import Check, Failure, NotRun, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Hold result, ledger and outline to one another and to what is known here of the revision; count parameters."""
    model, told, outline = context.entry.model, context.result.base_model, context.outline
    problems = []
    if context.started.base_model != told:
        problems.append("result and ledger name different base model files")
    if outline.digest != told:
        problems.append(f"the bundle describes files {outline.digest[:12]}, the result names {told[:12]}")
    if len(model.revision) == 64 and told != model.revision:
        problems.append(f"the entry names revision {model.revision[:12]}, the files are {told[:12]}")
    if context.base.packed:
        problems.append("its weights are stored quantised: its parameters cannot be counted")
    parameters, limit = context.base.parameters, context.spec.model.max_parameters
    if parameters > limit:
        problems.append(f"{parameters} parameters, at most {limit} are allowed")
    try:
        known = _known(context)
    except (NotRun, MissingResource):
        if problems:  # what is wrong is wrong, whatever the revision is
            return judge(problems, "")
        raise
    if known.digest != told:
        problems.append(f"{model.name} at that revision has files {known.digest[:12]}, not {told[:12]}")
    elif known != outline:
        problems.append(f"the bundle's headers are not those of {model.name} at that revision")
    source = "the weights here"
    if not context.store.has_model(known.digest):
        source = "its headers"
        context.notes.append(
            f"That the headers of {model.name} are those of its weights: the weights are not here, and the hub was "
            "believed."
        )
    return judge(problems, f"{model.name} {told[:12]}, {parameters} parameters by {source}, of at most {limit}")


def _known(context: Context) -> Outline:
    """What this verifier itself has of the revision, from a store of its own and never from the bundle.

    A digest names files and not whose they are, so that it is taken from the spec, from what is built in, or where
    this verifier's own store was told the name (`data add --model`).
    """
    model, store = context.entry.model, context.store
    name = f"{model.name}@{model.revision}"
    own = len(model.revision) == 64 and model != context.spec.model.base and not model.name.startswith("builtin/")
    if own and not store.is_named(model):
        raise NotRun(
            f"{name} is no commit of a hub: nothing here says that these are files of {model.name}; who has them: "
            f"ftbench data add --model DIR --name {model.name}"
        )
    try:
        return store.outline(store.model_digest(model), name)
    except MissingResource as error:
        told = "; ".join(one.message for one in error.diagnostics)
        hint = f"; who has it: ftbench data add --model DIR --name {model.name}" if own else ""
        hint = f"; where there is a connection: {FETCH} {name} --no-weights" if len(model.revision) == 40 else hint
        raise NotRun(f"this revision is not known here: {told}{hint}") from error


CHECK = Check("base-model", "CONFORMS", "FTB634", "the base model's files are those of the revision named", run)
