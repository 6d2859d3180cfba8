"""The model card: made of result and entry alone, with front matter that a hub reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))

import forge

from ftbench.result import names
from ftbench.result.card import card
from ftbench.result.documents import Result
from ftbench.spec.entries import parse_resolved


def test_the_card_says_what_the_result_says(tmp_path: Path) -> None:
    with forge.programs_run():
        world = forge.make_world(tmp_path)
        made = forge.make(world)
        result = Result.model_validate_json(made.files[names.RESULT])
        told = card(result, parse_resolved(made.files[names.ENTRY]))
        _, matter, text = told.decode().split("---\n", 2)
        assert yaml.safe_load(matter)["base_model"] == "forged/model"
        for part in (result.spec_hash, result.adapter, result.model.revision, "CLAIMED", "adapter.rank"):
            assert part in text, part
        made.files[names.CARD] = told
        forge.reseal(made)
        assert world.verdict(made.files).level == "RESCORED"


@pytest.mark.parametrize("name", ["builtin/micro", "a/b"])
def test_a_model_that_is_on_no_hub_is_not_named_to_it(name: str, tmp_path: Path) -> None:
    with forge.programs_run():
        made = forge.make(forge.make_world(tmp_path))
    result = Result.model_validate_json(made.files[names.RESULT])
    told = result.model_copy(update={"model": result.model.model_copy(update={"name": name})})
    matter = yaml.safe_load(card(told, parse_resolved(made.files[names.ENTRY])).decode().split("---\n", 2)[1])
    assert matter.get("base_model") == (None if name.startswith("builtin/") else name)
