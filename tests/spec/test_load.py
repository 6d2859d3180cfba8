from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec import canonical, checks
from ftbench.spec.load import LoadedSpec, find_spec, load_pins, load_spec, pins_path
from ftbench.spec.model import Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def valid() -> LoadedSpec:
    return load_spec(CASES / "valid.yaml")


def test_a_spec_is_found_by_name_or_path() -> None:
    assert find_spec("quickstart").name == "quickstart.yaml"
    assert find_spec(str(CASES / "valid.yaml")) == CASES / "valid.yaml"


def test_a_wrong_name_gets_a_near_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="did you mean `quickstart`"):
        find_spec("quickstrat")
    with pytest.raises(InvalidInput) as caught:
        find_spec("legal-clauses.yaml")
    assert "`ftbench new` writes one" in str(caught.value.diagnostics[0].hint)
    with pytest.raises(InvalidInput, match="is a folder"):
        find_spec(tmp_path)
    with pytest.raises(InvalidInput, match="FTB114"):
        find_spec("a\0b")


def test_places_and_origins(valid: LoadedSpec) -> None:
    place = valid.place("training.schedule.learning_rate")
    assert place and (place.line, place.column) == (25, 43)
    knob = valid.place("knobs.adapter.rank.max")
    assert knob and knob.line == 58
    named = valid.place("evaluation.tasks.micro-world.prompt")
    assert named == valid.place("evaluation.tasks[0].prompt") == valid.place("evaluation.tasks.0.prompt")
    assert valid.place("training.optimizer.beta1") is None
    assert str(valid.origin("training.optimizer.beta1")) == "default"
    assert valid.origin("adapter.rank").kind == "file"


def test_a_variant_keeps_the_files_its_values_came_from() -> None:
    loaded = load_spec(CASES / "extends.yaml")
    assert loaded.spec.federation.rounds == 7 and loaded.spec.federation.clients == 4
    assert loaded.spec.training.schedule.kind == "constant", "another kind replaces the mapping"
    assert sorted(loaded.spec.knobs) == ["adapter.rank", "model.base", "training.schedule.learning_rate"]
    assert loaded.origin("federation.rounds").kind == "file"
    assert loaded.origin("federation.clients").kind == "parent"
    assert str(loaded.origin("federation.clients")).endswith("valid.yaml:18")


def test_missing_pins_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="ftbench lock"):
        load_pins(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 1}', "[" * 100_000, "\ufffe", '{"format": "ftbench/pins/v1", "x": NaN}']
)
def test_unusable_pins(tmp_path: Path, text: str) -> None:
    pins_path(tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InvalidInput, match="FTB191"):
        load_pins(tmp_path / "x.yaml")


def pins_of(spec: Spec) -> Pins:
    digest = "a" * 64
    sources = {
        "train": SourcePin(
            inputs=source_inputs(spec.data.source, spec.data.columns), digest=digest, rows=10, licence="x"
        )
    }
    for task in spec.evaluation.tasks:
        inputs = source_inputs(task.source, task.columns)
        sources[f"task:{task.name}"] = SourcePin(inputs=inputs, digest=digest, rows=5, licence="x")
    partition = PartitionPin(
        inputs=partition_inputs(digest, spec.federation, spec.seeds.partition),
        digest=digest,
        sizes=[3, 3, 2, 2],
        digests=[digest] * 4,
    )
    return Pins(sources=sources, partition=partition)


def test_pins_round_trip_and_fit(tmp_path: Path, valid: LoadedSpec) -> None:
    pins = pins_of(valid.spec)
    pins_path(tmp_path / "x.yaml").write_bytes(canonical.pretty(pins.model_dump(mode="json")))
    assert load_pins(tmp_path / "x.yaml") == pins
    assert checks.check_pins(valid.spec, pins) == []


@pytest.mark.parametrize(
    ("path", "value", "codes"),
    [
        (("sources", "train", "inputs"), "b" * 64, {"FTB192"}),
        (("sources", "train", "digest"), "b" * 64, {"FTB192"}),
        (("sources", "train", "rows"), 11, {"FTB194"}),
        (("sources", "task:other"), "copy", {"FTB193"}),
        (("sources", "train"), None, {"FTB193"}),
        (("partition", "inputs"), "b" * 64, {"FTB192"}),
        (("partition", "sizes"), [5, 5], {"FTB194"}),
        (("partition", "sizes"), [5, 5, 0, 0], {"FTB194"}),
        (("partition", "digests"), [], {"FTB194"}),
    ],
)
def test_pins_that_do_not_fit(valid: LoadedSpec, path: tuple[str, ...], value: Any, codes: set[str]) -> None:
    plain: Any = pins_of(valid.spec).model_dump(mode="json")
    holder = plain
    for part in path[:-1]:
        holder = holder[part]
    if value is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = dict(holder["train"]) if value == "copy" else value
    found = checks.check_pins(valid.spec, Pins.model_validate(plain))
    assert {d.code for d in found} == codes


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ftbench.spec import load, entries, explain, diff, schema;"
        "s = load.load_spec(load.find_spec('quickstart')); entries.resolve_entry(s.spec, None); schema.spec_schema();"
        "bad = {'torch','flwr','numpy','transformers','peft','datasets','lm_eval','ray','rich'} & set(sys.modules);"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_built_in_spec_is_extended_by_its_name_from_anywhere(tmp_path: Path) -> None:
    for name in ("quickstart", "micro/finance"):
        path = tmp_path / "mine.yaml"
        path.write_text(f"ftbench: spec/v1\nextends: {name}\nmetadata: {{name: mine}}\nadapter: {{rank: 4}}\n")
        loaded = load_spec(path)
        parent = load_spec(builtin.specs()[name]).spec
        assert loaded.spec.adapter.rank == 4 and loaded.spec.data == parent.data
        assert loaded.origin("data.prompt").kind == "parent"
    (tmp_path / "quickstart").write_text("ftbench: spec/v1\n")  # a file of that name is meant first
    path.write_text("ftbench: spec/v1\nextends: quickstart\nmetadata: {name: mine}\n")
    with pytest.raises(InvalidInput, match="lacks 11 fields and blocks"):
        load_spec(path)
    path.write_text("ftbench: spec/v1\nextends: finanse\nmetadata: {name: mine}\n")
    with pytest.raises(InvalidInput, match="did you mean `finance`"):
        load_spec(path)
