from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftbench.errors import InvalidInput
from ftbench.spec import paths
from ftbench.spec.diff import ABSENT, IMPACTS, MEANING, RULES, diff_plans, diff_specs, impact_of
from ftbench.spec.explain import all_paths, explain
from ftbench.spec.load import LoadedSpec, load_spec
from ftbench.spec.model import Spec

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="module")
def loaded() -> LoadedSpec:
    return load_spec(CASES / "valid.yaml")


def changed(spec: Spec, path: str, value: Any) -> Spec:
    plain = spec.model_dump(mode="json")
    inside = paths.resolve(plain, path)
    assert inside
    paths.put(plain, inside, value)
    return Spec.model_validate(plain)


def test_a_knob_is_explained(loaded: LoadedSpec) -> None:
    found = explain(loaded, "adapter.rank")
    assert (found.value, found.knob, found.frozen) == (8, "1 to 16", None)
    assert found.type == "a whole number, at least 1 and at most 4096"
    assert found.doc == "Rank of the two factors." and found.origin.kind == "file"


def test_frozen_values_say_why(loaded: LoadedSpec) -> None:
    assert "prompts cannot be compared" in str(explain(loaded, "data.bos").frozen)
    assert "scores are compared because" in str(explain(loaded, "adapter.dropout").frozen)
    assert "only in part" in str(explain(loaded, "adapter").frozen)
    assert "part of the knob" in str(explain(loaded, "model.base.name").frozen)
    assert explain(loaded, "training.optimizer.beta2").origin.kind == "default"
    assert not explain(loaded, "metadata.title").hashed


def test_every_path_can_be_explained(loaded: LoadedSpec) -> None:
    for path in all_paths(loaded.spec.model_dump(mode="json")):
        found = explain(loaded, path)
        assert found.path == path and found.type
        assert found.as_json()["path"] == path


def test_a_wrong_path_gets_a_near_one(loaded: LoadedSpec) -> None:
    with pytest.raises(InvalidInput, match=r"did you mean `adapter.rank`"):
        explain(loaded, "adapter.rnk")


def test_equal_specs_do_not_differ(loaded: LoadedSpec) -> None:
    assert diff_specs(loaded.spec, loaded.spec).impact == "same"


@pytest.mark.parametrize(
    ("path", "value", "impact"),
    [
        ("metadata.title", "Other", "cosmetic"),
        ("metadata.version", "9.9.9", "cosmetic"),
        ("federation.min_replies", 2, "operational"),
        ("evaluation.confidence", 0.9, "operational"),
        ("adapter.rank", 4, "score-affecting"),
        ("training.schedule.learning_rate", 0.5, "score-affecting"),
        ("data.prompt", "Q: {question}", "score-affecting"),
        ("budget.communication_mib", 1.0, "score-affecting"),
        ("seeds.partition", 1, "score-affecting"),
        ("knobs.adapter.rank.max", 8.0, "score-affecting"),
        ("data.source.split", "other", "incomparable"),
        ("data.columns", {"question": "q"}, "incomparable"),
        ("federation.clients", 5, "incomparable"),
        ("evaluation.tasks.micro-world.prompt", "Q: {question}", "incomparable"),
        ("evaluation.tasks.micro-world.options", [" a", " b"], "incomparable"),
    ],
)
def test_how_much_an_edit_matters(loaded: LoadedSpec, path: str, value: Any, impact: str) -> None:
    diff = diff_specs(loaded.spec, changed(loaded.spec, path, value))
    assert {edit.impact for edit in diff.edits} == {impact} and diff.impact == impact
    assert all(edit.path.startswith(path) for edit in diff.edits)


def test_the_gravest_edit_counts(loaded: LoadedSpec) -> None:
    other = changed(changed(loaded.spec, "metadata.title", "x"), "adapter.rank", 4)
    diff = diff_specs(loaded.spec, other)
    assert [edit.impact for edit in diff.edits] == ["score-affecting", "cosmetic"]
    assert diff.impact == "score-affecting"


def test_plans_differ_by_code_stack_and_pins(loaded: LoadedSpec) -> None:
    old: dict[str, Any] = {
        "format": "ftbench/plan/v1",
        "metadata": {"name": "a"},
        "spec": loaded.spec.model_dump(mode="json", exclude={"metadata"}),
        "pins": {"sources": {"train": {"inputs": "a", "digest": "a", "licence": "x"}}, "partition": {"digest": "a"}},
        "code": {"app/ftbench_app/x.py": "a"},
        "stack": {"lm-eval": "1", "torch": "2.0"},
    }
    new = {**old, "code": {"app/ftbench_app/y.py": "b"}, "stack": {"lm-eval": "1", "torch": "2.1"}}
    diff = diff_plans(old, new)
    assert [(edit.path, edit.impact) for edit in diff.edits] == [
        ("code.app/ftbench_app/x.py", "score-affecting"),
        ("code.app/ftbench_app/y.py", "score-affecting"),
        ("stack.torch", "score-affecting"),
    ]
    assert diff.edits[0].new is ABSENT and "new" not in diff.edits[0].as_json()
    assert impact_of(("pins", "sources", "train", "digest")) == "incomparable"
    assert impact_of(("pins", "sources", "train", "licence")) == "operational"
    assert impact_of(("pins", "partition", "digest")) == "score-affecting"
    assert impact_of(("format",)) == "incomparable"
    assert diff_plans(old, old).impact == "same"


def test_tasks_are_compared_by_name(loaded: LoadedSpec) -> None:
    plain = loaded.spec.model_dump(mode="json")
    (task,) = plain["evaluation"]["tasks"]
    second = {**task, "name": "other"}
    two = Spec.model_validate({**plain, "evaluation": {**plain["evaluation"], "tasks": [second, task]}})
    swapped = Spec.model_validate({**plain, "evaluation": {**plain["evaluation"], "tasks": [task, second]}})
    assert [edit.path for edit in diff_specs(loaded.spec, two).edits] == ["evaluation.tasks.other"]
    (order,) = diff_specs(two, swapped).edits
    assert (order.path, order.old, order.new) == (
        "evaluation.tasks",
        ["other", "micro-world"],
        ["micro-world", "other"],
    )


def test_the_table_of_rules_is_whole() -> None:
    assert RULES[-1] == ("**", "score-affecting"), "what no rule names affects scores"
    assert {impact for _, impact in RULES} <= set(IMPACTS) == set(MEANING)
