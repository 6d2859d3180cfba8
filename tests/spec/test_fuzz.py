"""Whatever is done to a spec, it loads, or is refused with diagnostics that have a position. Nothing else ever."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from ftbench import builtin
from ftbench.errors import InvalidInput
from ftbench.spec import yaml
from ftbench.spec.canonical import digest
from ftbench.spec.entries import dump_resolved, load_entry, parse_resolved, resolve_entry
from ftbench.spec.explain import explain
from ftbench.spec.load import load_spec


def _mutate() -> ModuleType:
    path = Path(__file__).with_name("mutate.py")
    found = importlib.util.spec_from_file_location("spec_mutate", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def outcome(data: bytes, folder: Path) -> str:
    path = folder / "spec.yaml"
    path.write_bytes(data)
    try:
        loaded = load_spec(path)
    except InvalidInput as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.place and diagnostic.place.line >= 1 and diagnostic.place.column >= 1, diagnostic
            assert diagnostic.message
            assert all(c.isprintable() or c == "\n" for c in diagnostic.plain())
        return error.diagnostics[0].code
    digest(loaded.spec.model_dump(mode="json"))
    explain(loaded, "training")
    try:
        resolved = resolve_entry(loaded.spec, None)
    except InvalidInput:
        return "loads, no entry"
    assert parse_resolved(dump_resolved(resolved)) == resolved
    return "loads"


def fuzz(cases: int, seed: int, folder: Path) -> Counter[str]:
    mutate = _mutate()
    source = builtin.specs()["quickstart"]
    base, tree = source.read_bytes(), yaml.read(source).value
    (folder / "parent.yaml").write_bytes(base)
    counts: Counter[str] = Counter()
    for number in range(cases):
        data = mutate.mutated(base, tree, random.Random(f"{seed}/{number}"))
        try:
            counts[outcome(data, folder)] += 1
        except Exception as error:
            (folder / f"mutant-{number}.yaml").write_bytes(data)
            raise AssertionError(f"mutant {number} of seed {seed}, kept in {folder}: {error!r}") from error
    return counts


def test_mutants(tmp_path: Path) -> None:
    counts = fuzz(1_000, 1, tmp_path)
    assert counts["loads"] > 20 and len(counts) > 8, counts


ENTRY = b"""ftbench: entry/v1
metadata: {name: mine, title: Mine, authors: [A]}
model: {name: builtin/micro, revision: "1111111111111111111111111111111111111111"}
seed: 2
knobs:
  adapter.rank: 4
  training.schedule.learning_rate: 5e-3
"""


def test_mutants_of_an_entry(tmp_path: Path) -> None:
    mutate = _mutate()
    spec = load_spec(Path(__file__).parent / "cases" / "valid.yaml").spec
    tree, path = yaml.parse(ENTRY, "entry").value, tmp_path / "entry.yaml"
    counts: Counter[str] = Counter()
    for number in range(1_000):
        path.write_bytes(mutate.mutated(ENTRY, tree, random.Random(number)))
        try:
            resolved = resolve_entry(spec, load_entry(path))
        except InvalidInput as error:
            assert all(d.place and d.place.line for d in error.diagnostics), (number, error)
            counts[error.diagnostics[0].code] += 1
        else:
            assert parse_resolved(dump_resolved(resolved)) == resolved
            counts["resolves"] += 1
    assert counts["resolves"] > 20 and len(counts) > 8, counts


@pytest.mark.slow
def test_ten_thousand_mutants(tmp_path: Path) -> None:
    counts = fuzz(10_000, 2, tmp_path)
    print(sorted(counts.items()))
    assert counts.total() == 10_000
