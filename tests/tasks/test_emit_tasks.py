"""The emitted task files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml as pyyaml

from ftbench.builtin import root
from ftbench.compile.emit_tasks import GROUP, emit, lm_eval_command
from ftbench.compile.plan import Plan
from ftbench.compile.sources import task_modules
from ftbench.compile.stack import STACK
from ftbench.spec import yaml
from ftbench.spec.model import Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin

ZERO = "0" * 64


class _Loader(pyyaml.SafeLoader):
    pass


_Loader.add_constructor("!function", lambda loader, node: {"function": loader.construct_scalar(node)})


def plan(
    *names: str, revision: str = "a" * 64, bos: bool = True, chat: str = "none", drop: Any = (), **changes: Any
) -> Plan:
    spec: dict[str, Any] = yaml.read(root() / "specs" / "quickstart.yaml").value
    task = spec["evaluation"]["tasks"][0]
    spec["evaluation"]["tasks"] = [{**task, "name": name, **changes} for name in names]
    for one in spec["evaluation"]["tasks"]:
        for key in drop:
            del one[key]
    spec["data"]["chat_template"] = chat
    spec["data"]["bos"] = bos
    spec["model"]["base"]["revision"] = revision
    typed = Spec.model_validate(spec)
    pin = SourcePin(inputs=ZERO, digest=ZERO, rows=1, licence="")
    return Plan(
        metadata=typed.metadata,
        spec=typed.model_dump(mode="json", exclude={"metadata"}),
        pins=Pins(
            sources={"train": pin},
            partition=PartitionPin(inputs=ZERO, digest=ZERO, sizes=[1] * 4, digests=[ZERO] * 4),
        ),
        code={},
        stack=STACK,
    )


def read(data: bytes) -> dict[str, Any]:
    value: dict[str, Any] = pyyaml.load(data, Loader=_Loader)
    return value


def test_one_task_needs_no_group() -> None:
    files = emit(plan("north"))
    assert list(files) == ["tasks/north.yaml"]
    task = read(files["tasks/north.yaml"])
    assert task["task"] == "north"
    assert task["custom_dataset"] == {"function": "ftbench_tasks.load"}
    assert task["dataset_kwargs"] == {"task": "north"}
    assert task["output_type"] == "multiple_choice"
    assert task["target_delimiter"] == ""
    assert (task["doc_to_text"], task["doc_to_choice"], task["doc_to_target"]) == ("prompt", "options", "target")
    assert [m["metric"] for m in task["metric_list"]] == ["acc"]


def test_several_tasks_have_a_plain_mean() -> None:
    files = emit(plan("north", "south"))
    assert list(files) == ["tasks/north.yaml", "tasks/south.yaml", f"tasks/{GROUP}.yaml"]
    group = read(files[f"tasks/{GROUP}.yaml"])
    assert group["task"] == ["north", "south"]
    assert group["aggregate_metric_list"][0]["weight_by_size"] is False


GENERATED = {
    "scoring": ["likelihood", "generated", "flowertune"],
    "generation": {"max_new_tokens": 8, "stop": ["\n"]},
    "extraction": "option-text",
    "flowertune": "exact-label",
}


def test_a_task_that_is_generated_stands_beside_it() -> None:
    files = emit(plan("north", "south", **GENERATED))
    assert sorted(files) == sorted(
        ["tasks/ftbench_mean.yaml"]
        + [f"tasks/{name}{ending}.yaml" for name in ("north", "south") for ending in ("", "-generated")]
    )
    task = read(files["tasks/north-generated.yaml"])
    assert task["dataset_kwargs"] == {"task": "north"}
    assert task["output_type"] == "generate_until"
    assert task["generation_kwargs"] == {"until": ["\n"], "max_gen_toks": 8, "do_sample": False, "temperature": 0.0}
    assert task["process_results"] == {"function": "ftbench_tasks.mark_text"}
    assert [(m["metric"], m["higher_is_better"]) for m in task["metric_list"]] == [
        ("acc", True),
        ("unparsable", False),
        ("flowertune", True),
    ]
    assert read(files["tasks/ftbench_mean.yaml"])["task"] == ["north", "south"]
    command = lm_eval_command(plan("north", **GENERATED), None)
    assert "--tasks north,north-generated " in command


def test_a_task_that_is_only_generated() -> None:
    only = plan("north", "south", **{**GENERATED, "scoring": ["generated"], "flowertune": None})
    assert [path for path in emit(only) if "north" in path] == ["tasks/north-generated.yaml"]
    assert read(emit(only)["tasks/ftbench_mean.yaml"])["task"] == ["north-generated", "south-generated"]


def test_code_task() -> None:
    changes = {
        "kind": "code",
        "columns": {"question": "q", "tests": "t"},
        "language": "python",
        "generation": {"max_new_tokens": 64, "stop": ["\ndef"]},
        "program": "{completion}",
        "tests": "{tests}",
        "entry_point": "f",
        "scoring": ["pass@1"],
    }
    made = plan("north", drop=["options", "answer"], **changes)
    task = read(emit(made)["tasks/north.yaml"])
    assert task["process_results"] == {"function": "ftbench_tasks.mark_program"}
    assert task["generation_kwargs"]["until"] == ["\ndef"]
    names = set(task_modules(made.typed_spec()))
    assert {"tasks/ftbench_tasks.py", "tasks/ftbench_sandbox.py"} <= names
    assert set(task_modules(plan("north").typed_spec())) == {"tasks/ftbench_tasks.py"}


def test_chat_template_in_the_command() -> None:
    assert "--apply_chat_template" in lm_eval_command(plan("north", chat="model"))
    assert "--apply_chat_template" not in lm_eval_command(plan("north"))


def test_same_plan_same_bytes_and_no_absolute_path() -> None:
    files = emit(plan("north", "south"))
    assert files == emit(plan("north", "south"))
    for data in files.values():
        assert b"/" not in data
        assert data.endswith(b"\n")
        assert str(Path.cwd()).encode() not in data


def test_command() -> None:
    command = lm_eval_command(plan("north"), "run/adapter")
    assert f'"pretrained=$FTBENCH_STORE/models/{"a" * 64},' in command
    assert "dtype=float32,add_bos_token=True,peft=run/adapter" in command
    assert "--include_path tasks --tasks north " in command
    assert "\n" not in command


def test_command_untuned_from_the_hub_without_bos_and_with_several_tasks() -> None:
    command = lm_eval_command(plan("north", "south", revision="b" * 40, bos=False))
    assert f"revision={'b' * 40},dtype=float32,add_bos_token=False" in command
    assert "peft" not in command
    assert f"--tasks {GROUP} " in command
