"""A verified bundle as an observation: levels of factors, a seed, a score, and the marks behind it.

A factor is anything in which the specs in force differ: a knob that an entry set, or a field in which two benchmarks
are unlike. Fields that say together one thing of the method have one name (`NAMES`); what a sweep chose by
validation is part of the method that chose it and no factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbench.board.submission import Clusters, Marks, Submission
from ftbench.compile.plan import Plan
from ftbench.spec import strategies
from ftbench.spec.canonical import canonical, digest
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry

DOMAIN, MODEL, STRATEGY, PARTITION, BITS = "domain", "model", "strategy", "partition", "bits"
NAMES = {
    "adapter.kind": "adapter",
    "adapter.rank": "rank",
    "federation.rounds": "rounds",
    "federation.clients": "clients",
    "training.local_steps": "local steps",
}
"""Path of the spec → what the field is called; others go by their path."""
TOGETHER = {
    "model.base.": MODEL,
    "model.dtype": BITS,
    "model.quantization.": BITS,
    "strategy.": STRATEGY,
    "federation.partition.": PARTITION,
    "evaluation.tasks": DOMAIN,
    "data.": DOMAIN,
}
"""Beginning of paths → the factor that they are all part of."""
LEFT_OUT = ("metadata", "knobs", "reporting", "seeds", "budget", "evaluation.references", "evaluation.also")
"""Blocks that say nothing of how a score came about."""


@dataclass(frozen=True)
class Observation:
    """One run."""

    factors: Mapping[str, str]
    """Factor → level, of the factors in which the observations differ."""
    seed: int
    score: float
    """Plain mean over tasks, 0 to 1."""
    marks: Marks
    """Task → item by item 1 where the answer is right; empty where unknown."""
    items: str
    """Digest of the items asked: observations with the same can be paired."""
    path: str = ""
    """Where it lies."""
    learnt: bool = True
    """Whether the score's interval lies above the best constant answer, or no such answer is known."""


@dataclass(frozen=True)
class Source:
    """What an observation is made from."""

    submission: Submission
    plan: Plan
    clusters: Clusters | None = None


def observe(sources: Sequence[Source]) -> list[Observation]:
    """An observation for each bundle, by path. Factors are those in which at least two of them differ."""
    ordered = sorted(sources, key=lambda one: one.submission.path)
    flat = _apart([_levels(one) for one in ordered])
    named = _domains(ordered, flat)
    flat = [{**one, DOMAIN: named[one[DOMAIN]]} for one in flat]
    names = sorted({name for one in flat for name in one})
    varied = [name for name in names if len({one.get(name, "none") for one in flat}) > 1]
    return [
        Observation(
            factors={name: one.get(name, "none") for name in varied},
            seed=source.submission.result.seed,
            score=source.submission.result.scores.tuned.value,
            marks=source.submission.marks,
            items=_items(source),
            path=source.submission.path,
            learnt=_learnt(source),
        )
        for source, one in zip(ordered, flat, strict=True)
    ]


def _learnt(source: Source) -> bool:
    scores = source.submission.result.scores
    return scores.majority is None or scores.tuned.interval.low > scores.majority


def _apart(levels: Sequence[Mapping[str, tuple[str, str]]]) -> list[dict[str, str]]:
    """The words alone, with digits of what they stand for where one word would stand for two things."""
    meant: dict[tuple[str, str], set[str]] = {}
    for one in levels:
        for name, (word, exact) in one.items():
            meant.setdefault((name, word), set()).add(exact)
    return [
        {
            name: word if len(meant[name, word]) == 1 else f"{word} {digest(exact)[:4]}"
            for name, (word, exact) in one.items()
        }
        for one in levels
    ]


def _levels(source: Source) -> dict[str, tuple[str, str]]:
    """Factor → its level in words, and in full."""
    entry = source.submission.entry
    assert entry is not None
    spec = apply(source.plan.typed_spec(), entry).model_dump(mode="json", exclude_none=True)
    chosen = source.submission.result.selection
    skipped = set(chosen.tuned) if chosen is not None else set()
    values = {
        path: value
        for path, value in _flat(spec).items()
        if path not in skipped and not any(path == name or path.startswith(f"{name}.") for name in LEFT_OUT)
    }
    found: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        found.setdefault(_factor(path), {})[path] = value
    return {name: (_level(name, one, entry), canonical(one).decode()) for name, one in found.items()}


def _domains(sources: Sequence[Source], flat: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Digest of data and tasks → a name: the shortest of the benchmarks that have them, with digits where it is not
    the only one of that name."""
    found: dict[str, set[str]] = {}
    for source, one in zip(sources, flat, strict=True):
        found.setdefault(one[DOMAIN], set()).add(source.plan.metadata.name)
    shortest = {key: min(names, key=lambda name: (len(name), name)) for key, names in found.items()}
    names = list(shortest.values())
    return {key: name if names.count(name) == 1 else f"{name} {key[:4]}" for key, name in shortest.items()}


def _factor(path: str) -> str:
    if path in NAMES:
        return NAMES[path]
    return next((name for beginning, name in TOGETHER.items() if path.startswith(beginning)), path)


def _level(name: str, values: Mapping[str, Any], entry: ResolvedEntry) -> str:
    """A level in words."""
    if name == MODEL:
        return entry.model.name
    if name == STRATEGY:
        kind = str(values[strategies.KIND])
        rest = {path.rpartition(".")[2]: value for path, value in values.items() if path != strategies.KIND}
        return " ".join([kind, *(f"{key}={_word(value)}" for key, value in sorted(rest.items()))])
    if name == PARTITION:
        return " ".join(_word(value) for _, value in sorted(values.items(), key=lambda one: _kind_first(one[0])))
    if name == DOMAIN:
        return digest(dict(values))
    if name == BITS:
        return _bits({path.rpartition(".")[2]: value for path, value in values.items()})
    written = {path: _word(value) for path, value in sorted(values.items())}
    return ", ".join(written.values() if len(written) == 1 else (f"{path}={word}" for path, word in written.items()))


def _bits(model: Mapping[str, Any]) -> str:
    """`16 bits`, `4 bits fp4`: how the frozen weights are held, and what they are multiplied in if not in bfloat16."""
    dtype = model["dtype"]
    if "bits" not in model:
        return "32 bits" if dtype == "float32" else "16 bits"
    inside = model.get("compute_dtype") or dtype
    return " ".join(
        [
            f"{model['bits']} bits {model['kind']}",
            *(["double"] if model["double"] else []),
            *([f"in {inside}"] if inside != "bfloat16" else []),
            *([f"between {dtype}"] if inside != dtype else []),
        ]
    )


def _kind_first(path: str) -> tuple[bool, str]:
    return not path.endswith(".kind"), path


def _word(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings → dotted paths; a list is one value."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{prefix}.{key}" if prefix else key)
    return found


def _items(source: Source) -> str:
    """The pinned test items: those of two benchmarks may be the same."""
    sources = source.plan.pins.sources
    return digest({name: pin.digest for name, pin in sources.items() if name.startswith("task:")})
