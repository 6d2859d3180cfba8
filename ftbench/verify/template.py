"""The verifier's own reading of prompt templates: `{column}`, `{{`, `}}` and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from ftbench.spec.tasks import Task


def render(template: str, row: Mapping[str, object]) -> str:
    """`template` with each column's value in its place. Raises ValueError for anything that is no template."""
    if "{" not in template and "}" not in template:
        return template
    out: list[str] = []
    position = 0
    while position < len(template):
        character = template[position]
        if template.startswith(("{{", "}}"), position):
            out.append(character)
            position += 2
        elif character == "{":
            end = template.find("}", position)
            name = template[position + 1 : end]
            if end < 0 or name not in row:
                raise ValueError(f"the template names {name!r}, which is no column")
            out.append(_text(row[name], name))
            position = end + 1
        elif character == "}":
            raise ValueError("the template has a single `}`")
        else:
            out.append(character)
            position += 1
    return "".join(out)


def asked(task: Task, row: Mapping[str, object]) -> str:
    """The prompt of a task's item, without white space at its end where the task has it stripped."""
    prompt = render(task.prompt, row)
    return prompt.rstrip() if task.strip_prompt == "right" else prompt


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise ValueError(f"column {name!r} is neither text nor a whole number")
