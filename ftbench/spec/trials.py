"""Tuning within a sweep: every setting's candidates, the same number for each, drawn before anything is run.

Pure, as `vary` is. A candidate is tried at the first seed; which one wins, its loss on the validation cut says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec import strategies, vary
from ftbench.spec.canonical import canonical, digest
from ftbench.spec.choices import CommitOf
from ftbench.spec.entry import Entry
from ftbench.spec.model import Spec
from ftbench.spec.vary import Setting

DRAWN = "ftbench/trials/v1"
"""What is hashed before a candidate's values, so that their order is nobody's choice."""

Ends = dict[str, Literal["least", "greatest"]]
"""Knob → what a winner's number is among those that were tried for its setting."""


@dataclass(frozen=True, slots=True)
class Contest:
    """One setting of the sweep and what is tried for it."""

    values: dict[str, Any]
    """What is varied → the value in force."""
    candidates: tuple[Setting, ...]
    """As many as each setting has trials; each has an entry for every seed."""


def contests(  # noqa: PLR0917
    spec: Spec,
    entry: Entry | None,
    varied: Sequence[str],
    tuned: Sequence[str],
    seeds: int,
    trials: int,
    *,
    sets: Sequence[str] = (),
    model: str | None = None,
    commit_of: CommitOf | None = None,
) -> list[Contest]:
    """The settings of `varied` in order, each with `trials` combinations of the values of `tuned`.

    A setting with more combinations gets those whose digests come first. `KIND:PATH=VALUE,…` of `tuned` is for the
    settings with that `strategy.kind`, one value being enough; a parameter that a kind does not use is left out of it.
    Raises InvalidInput as `vary.settings`; FTB918 where the spec sets no validation rows aside, or a setting has fewer
    combinations than trials.
    """
    if spec.data.validation is None:
        hint = "give the spec `data.validation` and `evaluation.checkpoint: best-validation`"
        raise InvalidInput(
            Diagnostic(codes.SELECTION, "this spec sets no validation rows aside to choose a setting by", hint=hint)
        )
    paths = [axis.path for axis in vary.axes(spec, varied)]
    every: list[Setting] = []
    for kind, some, those in _by_kind(spec, varied, tuned):
        held = [
            one
            for one in sets
            if kind is None or (vary.scope(one) in ("", kind) and not strategies.idle(kind, _path(one)))
        ]
        every += vary.settings(spec, entry, [*some, *those], seeds, sets=held, model=model, commit_of=commit_of)
    named = [*paths, *tuned_paths(tuned)]
    every = [replace(one, values={path: one.values.get(path) for path in named}) for one in every]
    groups: dict[bytes, list[Setting]] = {}
    for one in every:
        groups.setdefault(canonical({path: one.values[path] for path in paths}), []).append(one)
    made = [
        Contest({path: found[0].values[path] for path in paths}, tuple(_drawn(found, trials)))
        for found in groups.values()
    ]
    short = [contest for contest in made if len(contest.candidates) < trials]
    if short:
        raise InvalidInput([_too_few(contest, trials) for contest in short])
    return made


def tuned_paths(tuned: Sequence[str]) -> list[str]:
    """The knobs that `--tune` names, each once."""
    return list(dict.fromkeys(_path(one) for one in tuned))


def _by_kind(spec: Spec, varied: Sequence[str], tuned: Sequence[str]) -> list[tuple[str | None, list[str], list[str]]]:
    """(strategy, what is varied, what is tuned), parted where strategies are varied. Raises InvalidInput (FTB918)."""
    scoped = [(*one.partition("=")[0].rpartition(":")[::2], one) for one in tuned]
    axis = next((one for one in vary.axes(spec, varied) if one.path == strategies.KIND), None)
    kinds = axis.texts if axis is not None else ()
    if unknown := sorted({kind for kind, _, _ in scoped if kind and kind not in kinds}):
        hint = "name a kind that `--vary strategy.kind=…` has"
        raise InvalidInput(
            Diagnostic(codes.SELECTION, f"`--tune {unknown[0]}:…`: the sweep has no such strategy", hint=hint)
        )
    if axis is None:
        return [(None, list(varied), list(tuned))]
    found: list[tuple[str | None, list[str], list[str]]] = []
    for kind in axis.texts:
        some = [f"{axis.path}={kind}" if _path(one) == axis.path else one for one in varied]
        own = {path for other, path, _ in scoped if other == kind}
        those = [
            one.removeprefix(f"{other}:")
            for other, path, one in scoped
            if other == kind or (not other and path not in own and not strategies.idle(kind, path))
        ]
        found.append((kind, some, those))
    return found


def _path(option: str) -> str:
    return option.partition("=")[0].rpartition(":")[2].strip()


def _drawn(found: Sequence[Setting], trials: int) -> list[Setting]:
    """The first `trials` by digest, in the order of the product."""
    chosen = sorted(found, key=lambda one: digest([DRAWN, one.values]))[:trials]
    return [one for one in found if one in chosen]


def _too_few(contest: Contest, trials: int) -> Diagnostic:
    shown = ", ".join(f"{path}={value}" for path, value in contest.values.items() if value is not None)
    count = len(contest.candidates)
    return Diagnostic(
        codes.SELECTION,
        f"{shown} has {count} candidate{'s' if count != 1 else ''}, and every setting gets {trials} trials",
        hint="give `--tune` more values of a knob that it uses, or lower `--trials`",
    )
