"""Pins that are not resolved yet: enough for a draft, never for what is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftbench.spec import checks
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs

DIGEST, COMMIT = "a" * 64, "b" * 40
HUB = f"""extends: valid.yaml
metadata: {{name: hub}}
data:
  source: {{kind: hub, repo: a/b, revision: {COMMIT}, files: [x.csv], format: csv, rows: 300}}
  validation: {{fraction: 0.02, min_rows: 200}}
evaluation: {{checkpoint: best-validation}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "valid.yaml").write_bytes((Path(__file__).parent / "cases" / "valid.yaml").read_bytes())
    (tmp_path / "hub.yaml").write_text(HUB)
    return load_spec(tmp_path / "hub.yaml").spec


def pins_of(spec: Spec) -> Pins:
    train = SourcePin(
        inputs=source_inputs(spec.data.source, spec.data.columns), revision=COMMIT, digest=DIGEST, rows=300, licence="x"
    )
    (task,) = spec.evaluation.tasks
    asked = SourcePin(inputs=source_inputs(task.source, task.columns), digest=DIGEST, rows=5, licence="x")
    partition = PartitionPin(
        inputs=partition_inputs(DIGEST, spec.federation, spec.seeds.partition, spec.data.validation),
        digest=DIGEST,
        sizes=[25] * 4,
        digests=[DIGEST] * 4,
        validation=DIGEST,
        validation_rows=200,
    )
    return Pins(sources={"train": train, f"task:{task.name}": asked}, partition=partition)


def changed(pins: Pins, **paths: Any) -> Pins:
    plain = pins.model_dump(mode="json")
    for path, value in paths.items():
        holder, parts = plain, path.split("__")
        for part in parts[:-1]:
            holder = holder[part]
        holder[parts[-1]] = value
    return Pins.model_validate(plain)


def found(spec: Spec, pins: Pins) -> list[tuple[str, str]]:
    return [(d.code, d.severity) for d in checks.check_pins(spec, pins)]


def test_resolved_pins_fit(spec: Spec) -> None:
    assert found(spec, pins_of(spec)) == [] and pins_of(spec).resolved


def test_a_draft_may_wait(spec: Spec) -> None:
    waiting = changed(pins_of(spec), sources__train__digest=None, sources__train__rows=None, partition=None)
    assert not waiting.resolved
    assert found(spec, waiting) == [("FTB195", "warning")]
    message = checks.check_pins(spec, waiting)[0].message
    assert "`train`" in message and "the partition" in message and "task:" not in message


def test_what_is_published_may_not(spec: Spec) -> None:
    final = spec.model_copy(update={"metadata": spec.metadata.model_copy(update={"status": "published"})})
    assert found(final, pins_of(spec)) == []
    assert found(final, changed(pins_of(spec), partition=None)) == [("FTB195", "error")]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"sources__train__revision": "c" * 40}, {"FTB192"}),
        ({"sources__train__revision": None}, {"FTB191"}),
        ({"sources__train__rows": None}, {"FTB194"}),
        ({"sources__train__rows": 299}, {"FTB194"}),
        ({"sources__train__digest": None, "sources__train__rows": None}, {"FTB194", "FTB195"}),
        ({"partition__validation": None, "partition__validation_rows": 0}, {"FTB194"}),
        ({"partition__validation_rows": 100}, {"FTB194"}),
        ({"partition__sizes": [25, 25, 25, 24]}, {"FTB194"}),
    ],
)
def test_pins_that_do_not_fit(spec: Spec, change: dict[str, Any], codes: set[str]) -> None:
    assert {code for code, _ in found(spec, changed(pins_of(spec), **change))} == codes


def test_another_validation_cut_makes_the_partition_stale(spec: Spec) -> None:
    cut = spec.data.validation
    assert cut
    other = spec.model_copy(
        update={"data": spec.data.model_copy(update={"validation": cut.model_copy(update={"min_rows": 100})})}
    )
    assert ("FTB192", "error") in found(other, pins_of(spec))
