"""The emitted task files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml as pyyaml

from ftbench.builtin import root
from ftbench.compile.emit_tasks import GROUP, emit, lm_eval_command
from ftbench.compile.plan import Plan
from ftbench.compile.stack import STACK
from ftbench.spec import yaml
from ftbench.spec.model import Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin

ZERO = "0" * 64


class _Loader(pyyaml.SafeLoader):
    pass


_Loader.add_constructor("!function", lambda loader, node: {"function": loader.construct_scalar(node)})


def plan(*names: str, revision: str = "a" * 64, bos: bool = True) -> Plan:
    spec: dict[str, Any] = yaml.read(root() / "specs" / "quickstart.yaml").value
    task = spec["evaluation"]["tasks"][0]
    spec["evaluation"]["tasks"] = [{**task, "name": name} for name in names]
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
