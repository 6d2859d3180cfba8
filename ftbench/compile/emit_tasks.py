"""Emit the lm-eval task files. The hook that they name, `ftbench_tasks.py`, is copied beside them."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

from ftbench.compile.plan import Plan
from ftbench.spec.tasks import ChoiceTask, CodeTask, Generation, Task

GENERATED = "-generated"
"""What is added to a choice task's name for the harness task in which the model writes its answer."""
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
    """`tasks/<task>.yaml` for each task, `tasks/<task>-generated.yaml` where the model writes its answer to a choice
    task, and where there are several tasks `tasks/ftbench_mean.yaml`. No absolute path."""
    tasks = plan.typed_spec().evaluation.tasks
    files = {f"tasks/{name}.yaml": _dump(value) for task in tasks for name, value in _tasks(task).items()}
    scored = plan.typed_spec().evaluation.scored
    if len(scored) > 1:
        files[f"tasks/{GROUP}.yaml"] = _dump(_group([ranking_task(task) for task in scored]))
    return files


def ranking_task(task: Task) -> str:
    """The harness task whose `acc` is the score that ranks."""
    generated = isinstance(task, ChoiceTask) and task.scoring[0] != "likelihood"
    return task.name + GENERATED if generated else task.name


def lm_eval_command(plan: Plan, adapter: str | None = None) -> str:
    """The command that scores the spec's base model, with the adapter folder given or untuned, by lm-eval alone.

    It is run in the compiled benchmark's folder with `FTBENCH_STORE` set to one store's folder. `add_bos_token` makes
    the harness put the tokens before the prompt that training put there. Weights are not quantised: lm-eval hands the
    option for it to transformers in a form that version 5 no longer takes.
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
    tasks = spec.evaluation.scored
    names = [GROUP] if len(tasks) > 1 else [ranking_task(tasks[0])]
    # What is reported beside the ranking scores.
    names += [name for task in tasks for name in _tasks(task) if name != ranking_task(task)]
    chat = " --apply_chat_template" if spec.data.chat_template == "model" else ""
    asked = shlex.quote(",".join(names))
    return (
        f'lm_eval run --model hf --model_args "{arguments}" --include_path tasks --tasks {asked} --batch_size 16{chat}'
    )


def _tasks(task: Task) -> dict[str, dict[str, Any]]:
    """Name → harness task: what the model is asked of a task's items, once for each kind of request."""
    if isinstance(task, CodeTask):
        return {task.name: _generating(task.name, task.name, task.generation, "ftbench_tasks.mark_program", ["acc"])}
    made = {}
    if "likelihood" in task.scoring:
        made[task.name] = _likelihood(task.name)
    if task.generation is not None and task.scoring != ["likelihood"]:
        metrics = ["acc"]
        metrics += ["unparsable"] if "generated" in task.scoring else []
        metrics += ["flowertune"] if "flowertune" in task.scoring else []
        name = task.name + GENERATED
        made[name] = _generating(name, task.name, task.generation, "ftbench_tasks.mark_text", metrics)
    return made


def _likelihood(name: str) -> dict[str, Any]:
    return {
        **_common(name, name),
        "output_type": "multiple_choice",
        # Names of columns: lm-eval takes their values as they are, without a template of its own.
        "doc_to_text": "prompt",
        "doc_to_choice": "options",
        "doc_to_target": "target",
        # Options begin with the space that parts them from the prompt.
        "target_delimiter": "",
        "num_fewshot": 0,
        "metric_list": _metrics(["acc"]),
        "metadata": {"version": VERSION},
    }


def _generating(name: str, task: str, generation: Generation, marks: str, metrics: list[str]) -> dict[str, Any]:
    return {
        **_common(name, task),
        "output_type": "generate_until",
        "doc_to_text": "prompt",
        "doc_to_target": "target",
        # Without `until` lm-eval would stop at a blank line.
        "generation_kwargs": {
            "until": generation.stop,
            "max_gen_toks": generation.max_new_tokens,
            "do_sample": False,
            "temperature": 0.0,
        },
        "process_results": _Function(marks),
        "num_fewshot": 0,
        "metric_list": _metrics(metrics),
        "metadata": {"version": VERSION},
    }


def _common(name: str, task: str) -> dict[str, Any]:
    return {
        "task": name,
        "custom_dataset": _Function("ftbench_tasks.load"),
        "dataset_kwargs": {"task": task},
        "test_split": "test",
    }


def _metrics(names: list[str]) -> list[dict[str, Any]]:
    return [{"metric": name, "aggregation": "mean", "higher_is_better": name != "unparsable"} for name in names]


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
