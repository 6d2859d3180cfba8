"""From what a model wrote to a program: fences, whole functions and stripped prompts, in each language."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ftbench.result.extraction import fenced
from ftbench.result.programs import job
from ftbench.spec.tasks import CodeTask
from ftbench.tasks import ftbench_tasks as hook

Run = Callable[..., dict[str, Any]]
HEADS = {
    "python": 'def add(a, b):\n    """The sum."""\n',
    "javascript": "// the sum\nfunction add(a, b) {\n",
    "cpp": "#include <vector>\n// the sum: add(1, 2)\nlong add(long a, long b) {\n",
}
BODIES = {"python": "    return a + b\n", "javascript": "  return a + b;\n}\n", "cpp": "  return a + b;\n"}
WHOLE = {
    "python": "def add(a, b):\n    return a + b\n",
    "javascript": "function add(a, b) {\n  return a + b;\n}\n",
    "cpp": "#include <vector>\nlong add(long a, long b) {\n  return a + b;\n}\n",
}
TESTS = {
    "python": "assert add(1, 2) == 3\n",
    "javascript": "require('node:assert').deepEqual(add(1, 2), 3);\n",
    "cpp": "}\nint main() {\n  auto candidate = add;\n  assert(candidate(1, 2) == 3);\n}\n",
}
FORMS = {
    "body": "{body}",
    "fence": "```{name}\n{whole}```",
    "explained": "Here is the function:\n```{name}\n{whole}```\nIt adds two numbers.",
    "fenced body": "```{name}\n{body}```",
    "open fence": "```{name}\n{whole}",
    "no name": "```\n{whole}```",
    "other first": "```bash\nrun it\n```\nand\n```{name}\n{whole}```",
}


def task(language: str, **changes: Any) -> CodeTask:
    value = {
        "kind": "code",
        "name": "t",
        "source": {"kind": "builtin", "name": "w", "split": "test"},
        "columns": {"prompt": "p", "tests": "t"},
        "prompt": "{prompt}",
        "language": language,
        "generation": {"max_new_tokens": 8},
        "program": "{prompt}{completion}\n",
        "tests": "{tests}",
        "entry_point": "add",
        "scoring": ["pass@1"],
        **changes,
    }
    return CodeTask.model_validate(value)


def text_of(form: str, language: str) -> str:
    return FORMS[form].format(name=language, whole=WHOLE[language], body=BODIES[language])


@pytest.mark.parametrize("language", sorted(HEADS))
@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("strip", [None, "right"])
def test_fenced_answers_pass(run: Run, form: str, language: str, strip: str | None) -> None:
    """What stands in a fence is the program; a bare body after a stripped head begins with its own line break."""
    text = text_of(form, language)
    if strip and form == "body":
        text = "\n" + text
    row = {"prompt": HEADS[language], "tests": TESTS[language]}
    made = job(task(language, extraction="fenced", strip_prompt=strip), row, text)
    outcome = run(**made)
    assert outcome["passed"], (made["program"], outcome)


@pytest.mark.parametrize("form", ["fence", "explained"])
def test_without_extraction_they_fail_as_before(run: Run, form: str) -> None:
    row = {"prompt": HEADS["python"], "tests": TESTS["python"]}
    made = job(task("python"), row, text_of(form, "python"))
    assert made["program"] == HEADS["python"] + text_of(form, "python") + "\n"
    assert not run(**made)["passed"]


def test_a_head_without_a_docstring(run: Run) -> None:
    """The case of the issue: the head alone is no function that another could follow."""
    row = {"prompt": "def add(a, b):\n", "tests": TESTS["python"]}
    assert run(**job(task("python", extraction="fenced"), row, text_of("explained", "python")))["passed"]


def test_what_is_in_the_fence() -> None:
    assert fenced("```python\nx\n```\n```python\ny\n```", "python") == "x\n"
    assert fenced("```\nx\n```\n```py\ny\n```", "python") == "y\n"
    assert fenced("```js\nx\n```", "python") is None
    assert fenced("no fence", "python") is None and fenced("", "cpp") is None
    assert fenced("```c++\nx", "cpp") == "x"


def test_an_entry_point_is_no_pattern() -> None:
    made = job(task("python", extraction="fenced", entry_point="a.*("), {"prompt": "p\n", "tests": ""}, "```\nx\n```")
    assert made["program"] == "p\nx\n\n"


@pytest.mark.parametrize("changes", [{}, {"strip_prompt": "right"}, {"extraction": "fenced"}])
@pytest.mark.parametrize("form", ["body", "explained"])
def test_the_hook_makes_the_same_program(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], form: str) -> None:
    spec = task("python", **changes)
    row, text = {"prompt": HEADS["python"], "tests": TESTS["python"]}, text_of(form, "python")
    seen: list[bytes] = []

    def asked(command: list[str], *, input: bytes, **_: object) -> Any:
        seen.append(input)
        return type("Done", (), {"stdout": b'{"status": "passed", "passed": true}'})

    monkeypatch.setattr(hook, "_plan", lambda _: {"spec": {"evaluation": {"tasks": [spec.model_dump(mode="json")]}}})
    monkeypatch.setattr(hook.subprocess, "run", asked)
    assert hook.mark_program({"task": "t", "row": json.dumps(row), "index": 0}, [text]) == {"acc": 1.0}
    assert json.loads(seen[0]) == job(spec, row, text)
