"""A sweep's plan: the product of the values that `--vary` gives, each held to the spec's knobs, times seeds.

Pure: nothing is run here. All that is wrong is told at once, before any cell begins.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec import knobs, labels, near, strategies, yaml
from ftbench.spec.canonical import canonical, digest
from ftbench.spec.choices import CommitOf
from ftbench.spec.entries import resolve_entry
from ftbench.spec.entry import Entry, ResolvedEntry
from ftbench.spec.model import Spec

MODEL = "model"
"""What stands for the base model on the command line, whose path among knobs is `model.base`."""
MAX_CELLS = 1000
"""Most runs of one sweep."""

_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Axis:
    """One `--vary`: a path and the texts of its values, typed later as `--set` types them."""

    path: str
    texts: tuple[str, ...]

    def option(self, text: str) -> str:
        """The value as a choice of one, as messages name it."""
        return f"--vary {self.path}={text}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One combination of the values, for all seeds."""

    values: dict[str, Any]
    """Path → the value in force; null for a parameter that the strategy does not use. A model is NAME@REVISION."""
    entries: tuple[ResolvedEntry, ...]
    """One for each seed; they differ in nothing else. Their name tells the setting."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.entries[0].metadata.name


def paths(spec: Spec) -> list[str]:
    """What can be varied: `model` where the spec leaves it open, and every other knob."""
    others = sorted(name for name in spec.knobs if name != knobs.BASE_MODEL)
    return [MODEL, *others] if knobs.BASE_MODEL in spec.knobs else others


def axes(spec: Spec, varied: Sequence[str]) -> list[Axis]:
    """Every `--vary PATH=A,B`. Raises InvalidInput with all that is wrong: no knob, one value, the same path twice."""
    found: list[Diagnostic] = []
    made: list[Axis] = []
    for item in varied:
        path, equals, text = (part.strip() for part in item.partition("="))
        option = f"--vary {item}"
        if not equals or not path:
            hint = "for example `--vary adapter.rank=4,8`"
            found.append(Diagnostic(codes.VARY_SYNTAX, f"`{option}` is not PATH=VALUE,VALUE", hint=hint))
            continue
        if unfit := _no_knob(spec, path):
            found.append(replace(unfit, message=f"{option}: {unfit.message}"))
            continue
        texts = split(text)
        if "" in texts:
            found.append(
                Diagnostic(codes.VARY_SYNTAX, f"`{option}` has an empty value", hint="part values by one comma")
            )
        if len(texts) != len(set(texts)):
            found.append(Diagnostic(codes.VARY_SYNTAX, f"`{option}` gives a value twice", hint="leave one out"))
        if any(axis.path == path for axis in made):
            found.append(Diagnostic(codes.VARY_SYNTAX, f"`{path}` is varied twice", hint="give all its values at once"))
        made.append(Axis(path, tuple(texts)))
    if not varied:
        message = "nothing to vary: a sweep of one setting is a run"
        found.append(Diagnostic(codes.VARY_SYNTAX, message, hint="for example `--vary adapter.rank=4,8`"))
    if found:
        raise InvalidInput(found)
    return made


def split(text: str) -> list[str]:
    """The values of a list as typed: parted at commas that lie in no bracket and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += letter
    return [part.strip() for part in parts]


def settings(
    spec: Spec,
    entry: Entry | None,
    varied: Sequence[str],
    seeds: int,
    *,
    sets: Sequence[str] = (),
    model: str | None = None,
    commit_of: CommitOf | None = None,
) -> list[Setting]:
    """Every setting with its resolved entries, in the order of the product, the last `--vary` moving fastest.

    The seeds are the first `seeds` of `seeds.runs`. Combinations that come to the same values in force are one
    setting. A parameter that the strategy of a combination does not use is left out of it, and so is
    `KIND:PATH=VALUE` of `sets` where the strategy is another. Raises InvalidInput with every problem of every
    combination, and whatever `commit_of` raises.
    """
    given = axes(spec, varied)
    runs = spec.seeds.runs
    if not 1 <= seeds <= len(runs):
        hint = f"the spec lists {', '.join(map(str, runs))}"
        raise InvalidInput(Diagnostic(codes.SEED, f"`--seeds {seeds}`: the spec has {len(runs)} seeds", hint=hint))
    combinations = [dict(zip([a.path for a in given], texts, strict=True)) for texts in _product(given)]
    if len(combinations) * seeds > MAX_CELLS:
        message = f"{len(combinations)} combinations of values times {seeds} seeds are more than {MAX_CELLS} runs"
        raise InvalidInput(Diagnostic(codes.VARY_SYNTAX, message, hint="make several sweeps of it"))
    plan = _Plan(spec, entry, tuple(sets), model, commit_of)
    found = plan.unused(combinations)
    resolved: dict[bytes, tuple[dict[str, Any], list[ResolvedEntry]]] = {}
    for combination in combinations:
        try:
            first = plan.resolve(combination, runs[0])  # what is chosen does not depend on the seed
        except InvalidInput as error:
            found += [_renamed(one, given) for one in error.diagnostics]
            continue
        entries = [first.model_copy(update={"seed": seed}) for seed in runs[:seeds]]
        values = {path: _in_force(first, path) for path in combination}
        resolved.setdefault(canonical(values), (values, entries))
    if found:
        raise InvalidInput(list(dict.fromkeys(found)))
    named = _names([values for values, _ in resolved.values()], entry)
    return [
        Setting(values, tuple(_called(one, name) for one in entries))
        for name, (values, entries) in zip(named, resolved.values(), strict=True)
    ]


class _Plan:
    """What all combinations share."""

    def __init__(
        self, spec: Spec, entry: Entry | None, sets: tuple[str, ...], model: str | None, commit_of: CommitOf | None
    ) -> None:
        self.spec, self.entry, self.sets, self.model = spec, entry, sets, model
        self._ask = commit_of
        self._commits: dict[str, str] = {}

    def resolve(self, combination: dict[str, str], seed: int) -> ResolvedEntry:
        """The entry of one combination. Raises InvalidInput."""
        idle = self._idle(combination)
        wanted = [f"{path}={text}" for path, text in combination.items() if path not in idle and path != MODEL]
        own = (_for(combination.get(strategies.KIND), item) for item in self.sets)
        kept = [item for item in own if item and _path(item) not in idle and _path(item) not in combination]
        return resolve_entry(
            self.spec,
            self._without(idle | set(combination)),
            [*kept, *wanted],
            combination.get(MODEL, self.model),
            seed,
            commit_of=self._commit if self._ask else None,
        )

    def unused(self, combinations: Sequence[dict[str, str]]) -> list[Diagnostic]:
        """A problem for each parameter that no combination's strategy uses, and for what is both set and varied."""
        found = []
        everywhere = set.intersection(*(self._idle(one) for one in combinations))
        varied = set(combinations[0])
        for path in sorted(everywhere & (varied | {_path(item) for item in self.sets})):
            message = f"`{path}` has no effect: no strategy of this sweep uses it"
            found.append(Diagnostic(codes.NO_EFFECT, message, hint="leave it out, or vary `strategy.kind` too"))
        kinds = {one.get(strategies.KIND) for one in combinations}
        for item in self.sets:
            if (kind := scope(item)) and kind not in kinds:
                message = f"`--set {item}`: no strategy of this sweep is `{kind}`"
                found.append(Diagnostic(codes.NO_EFFECT, message, hint="leave it out, or vary `strategy.kind` too"))
            if _path(item) in varied:
                message = f"`--set {item}`: `{_path(item)}` is varied too"
                found.append(Diagnostic(codes.VARY_SYNTAX, message, hint="leave one of the two out"))
        if self.model is not None and MODEL in varied:
            message = "`--model` is given, and `--vary model=…` too"
            found.append(Diagnostic(codes.VARY_SYNTAX, message, hint="leave one of the two out"))
        return found

    def _idle(self, combination: dict[str, str]) -> set[str]:
        """Parameters that this combination's strategy does not use; none where the kind is not varied."""
        if strategies.KIND not in combination:
            return set()
        kind = _typed(combination[strategies.KIND])
        return {path for path in strategies.PATHS if strategies.idle(kind, path)} if kind is not None else set()

    def _without(self, paths: set[str]) -> Entry | None:
        """The entry without what this combination leaves unused or gives itself."""
        if self.entry is None:
            return None
        return self.entry.model_copy(
            update={"knobs": {path: value for path, value in self.entry.knobs.items() if path not in paths}}
        )

    def _commit(self, name: str) -> str:
        assert self._ask is not None
        if name not in self._commits:
            self._commits[name] = self._ask(name)
        return self._commits[name]


def _product(given: Sequence[Axis]) -> list[tuple[str, ...]]:
    size = 1
    for axis in given:
        size *= len(axis.texts)
    if size > MAX_CELLS:
        message = f"the values given make {size} combinations; a sweep has at most {MAX_CELLS} runs"
        raise InvalidInput(Diagnostic(codes.VARY_SYNTAX, message, hint="make several sweeps of it"))
    return list(itertools.product(*(axis.texts for axis in given)))


def _no_knob(spec: Spec, path: str) -> Diagnostic | None:
    """Why a path cannot be varied; None for a knob."""
    if path == MODEL or (path in spec.knobs and path != knobs.BASE_MODEL):
        return None
    open_ = ", ".join(paths(spec)) or "none"
    if path == knobs.BASE_MODEL:
        return Diagnostic(codes.VARY_SYNTAX, "a model is varied by name", hint="`--vary model=NAME@REVISION,…`")
    if path.partition(".")[0] in ("seed", "seeds"):
        return Diagnostic(codes.VARY_SYNTAX, "seeds are not varied", hint="`--seeds N` takes the spec's first N")
    if knobs.shape(spec, path) is None:
        hint = near.hint(Spec, path) or did_you_mean(path, paths(spec)) or f"this spec's knobs: {open_}"
        return Diagnostic(codes.UNKNOWN_KNOB, f"the spec has no field `{path}`", hint=hint)
    reason = knobs.closed(path) or "it is the same for every entry, and scores are compared because it is"
    return Diagnostic(codes.FROZEN, f"`{path}` is frozen by the spec: {reason}", hint=f"this spec's knobs: {open_}")


def _renamed(problem: Diagnostic, given: Sequence[Axis]) -> Diagnostic:
    """The problem with the option that the user typed in the place of the one that stands for it."""
    for axis in given:
        for text in axis.texts:
            stand_in = f"--model {text}" if axis.path == MODEL else f"--set {axis.path}={text}"
            for ending in (":", "`"):
                if f"{stand_in}{ending}" in problem.message:
                    message = problem.message.replace(f"{stand_in}{ending}", f"{axis.option(text)}{ending}")
                    return replace(problem, message=message)
    return problem


def _typed(text: str) -> Any:
    try:
        return yaml.read_text(text, "--vary").value
    except InvalidInput:  # told where the combination is resolved
        return None


def scope(item: str) -> str:
    """The strategy that `KIND:PATH=…` is for; empty: for all."""
    return item.partition("=")[0].rpartition(":")[0].strip()


def _path(item: str) -> str:
    return item.partition("=")[0].rpartition(":")[2].strip()


def _for(kind: str | None, item: str) -> str:
    """What is set where the strategy is `kind`; empty: nothing."""
    own = scope(item)
    return "" if own and own != kind else item.strip().removeprefix(f"{own}:")


def _in_force(entry: ResolvedEntry, path: str) -> Any:
    return f"{entry.model.name}@{entry.model.revision}" if path == MODEL else entry.knobs[path]


def _called(entry: ResolvedEntry, name: str) -> ResolvedEntry:
    return entry.model_copy(update={"metadata": entry.metadata.model_copy(update={"name": name})})


def _names(values: Sequence[dict[str, Any]], entry: Entry | None) -> list[str]:
    """A name for each setting: its own values in short, with digits of their digest where that is no name by itself."""
    prefix = [entry.metadata.name] if entry else []
    short = [
        "-".join([*prefix, *(labels.word(path, value) for path, value in one.items() if value is not None)])
        for one in values
    ]
    return [
        name if 0 < len(name) <= labels.LONGEST and short.count(name) == 1 else labels.cut(name, digest(one))
        for name, one in zip(short, values, strict=True)
    ]
