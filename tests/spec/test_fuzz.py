"""Whatever is done to a spec, it loads, or is refused with diagnostics that have a position. Nothing else ever."""

from __future__ import annotations

import importlib.util
import json
import random
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from ftbench import builtin
from ftbench.errors import InvalidInput
from ftbench.spec import extends, yaml
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


SPECS = ("quickstart", "general-nlp", "finance", "medical", "code", "budget/medical")


def fuzz(cases: int, seed: int, folder: Path) -> Counter[str]:
    """Mutants of every spec in turn; `budget/medical`, which extends another, comes whole."""
    mutate = _mutate()
    bases = []
    for name in SPECS:
        source = builtin.specs()[name]
        tree = extends.follow(source).value
        whole = {key: value for key, value in tree.items() if key != "extends"}
        bases.append((json.dumps(whole, indent=1).encode() if whole != tree else source.read_bytes(), whole))
    (folder / "parent.yaml").write_bytes(bases[0][0])
    counts: Counter[str] = Counter()
    for number in range(cases):
        data = mutate.mutated(*bases[number % len(bases)], random.Random(f"{seed}/{number}"))
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
model: {name: some/model, revision: "1111111111111111111111111111111111111111"}
seed: 2
knobs:
  adapter.rank: 4
  training.schedule.learning_rate: 5e-3
"""


DOMAIN_ENTRY = b"""ftbench: entry/v1
metadata: {name: mine, pair: other, source: a paper}
model: {name: Qwen/Qwen2.5-7B, revision: null}
knobs:
  adapter.kind: lora
  adapter.targets: [q_proj, v_proj]
  strategy.kind: fedadam
  strategy.server_learning_rate: 1e-3
  strategy.beta1: 0.9
  strategy.beta2: 0.99
  strategy.tau: 1e-3
"""


@pytest.mark.parametrize(
    ("source", "entry"),
    [(Path(__file__).parent / "cases" / "valid.yaml", ENTRY), (builtin.specs()["medical"], DOMAIN_ENTRY)],
    ids=["sample", "medical"],
)
def test_mutants_of_an_entry(source: Path, entry: bytes, tmp_path: Path) -> None:
    mutate = _mutate()
    spec = load_spec(source).spec
    tree, path = yaml.parse(entry, "entry").value, tmp_path / "entry.yaml"
    counts: Counter[str] = Counter()
    for number in range(1_000):
        path.write_bytes(mutate.mutated(entry, tree, random.Random(number)))
        try:
            resolved = resolve_entry(spec, load_entry(path), commit_of=lambda _: "1" * 40)
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
