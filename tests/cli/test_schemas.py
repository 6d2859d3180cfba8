"""schemas/ is what the models generate; the schemas are sound and see mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ftbench import builtin
from ftbench.cli import schemas
from ftbench.cli.main import run
from ftbench.cli.table import COMMANDS
from ftbench.spec import yaml as ours

FOLDER = builtin.root() / "schemas"


@pytest.fixture(scope="module")
def generated() -> dict[str, Any]:
    return {path: json.loads(data) for path, data in schemas.all_schemas().items()}


def test_no_drift() -> None:
    assert schemas.drift(FOLDER) == [], f"the schemas are generated; bring them up to date: {schemas.REGENERATE}"


def test_each_is_a_json_schema(generated: dict[str, Any]) -> None:
    for path, schema in generated.items():
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema", path


def test_every_command_has_an_output_schema() -> None:
    assert set(schemas.OUTPUTS) - {"error", "explain-code", "sweep-plan"} == set(COMMANDS)


def test_modelines_name_the_schema() -> None:
    for path in builtin.specs().values():
        first = path.read_text(encoding="utf-8").split("\n")[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (path.parent / first.partition("=")[2]).resolve() == (FOLDER / "spec.v1.schema.json").resolve()


def test_specs_fit_and_misspelt_fields_do_not(generated: dict[str, Any]) -> None:
    validator = Draft202012Validator(generated["spec.v1.schema.json"])
    for path in builtin.specs().values():
        value: Any = ours.read(path).value
        if "extends" in value:
            continue
        assert [error.message for error in validator.iter_errors(value)] == []
        value["federation"]["clints"] = value["federation"].pop("clients")
        assert not validator.is_valid(value)


def test_entries_fit(generated: dict[str, Any]) -> None:
    validator = Draft202012Validator(generated["entry.v1.schema.json"])
    for path in builtin.entries().rglob("*.yaml"):
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert [error.message for error in validator.iter_errors(value)] == []


def test_write_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "--write", str(tmp_path)]) == 0
    assert run(["schema", "--check", str(tmp_path)]) == 0
    (tmp_path / "spec.v1.schema.json").write_text("{}")
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "pins.v1.schema.json").unlink()
    capsys.readouterr()
    assert run(["schema", "--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    for line in ("missing: pins", "not generated: mine.json", "other bytes: spec", schemas.REGENERATE):
        assert line in told


def test_print_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "spec"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"]
    assert run(["schema", "output/verify"]) == 0
    capsys.readouterr()
    assert run(["schema", "specs"]) == 2
    assert "did you mean `spec`" in capsys.readouterr().err
