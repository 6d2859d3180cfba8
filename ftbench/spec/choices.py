"""What a participant chose, from an entry or the command line, held against the spec and put into force."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec import checks, knobs, near, paths, strategies, words, yaml
from ftbench.spec.entry import Entry, ModelChoice
from ftbench.spec.model import Spec
from ftbench.spec.primitives import REVISION
from ftbench.spec.problems import problems
from ftbench.spec.yaml import Document

_REVISION = re.compile(REVISION)

CommitOf = Callable[[str], str]
"""Name of a model on the hub → the commit of its main branch."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A value and where it was given."""

    value: Any
    place: Place | None = None
    option: str = ""
    """The command-line option it came from."""


def from_entry(entry: Entry, document: Document | None, found: list[Diagnostic]) -> dict[str, Chosen]:
    """What the entry's file chose; problems are added to `found`."""

    def place(*path: str) -> Place | None:
        return document.place(path) if document else None

    chosen = {name: Chosen(value, place("knobs", name)) for name, value in entry.knobs.items()}
    if knobs.BASE_MODEL in chosen:
        misplaced = chosen.pop(knobs.BASE_MODEL)
        message = "an entry names its base model under `model`, not among the knobs"
        found.append(_diagnostic(message, misplaced, "`model: {name: …, revision: …}`"))
    if entry.model is not None:
        chosen[knobs.BASE_MODEL] = Chosen(entry.model.model_dump(mode="json"), place("model"))
    return chosen


def from_options(
    spec: Spec, entry: Entry | None, sets: Sequence[str], model: str | None, found: list[Diagnostic]
) -> dict[str, Chosen]:
    """What `--set` and `--model` chose; problems are added to `found`."""
    chosen: dict[str, Chosen] = {}
    for item in sets:
        path, equals, text = item.partition("=")
        option = f"--set {item}"
        if not equals or not path.strip():
            hint = "for example `--set adapter.rank=16`"
            found.append(Diagnostic(codes.SET_SYNTAX, f"`{option}` is not PATH=VALUE", hint=hint))
            continue
        if path.strip() == knobs.BASE_MODEL:
            found.append(Diagnostic(codes.SET_SYNTAX, f"`{option}`: a model is chosen with `--model NAME@REVISION`"))
            continue
        if path.strip() in chosen:
            found.append(Diagnostic(codes.SET_SYNTAX, f"`{path.strip()}` is set twice on the command line"))
        try:
            value = yaml.read_text(text, option).value
        except InvalidInput as error:
            found += [Diagnostic(codes.SET_SYNTAX, f"`{option}`: {d.message}", None, d.hint) for d in error.diagnostics]
            continue
        chosen[path.strip()] = Chosen(value, option=option)
    if model is not None and (base := _model(spec, entry, model, found)):
        chosen[knobs.BASE_MODEL] = Chosen(base, option=f"--model {model}")
    return chosen


def _model(spec: Spec, entry: Entry | None, text: str, found: list[Diagnostic]) -> dict[str, str | None] | None:
    name, at, given = text.partition("@")
    name = name if "/" in name else f"builtin/{name}"
    known = {ref.name: ref.revision for ref in (spec.model.base, entry.model if entry else None) if ref}
    revision = given if at else known.get(name)
    if revision is not None and not _REVISION.fullmatch(revision):
        message = f"`--model {text}`: the revision must be 40 or 64 hexadecimal digits in lower case"
        hint = "branches and tags move; give the commit, or for a built-in model its digest"
        found.append(Diagnostic(codes.MODEL_REVISION, message, hint=hint))
        return None
    value = {"name": name, "revision": revision}
    try:
        ModelChoice.model_validate(value)
    except ValidationError:
        message = f"`--model {text}` is not NAME or NAME@REVISION"
        found.append(Diagnostic(codes.MODEL_SYNTAX, message, hint="for example `--model builtin/micro`"))
        return None
    return value


def complete(chosen: dict[str, Chosen], commit_of: CommitOf | None, found: list[Diagnostic]) -> None:
    """Give a base model that was chosen without a revision its commit; one that cannot have one is taken out."""
    choice = chosen.get(knobs.BASE_MODEL)
    if choice is None or choice.value["revision"] is not None:
        return
    name = choice.value["name"]
    if commit_of is not None and not name.startswith("builtin/"):
        chosen[knobs.BASE_MODEL] = replace(choice, value={"name": name, "revision": commit_of(name)})
        return
    del chosen[knobs.BASE_MODEL]
    message = f"the base model `{name}` is named without a revision, so that two runs might use two models"
    hint = "a built-in model has a digest" if name.startswith("builtin/") else "`ftbench run` finds the commit, online"
    found.append(_diagnostic(message, choice, hint, codes.MODEL_REVISION))


def settle(spec: Spec, chosen: dict[str, Chosen], found: list[Diagnostic]) -> Spec:
    """The spec with the chosen values in force. What is wrong with one is added to `found` and it is left out.

    Where another kind of strategy is chosen, parameters that it does not use become null.
    """
    plain = spec.model_dump(mode="json")
    kind = chosen[strategies.KIND].value if strategies.KIND in chosen else spec.strategy.kind
    refused = len(found)
    _without_idle(spec, kind, plain, set(chosen))
    for path, choice in chosen.items():
        if diagnostic := _refusal(spec, plain, kind, path, choice):
            found.append(diagnostic)
        else:
            paths.put(plain, knobs.path(path), choice.value)
    try:
        settled = Spec.model_validate(plain)
    except ValidationError as error:
        for problem in problems(Spec, plain, error):
            culprit = _culprit(chosen, problem.path)
            found.append(_diagnostic(problem.message, culprit, problem.hint))
        return spec
    if len(found) == refused:
        for problem in checks.run(settled):
            if problem.severity != "error":  # who publishes the spec was warned
                continue
            culprit = _culprit(chosen, problem.path)
            if problem.code == codes.BUILTIN_MODEL:  # wrong by itself, not together with other choices
                found.append(_diagnostic(problem.message, culprit, problem.hint, problem.code))
                continue
            hint = "; ".join(part for part in ("with the knobs chosen", problem.hint) if part)
            found.append(_diagnostic(problem.message, culprit, hint))
    return settled


def _culprit(chosen: dict[str, Chosen], path: paths.Path) -> Chosen | None:
    for name, choice in chosen.items():
        inside = knobs.path(name)
        if path[: len(inside)] == inside or inside[: len(path)] == path:
            return choice
    return None


def _diagnostic(message: str, choice: Chosen | None, hint: str, code: str = codes.KNOB_VALUE) -> Diagnostic:
    prefix = f"{choice.option}: " if choice and choice.option else ""
    return Diagnostic(code, prefix + message, choice.place if choice else None, hint)


def _refusal(spec: Spec, plain: dict[str, Any], kind: object, path: str, choice: Chosen) -> Diagnostic | None:
    knob = spec.knobs.get(path)
    open_ = ", ".join(sorted(spec.knobs)) or "none"
    if knob is None:
        try:
            own = knobs.value(spec, path)
        except KeyError:
            known = [*spec.knobs, *_leaves(plain)]
            hint = near.hint(Spec, path, choice.value) or did_you_mean(path, known) or f"knobs of this spec: {open_}"
            return _diagnostic(f"the spec has no field `{path}`", choice, hint, codes.UNKNOWN_KNOB)
        if path == knobs.BASE_MODEL and own == choice.value:
            return None
        reason = knobs.closed(path) or "it is the same for every entry, and scores are compared because it is"
        message = f"`{path}` is frozen by the spec: {reason}"
        return _diagnostic(message, choice, f"knobs of this spec: {open_}", codes.FROZEN)
    if choice.value is None and strategies.idle(kind, path):
        return None
    if not knobs.allows(knob, choice.value):
        allowed = knobs.describe(knob, knobs.shape(spec, path))
        return _diagnostic(f"`{path}`: {_shown(choice.value)} is outside what the spec allows: {allowed}", choice, "")
    return None


def _shown(value: Any) -> str:
    """A value with its type: the text `8` is not the number `8`. A base model is its name."""
    if isinstance(value, dict) and set(value) == {"name", "revision"}:
        return words.quoted(value["name"])
    return words.found(value)


def _leaves(value: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, item in value.items():
        names += _leaves(item, f"{prefix}{key}.") if isinstance(item, dict) and item else [f"{prefix}{key}"]
    return names


def _without_idle(spec: Spec, kind: object, plain: dict[str, Any], chosen: set[str]) -> None:
    """Set parameters that `kind` does not use to null in `plain`, a spec as JSON, unless they were chosen."""
    if kind == spec.strategy.kind:
        return
    for name in strategies.EVERY:
        if not strategies.uses(kind, name) and f"{strategies.BLOCK}.{name}" not in chosen:
            plain[strategies.BLOCK][name] = None
