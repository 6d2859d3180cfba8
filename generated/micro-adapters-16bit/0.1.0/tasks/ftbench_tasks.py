"""The harness hook: gives lm-eval the items of a compiled benchmark's tasks, and marks what a model wrote to them.

It is copied beside the task files of every compiled benchmark. lm-eval loads it by file, without a package, so it uses
nothing but the standard library and `datasets`, and finds the plan beside its own folder. The items come from the
store by digest; `FTBENCH_STORE` names one or more stores, and a folder `store` next to the version's is looked at last.
Beside it lie `ftbench_answers.py`, which reads answers, and `ftbench_sandbox.py`, which runs the programs of code tasks
in a process of its own.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

COMPILED = Path(__file__).resolve().parent.parent
PLAN = "app/ftbench_app/plan.json"
APART = "apart"
"""Value of `FTBENCH_PROGRAMS` with which programs are not run here, since the caller runs them: the mark is NaN."""
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def load(task: str, **_: object) -> dict[str, Any]:
    """What `custom_dataset` of a task file calls: the split `test` with one row an item, in the order of the data.

    lm-eval passes `dataset_kwargs` (`task`) and whatever its caller set as metadata, which is not used.
    Raises FileNotFoundError where the items are in no store, ValueError where they do not fit the plan.
    """
    from datasets import Dataset, Features, Sequence, Value

    kinds: dict[str, Any] = {
        "task": Value("string"),
        "prompt": Value("string"),
        "index": Value("int64"),
        "item": Value("string"),
    }
    if _task(_plan(COMPILED), task).get("kind") == "code":
        kinds |= {"row": Value("string"), "target": Value("string")}
    else:
        kinds |= {"options": Sequence(Value("string")), "target": Value("int64")}
    return {"test": Dataset.from_list(items(task), features=Features(kinds))}


def mark_text(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """What `process_results` of a `-generated` task calls: the marks of one generated answer.

    `acc` is by the first of the task's scorings that looks at text; `unparsable` tells where `generated` found no
    option; `flowertune` is by the incumbent's rule.
    """
    spec, text = _task(_plan(COMPILED), doc["task"]), results[0]
    marks: dict[str, float] = {}
    if "generated" in spec["scoring"]:
        given = extract(spec["extraction"], text, doc["options"], doc["prompt"])
        marks |= {"generated": float(given == doc["target"]), "unparsable": float(given is None)}
    if "flowertune" in spec["scoring"]:
        marks["flowertune"] = float(flowertune(spec["flowertune"], text, doc["options"]) == doc["target"])
    first = next(scoring for scoring in spec["scoring"] if scoring in marks)
    told = {name: value for name, value in marks.items() if name != "generated"}
    return {"acc": marks[first], **told}


def mark_program(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """What `process_results` of a code task calls: 1 where the program made of the completion passes its tests.

    Raises RuntimeError where there is no sandbox: generated programs are never run without one.
    """
    if os.environ.get("FTBENCH_PROGRAMS") == APART:
        return {"acc": float("nan")}
    spec = _task(_plan(COMPILED), doc["task"])
    row = json.loads(doc["row"])
    given, entry_point = render(_before(spec["program"], "completion"), row), render(spec["entry_point"], row)
    head, said = given, results[0]
    if spec.get("strip_prompt") or spec.get("extraction"):
        head, said = _answers().program_parts(given, said, entry_point, spec)
    job = {
        "language": spec["language"],
        "given": given,
        "program": head + render(spec["program"], {**row, "completion": said})[len(given) :],
        "tests": render(spec["tests"], row),
        "entry_point": entry_point,
        "cpu_seconds": spec["cpu_seconds"],
        "memory_mib": spec["memory_mib"],
        "packages": (spec.get("sandbox") or {}).get("packages", []),
    }
    command = [sys.executable, "-I", str(Path(__file__).resolve().with_name("ftbench_sandbox.py"))]
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        command, input=json.dumps(job).encode() + b"\n", capture_output=True, check=True
    )
    outcome = json.loads(done.stdout)
    if outcome["status"] in ("refused", "sandbox-error"):
        raise RuntimeError(f"the program of item {doc['index']} was not run: {outcome['reason'] or outcome['status']}")
    return {"acc": float(outcome["passed"])}


def extract(rule: str, text: str, options: list[str], prompt: str = "") -> int | None:
    """Index of the option that a text means, or None: `option-text`, or `option-letter` with the prompt's lettered
    lines."""
    found: int | None = _answers().extract(rule, text, options, prompt)
    return found


def flowertune(rule: str, text: str, options: list[str]) -> int | None:
    """Index of the option that a text gives by the FlowerTune evaluation's rule, or None."""
    found: int | None = _answers().flowertune(rule, text, options)
    return found


@functools.cache
def _answers() -> Any:
    """The module beside this one: hooks are loaded by file, so that nothing can be imported from their folder."""
    path = Path(__file__).resolve().with_name("ftbench_answers.py")
    spec = importlib.util.spec_from_file_location("ftbench_answers", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def items(task: str, *, compiled: Path | None = None) -> list[dict[str, Any]]:
    """The items as asked: task, prompt, index, item (digest of the row), options and target (index of the right one).

    A code task's items have no options and an empty target, and their whole row as JSON instead.
    """
    compiled = compiled or COMPILED
    plan = _plan(compiled)
    spec = _task(plan, task)
    pin = plan["pins"]["sources"][f"task:{task}"]
    lines = _read(pin["digest"], f"task {task!r} ({_source(spec['source'])})", plan["metadata"]["name"], compiled)
    if len(lines) != pin["rows"]:
        raise ValueError(f"task {task!r} has {len(lines)} items where the plan's pins say {pin['rows']}")
    return [_item(spec, index, line) for index, line in enumerate(lines)]


def _plan(compiled: Path) -> dict[str, Any]:
    return _parse((compiled / PLAN).read_bytes())


@functools.cache
def _parse(data: bytes) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(data)
    return plan


def _task(plan: dict[str, Any], name: str) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = plan["spec"]["evaluation"]["tasks"]
    for task in tasks:
        if task["name"] == name:
            return task
    raise ValueError(f"the plan has no task {name!r}; its tasks are {', '.join(task['name'] for task in tasks)}")


def render(template: str, row: dict[str, Any]) -> str:
    """A template with each `{column}` replaced by the row's text; `{{` and `}}` are literal braces.

    Values are put in as they are and never looked at again. Raises ValueError for any other brace and for a column
    that is missing or neither text nor a whole number: other values have no single spelling.
    """

    def put(match: re.Match[str]) -> str:
        found = match.group(0)
        if found in ("{{", "}}"):
            return found[0]
        name = match.group(1)
        if name is None:
            raise ValueError(f"template {template!r} has a single brace; write {{{{ or }}}} for a literal one")
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"template {template!r} needs column {name!r} as text or a whole number, not {value!r}")
        return str(value)

    return PLACEHOLDER.sub(put, template)


def _before(template: str, column: str) -> str:
    """The template up to the first place that names a column."""
    places = (match.start() for match in PLACEHOLDER.finditer(template) if match.group(1) == column)
    return template[: next(places, len(template))]


def _prompt(spec: dict[str, Any], row: dict[str, Any], index: int) -> str:
    """The prompt of one item. White space at its end would be a token that running text never has there."""
    prompt = render(spec["prompt"], row)
    if spec.get("strip_prompt") == "right":
        prompt = prompt.rstrip()
    if prompt != prompt.rstrip():
        raise ValueError(
            f"item {index} of task {spec['name']!r}: the prompt ends in white space; write `strip_prompt: right`"
        )
    return prompt


def _item(spec: dict[str, Any], index: int, line: bytes) -> dict[str, Any]:
    row = json.loads(line)
    item = {
        "task": spec["name"],
        "prompt": _prompt(spec, row, index),
        "index": index,
        "item": hashlib.sha256(line).hexdigest(),
    }
    if spec.get("kind") == "code":
        return {**item, "row": line.decode(), "target": ""}
    options = [render(option, row) for option in spec["options"]]
    try:
        target = right(row.get(spec["answer"]), options)
    except ValueError as error:
        raise ValueError(f"item {index} of task {spec['name']!r}: column {spec['answer']!r} {error}") from None
    return {**item, "options": options, "target": target}


def right(answer: object, options: list[str]) -> int:
    """Index of the right option: the whole number itself, or the place of the one option whose text it is, white space
    at the ends of both left out. Raises ValueError, which says in words why it is none of them."""
    last = len(options) - 1
    if isinstance(answer, int) and not isinstance(answer, bool):
        if not 0 <= answer <= last:
            raise ValueError(f"is {answer}; an index from 0 to {last} is expected")
        return answer
    if not isinstance(answer, str):
        raise ValueError(f"is {answer!r}; an index from 0 to {last} or the text of an option is expected")
    found = [place for place, option in enumerate(options) if option.strip() == answer.strip()]
    if len(found) != 1:
        how = "more than one" if found else "none"
        raise ValueError(f"is {answer[:60]!r}, which is the text of {how} of the {len(options)} options")
    return found[0]


def _read(digest: str, what: str, benchmark: str, compiled: Path) -> list[bytes]:
    """The lines of a data file, its digest checked. Only a line feed parts rows: RFC 8785 leaves U+2028 as it is."""
    roots = [Path(root) for root in os.environ.get("FTBENCH_STORE", "").split(os.pathsep) if root]
    roots.append(compiled.parent / "store")
    for root in roots:
        path = root / "data" / f"{digest}.jsonl"
        if not path.is_file():
            continue
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            raise ValueError(f"{path} has digest {found}, not the one it is named by: delete it and get it again")
        return data.removesuffix(b"\n").split(b"\n")
    raise FileNotFoundError(
        f"the items of {what}, sha256 {digest}, are in none of the stores {', '.join(map(str, roots))}. "
        f"Set FTBENCH_STORE to the folder that holds data/{digest}.jsonl, or get it with: ftbench lock {benchmark}"
    )


def _source(source: dict[str, Any]) -> str:
    return " ".join(f"{key} {value}" for key, value in sorted(source.items()))
