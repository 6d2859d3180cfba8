"""`ftbench estimate --rows`: what the base model's tokenizer leaves of the training rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from ftbench import builtin
from ftbench.cli import schemas
from ftbench.cli.main import run
from ftbench.data.pinning import lock, write_pins
from ftbench.data.store import Store
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec


def test_rows_are_counted_without_a_run(tmp_path: Path, capsys: Any) -> None:
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    value["training"]["sequence_length"] = 8
    path, store = tmp_path / "x.yaml", Store([tmp_path / "store", builtin.store()])
    path.write_text(json.dumps(value))
    write_pins(tmp_path / "x.pins.json", lock(Spec.model_validate(value), store))
    arguments = ["estimate", str(path), "--rows", "--store", store.joined(), "--json"]
    assert run(arguments) == 3
    found = json.loads(capsys.readouterr().out)
    assert {one["code"] for one in found["diagnostics"]} == {"FTB537"}
    value["data"]["over_length"] = "truncate"
    path.write_text(json.dumps(value))
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    Draft202012Validator(json.loads(schemas.all_schemas()["output/estimate.v1.schema.json"])).validate(found)
    assert [(one["held"], one["looked"], one["used"]) for one in found["rows"]["clients"]] == [(400, 400, 400)] * 4
