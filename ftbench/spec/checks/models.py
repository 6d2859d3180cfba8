"""Built-in base models: they have exactly the revisions that come with ftbench."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import builtin, codes
from ftbench.diagnostics import did_you_mean
from ftbench.spec import knobs
from ftbench.spec.model import Choices, Spec
from ftbench.spec.paths import Path
from ftbench.spec.problems import Problem


def built_in(spec: Spec) -> Iterator[Problem]:
    """The spec's own base model, and those that a knob lets an entry choose."""
    yield from _exists(spec.model.base.name, spec.model.base.revision, ("model", "base"))
    knob = spec.knobs.get(knobs.BASE_MODEL)
    if isinstance(knob, Choices):
        for number, choice in enumerate(knob.choices):
            if isinstance(choice, dict):  # what is no model at all the knob's own check refuses
                name, revision = str(choice.get("name")), str(choice.get("revision"))
                yield from _exists(name, revision, ("knobs", knobs.BASE_MODEL, "choices", number))


def _exists(name: str, revision: str, at: Path) -> Iterator[Problem]:
    if not name.startswith("builtin/"):
        return
    known = builtin.MODELS.get(name)
    if known is None:
        hint = did_you_mean(name, builtin.MODELS) or f"there are: {', '.join(builtin.MODELS)}"
        yield Problem(codes.BUILTIN_MODEL, at, f"there is no built-in base model `{name}`", hint)
    elif revision != known:
        message = f"`{name}` has no revision {revision[:12]}: a built-in model's revision is the digest of its files"
        yield Problem(codes.BUILTIN_MODEL, at, message, f"it is {known}")
