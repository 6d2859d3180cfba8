"""Each field of a spec changed once: the plan moves, or it is declared to move nothing; and somebody reads it."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import ftbench
from ftbench import builtin
from ftbench.compile.values import hashed, without_nulls
from ftbench.spec.canonical import canonical
from ftbench.spec.entry import Entry
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec
from ftbench.spec.primitives import Block

HOUSE = Path(ftbench.__file__).parent
CASES = Path(__file__).parent.parent / "spec" / "cases"
MODELS = ["model", "tasks", "sources", "faults", "privacy", "transport", "objective", "partitions", "budgets", "entry"]

UNHASHED = {"Metadata", "Reporting", "ClusterKey", "SpotRule"}
"""Blocks that are no part of the spec hash."""
PLACES = {("FileSource", name) for name in ("files", "format", "member", "sha256", "licence")}
"""Where a local file's bytes lie and how they are packed: the pins have its rows by digest."""
WORDS = {
    ("Data", "loss_on"),
    ("Training", "data_order"),
    ("References", "untuned"),
    ("Free", "free"),
    ("DpoObjective", "loss"),
    ("Spec", "ftbench"),
}
"""Fields with one word: they state a condition, and any other word is refused. `kind` is another block."""
ASIDE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("training.schedule", {"kind": "constant", "learning_rate": 0.1}),
    ("federation.partition", {"kind": "pathological", "label": "answer", "classes": 2}),
    ("federation.partition", {"kind": "shard", "label": "answer", "shards": 2}),
    ("federation.partition", {"kind": "size-skew", "growth": "linear", "ratio": 2.0}),
    ("data.source", {"kind": "file", "files": ["a.jsonl"], "format": "jsonl", "licence": "CC0-1.0"}),
    ("reporting", {"reading": "x", "spot": {"items": 2}}),
)
"""Blocks of no spec below, put into the quickstart."""


def bases() -> Iterator[Spec]:
    for path in [*builtin.specs().values(), *sorted(CASES.glob("*-valid.yaml"))]:
        if path.stem != "strategy-knobs-valid":  # extends a case that is refused by itself
            yield load_spec(path).spec
    plain = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    for path, block in ASIDE:
        changed = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
        *above, last = path.split(".")
        at = changed
        for key in above:
            at = at[key]
        at[last] = block
        assert changed != plain
        yield Spec.model_validate(changed)


def blocks(block: Block, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Block]]:
    yield path, block
    for name in type(block).model_fields:
        value = getattr(block, name)
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in [(None, value), *inner]:
            if isinstance(one, Block):
                yield from blocks(one, (*path, name) if key is None else (*path, name, key))


def others(block: Block, name: str) -> Iterator[Any]:
    """Values of a field that are not the one it has."""
    info, value = type(block).model_fields[name], getattr(block, name)
    kind: Any = info.annotation
    for limit in info.metadata:
        kind = typing.Annotated[kind, limit]
    guesses: list[Any] = [
        *words(info.annotation),
        None,
        1,
        2,
        0.3,
        0.9,
        True,
        "x",
        "1.2.3",
        "a" * 40,
        "b" * 64,
        [1, 2],
        [0.5],
    ]
    if isinstance(value, int | float):
        guesses += [value + 1, value * 2, value / 2, value - 1]
    if isinstance(value, str):
        guesses += [f"{value}x", f"x{value}"]
    if isinstance(value, dict):
        guesses += [{**value, "x": "x"}, {}]
    if isinstance(value, list):
        guesses += [value[:-1], value[::-1], ["x"], ["x==1"]]
    for one in guesses:
        try:
            found = TypeAdapter(kind).validate_python(one)
        except ValidationError:
            continue
        if found != value:
            yield found


def words(kind: Any) -> Iterator[Any]:
    if typing.get_origin(kind) is typing.Literal:
        yield from typing.get_args(kind)
    for one in typing.get_args(kind):
        if not isinstance(one, str | int | float | None):
            yield from words(one)


def put(spec: Spec, path: tuple[Any, ...], name: str, value: Any) -> Spec:
    changed = spec.model_copy(deep=True)
    at: Any = changed
    for key in path:
        at = at[key] if isinstance(at, list | dict) else getattr(at, key)
    at.__dict__[name] = value
    return changed


def plan(spec: Spec) -> bytes:
    return canonical(without_nulls(hashed(spec)))


def plain_fields(model: type[Block]) -> set[tuple[str, str]]:
    """Every field below `model` that is no block itself."""
    seen: set[type[Block]] = set()

    def below(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, Block) and kind not in seen:
            seen.add(kind)
            for info in kind.model_fields.values():
                below(info.annotation)
        for one in typing.get_args(kind):
            below(one)

    def whole(kind: Any) -> bool:
        return any(isinstance(one, type) and issubclass(one, Block) for one in (kind, *typing.get_args(kind)))

    below(model)
    return {
        (one.__name__, name) for one in seen for name, info in one.model_fields.items() if not whole(info.annotation)
    }


@pytest.fixture(scope="module")
def moved() -> dict[tuple[str, str], bool]:
    """Field → whether another value of it makes another plan."""
    found: dict[tuple[str, str], bool] = {}
    for spec in bases():
        before = plan(spec)
        for path, block in blocks(spec):
            for name in type(block).model_fields:
                key = (type(block).__name__, name)
                if key not in found and (value := next(others(block, name), spec)) is not spec:
                    found[key] = plan(put(spec, path, name, value)) != before
    return found


def test_every_field_moves_the_plan_or_is_declared_not_to(moved: dict[tuple[str, str], bool]) -> None:
    fields = {key for key in plain_fields(Spec) if key[1] != "kind" and key not in WORDS}
    assert fields <= moved.keys(), "a field that no spec here has, or that has one value: put it into ASIDE or WORDS"
    still = {key for key in fields if not moved[key]}
    assert still == {key for key in fields if key[0] in UNHASHED or key in PLACES}


def test_every_field_is_read_by_somebody() -> None:
    ours = {HOUSE / "spec" / f"{name}.py" for name in MODELS}
    said = [
        p for p in HOUSE.rglob("*") if p.suffix in {".py", ".html"} and p not in ours and "checks" not in p.parts[-3:]
    ]
    text = "\n".join(path.read_text("utf-8") for path in said)
    lone = {name for _, name in plain_fields(Spec) | plain_fields(Entry) if not re.search(rf"""[."']{name}\b""", text)}
    assert lone <= {name for _, name in WORDS}
    about = "\n".join((HOUSE / "site" / "templates" / page).read_text() for page in ("table.html", "entry.html"))
    for name in ("description", "authors", "licence", "pair", "source"):
        assert re.search(rf"\b{name}\b", about), f"nobody shows metadata.{name}"
