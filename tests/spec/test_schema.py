from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ftbench.errors import InvalidInput
from ftbench.spec import yaml
from ftbench.spec.load import load_spec
from ftbench.spec.schema import spec_schema

CASES = Path(__file__).parent / "cases"


def test_the_schema_is_one_and_repeats() -> None:
    schema = spec_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.dumps(schema) == json.dumps(spec_schema())
    assert schema["$schema"].endswith("2020-12/schema") and schema["$id"].startswith("urn:ftbench:")
    assert "additionalProperties" in json.dumps(schema)


def test_fields_carry_their_docstrings() -> None:
    definitions = spec_schema()["$defs"]
    assert definitions["Adapter"]["properties"]["rank"]["description"] == "Rank of the two factors."
    assert definitions["Metadata"]["properties"]["title"]["maxLength"] == 120, "a field named title is kept"
    undocumented = [
        f"{block}.{name}"
        for block, definition in definitions.items()
        for name, field in definition.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert undocumented == []


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_takes_what_loads(path: Path) -> None:
    try:
        value = yaml.read(path).value
        load_spec(path)
    except InvalidInput:
        return
    assert list(jsonschema.Draft202012Validator(spec_schema()).iter_errors(value)) == []


@pytest.mark.parametrize(
    "name", ["unknown-fields", "missing", "types", "choices", "knob-shapes", "reserved", "no-kind"]
)
def test_the_schema_refuses_what_the_types_refuse(name: str) -> None:
    value = yaml.read(CASES / f"{name}.yaml").value
    assert list(jsonschema.Draft202012Validator(spec_schema()).iter_errors(value))
