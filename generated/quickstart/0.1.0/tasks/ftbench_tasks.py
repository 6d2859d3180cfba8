"""The harness hook: gives lm-eval the items of a compiled benchmark's tasks.

It is copied beside the task files of every compiled benchmark. lm-eval loads it by file, without a package, so it uses
nothing but the standard library and `datasets`, and finds the plan beside its own folder. The items come from the
store by digest; `FTBENCH_STORE` names one or more stores, and a folder `store` next to the version's is looked at last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

COMPILED = Path(__file__).resolve().parent.parent
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def load(task: str, **_: object) -> dict[str, Any]:
    """What `custom_dataset` of a task file calls: the split `test` with one row an item, in the order of the data.

    lm-eval passes `dataset_kwargs` (`task`) and whatever its caller set as metadata, which is not used.
    Raises FileNotFoundError where the items are in no store, ValueError where they do not fit the plan.
    """
    from datasets import Dataset, Features, Sequence, Value

    features = Features(
        {
            "prompt": Value("string"),
            "options": Sequence(Value("string")),
            "target": Value("int64"),
            "index": Value("int64"),
            "item": Value("string"),
        }
    )
    return {"test": Dataset.from_list(items(task), features=features)}


def items(task: str, *, compiled: Path = COMPILED) -> list[dict[str, Any]]:
    """The items as asked: prompt, options, target (index of the right option), index, item (digest of the row)."""
    plan = json.loads((compiled / "plan.json").read_bytes())
    spec = next((t for t in plan["spec"]["evaluation"]["tasks"] if t["name"] == task), None)
    if spec is None:
        known = ", ".join(t["name"] for t in plan["spec"]["evaluation"]["tasks"])
        raise ValueError(f"{compiled / 'plan.json'} has no task {task!r}; its tasks are {known}")
    pin = plan["pins"]["sources"][f"task:{task}"]
    lines = _read(pin["digest"], f"task {task!r} ({_source(spec['source'])})", plan["metadata"]["name"], compiled)
    if len(lines) != pin["rows"]:
        raise ValueError(f"task {task!r} has {len(lines)} items where the plan's pins say {pin['rows']}")
    return [_item(spec, index, line) for index, line in enumerate(lines)]


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


def _item(spec: dict[str, Any], index: int, line: bytes) -> dict[str, Any]:
    row = json.loads(line)
    options = [render(option, row) for option in spec["options"]]
    target = row.get(spec["answer"])
    if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < len(options):
        raise ValueError(
            f"item {index} of task {spec['name']!r}: column {spec['answer']!r} must be an option's index "
            f"from 0 to {len(options) - 1}, not {target!r}"
        )
    return {
        "prompt": render(spec["prompt"], row),
        "options": options,
        "target": target,
        "index": index,
        "item": hashlib.sha256(line).hexdigest(),
    }


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
