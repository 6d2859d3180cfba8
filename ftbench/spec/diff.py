"""Why two specs or two plans are not the same benchmark: typed edits, each with how much it matters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ftbench.spec.canonical import canonical
from ftbench.spec.model import Spec

Impact = Literal["same", "cosmetic", "operational", "score-affecting", "incomparable"]
IMPACTS: tuple[Impact, ...] = ("same", "cosmetic", "operational", "score-affecting", "incomparable")
MEANING: dict[Impact, str] = {
    "same": "nothing differs",
    "cosmetic": "only what people read differs; the spec hash is the same",
    "operational": "scores stay what they are; how they are reported or when a run ends may differ",
    "score-affecting": "the same question is answered under other conditions",
    "incomparable": "another question is asked",
}

# The one table of how much an edit matters; the first pattern that matches a path decides. `*` is one part of a path,
# `**` any number. Paths are those of a spec; those of a plan have `pins`, `code` and `stack` beside it.
RULES: tuple[tuple[str, Impact], ...] = (
    ("metadata.**", "cosmetic"),
    ("reporting.**", "cosmetic"),
    ("format", "incomparable"),
    ("ftbench", "incomparable"),
    ("evaluation.tasks.*.source.redistribute", "operational"),
    ("data.source.licence", "operational"),
    ("evaluation.tasks.*.source.licence", "operational"),
    ("data.source.**", "incomparable"),
    ("data.columns.**", "incomparable"),
    ("federation.clients", "incomparable"),
    ("federation.partition.**", "incomparable"),
    ("federation.min_replies", "operational"),
    ("federation.weigh_by", "score-affecting"),
    ("evaluation.tasks.*.reference", "operational"),  # what `lock` holds stop strings to
    ("evaluation.tasks.**", "incomparable"),
    ("evaluation.canaries.**", "incomparable"),  # other training rows
    ("evaluation.confidence", "operational"),
    ("evaluation.references.**", "operational"),
    ("pins.sources.*.inputs", "operational"),
    ("pins.sources.*.licence", "operational"),
    ("pins.sources.*.revision", "operational"),  # the digest says whether the rows are others
    ("pins.sources.**", "incomparable"),
    ("pins.partition.inputs", "operational"),
    ("pins.format", "operational"),
    ("**", "score-affecting"),
)


def _regex(pattern: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in pattern.split(".")]
    text = "/".join(parts).replace(r"/\*\*", "(/.*)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(text)


_RULES = tuple((_regex(pattern), impact) for pattern, impact in RULES)


@dataclass(frozen=True, slots=True)
class Edit:
    """One difference. `old` or `new` is ABSENT where the path stands on one side only."""

    path: str
    old: Any
    new: Any
    impact: Impact

    def as_json(self) -> dict[str, object]:
        """For machines; a side that is absent is left out."""
        sides = {name: value for name, value in (("old", self.old), ("new", self.new)) if value is not ABSENT}
        return {"path": self.path, "impact": self.impact, **sides}


class Absent:
    """The type of ABSENT."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Diff:
    """All edits, in the order of their paths, and the gravest impact among them."""

    edits: tuple[Edit, ...]

    @property
    def impact(self) -> Impact:
        """The gravest impact of any edit; `same` where there is none."""
        return max((edit.impact for edit in self.edits), key=IMPACTS.index, default="same")


def diff_specs(old: Spec, new: Spec) -> Diff:
    """Edits that lead from one spec to another, defaults filled in."""
    return Diff(tuple(_edits(old.model_dump(mode="json"), new.model_dump(mode="json"), ())))


def diff_plans(old: Mapping[str, Any], new: Mapping[str, Any]) -> Diff:
    """Edits that lead from one `plan.json` to another. Paths of the spec stand without a leading `spec`."""
    return Diff(tuple(_edits(_flat(old), _flat(new), ())))


def _flat(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in plan.items() if key != "spec"}, **plan.get("spec", {})}


def impact_of(path: tuple[str, ...]) -> Impact:
    """How much an edit at `path` matters, by RULES."""
    text = "/".join(part.replace("/", "\\") for part in path)
    return next(impact for rule, impact in _RULES if rule.fullmatch(text))


def _edits(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Edit]:
    if old is ABSENT or new is ABSENT or not _same(old, new):
        before, after = _parts(old), _parts(new)
        if before is None or after is None:
            yield Edit(_show(path), old, new, impact_of(path))
            return
        found = False
        for key in sorted(before.keys() | after.keys()):
            for edit in _edits(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key)):
                found = True
                yield edit
        if not found:  # the same named items in another order
            yield Edit(_show(path), list(before), list(after), impact_of(path))


def _same(old: Any, new: Any) -> bool:
    return canonical(old) == canonical(new)


def _parts(value: Any) -> dict[str, Any] | None:
    """What is compared part by part: mappings by key, lists of named things by name. Others are compared whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        named = {str(item["name"]): item for item in value}
        return named if len(named) == len(value) else None
    return None


def _show(path: tuple[str, ...]) -> str:
    return ".".join(path)
