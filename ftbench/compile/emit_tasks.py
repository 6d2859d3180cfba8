"""Emit the lm-eval task files. The hook that they name, `ftbench_tasks.py`, is copied beside them."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

from ftbench.compile.plan import Plan

GROUP = "ftbench_mean"
"""Name of the group that gives the plain mean over tasks. A task's name has no underscore, so it can't be the same."""


VERSION = 1
"""Version of the task files' own format; the benchmark's version is metadata and would move the spec hash."""


class _Function(str):
    """A function of a file beside the YAML, `module.name`; written with lm-eval's own tag `!function`."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, value: dumper.represent_scalar("!function", str(value)))


def emit(plan: Plan) -> dict[str, bytes]:
    """`tasks/<task>.yaml` for each task; where there are several, `tasks/ftbench_mean.yaml` too. No absolute path."""
    tasks = [task.name for task in plan.typed_spec().evaluation.tasks]
    files = {f"tasks/{name}.yaml": _dump(_task(name)) for name in tasks}
    if len(tasks) > 1:
        files[f"tasks/{GROUP}.yaml"] = _dump(_group(tasks))
    return files


def lm_eval_command(plan: Plan, adapter: str | None = None) -> str:
    """The command that scores the spec's base model, with the adapter folder given or untuned, by lm-eval alone.

    It is run in the compiled benchmark's folder with `FTBENCH_STORE` set to one store's folder. `add_bos_token` makes
    the harness put the tokens before the prompt that training put there.
    """
    spec = plan.typed_spec()
    base = spec.model.base
    if re.fullmatch(r"[0-9a-f]{64}", base.revision):  # a digest: the model lies in the store
        model = f"pretrained=$FTBENCH_STORE/models/{base.revision}"
    else:
        model = f"pretrained={base.name},revision={base.revision}"
    arguments = f"{model},dtype={spec.model.dtype},add_bos_token={spec.data.bos}"
    if adapter is not None:
        arguments += f",peft={adapter}"
    names = [task.name for task in spec.evaluation.tasks]
    tasks = GROUP if len(names) > 1 else shlex.quote(names[0])
    return f'lm_eval run --model hf --model_args "{arguments}" --include_path tasks --tasks {tasks} --batch_size 16'


def _task(name: str) -> dict[str, Any]:
    return {
        "task": name,
        "custom_dataset": _Function("ftbench_tasks.load"),
        "dataset_kwargs": {"task": name},
        "test_split": "test",
        "output_type": "multiple_choice",
        # Names of columns: lm-eval takes their values as they are, without a template of its own.
        "doc_to_text": "prompt",
        "doc_to_choice": "options",
        "doc_to_target": "target",
        # Options begin with the space that parts them from the prompt.
        "target_delimiter": "",
        "num_fewshot": 0,
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": VERSION},
    }


def _group(tasks: list[str]) -> dict[str, Any]:
    return {
        "group": GROUP,
        "task": tasks,
        # The ranking score is the plain mean over tasks, however many items each has.
        "aggregate_metric_list": [{"metric": "acc", "aggregation": "mean", "weight_by_size": False}],
        "metadata": {"version": VERSION},
    }


def _dump(value: dict[str, Any]) -> bytes:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=1_000)
    return text.encode("ascii")
