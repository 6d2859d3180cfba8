"""What `ftbench list` finds, a function for each kind. Everything is read from the models and registries themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from ftbench import codes
from ftbench.cli.outputs.general import Item
from ftbench.spec.fields import of
from ftbench.spec.primitives import Block


def specs(spec: str) -> Iterator[Item]:
    """Built-in benchmarks; those whose data is not resolved yet can be read and compiled, not run."""
    from ftbench import builtin
    from ftbench.errors import FtbenchError
    from ftbench.spec.load import load_spec

    for name, path in builtin.specs().items():
        try:
            metadata = load_spec(path).spec.metadata
        except FtbenchError as error:
            count = len(error.diagnostics)
            yield Item(name=name, description=f"not valid: {count} problems", details={"path": str(path)})
            continue
        resolved = _resolved(path)
        details = {"version": metadata.version, "status": metadata.status, "resolved": resolved, "path": str(path)}
        waits = "" if resolved else " (its data is not resolved yet)"
        yield Item(name=name, description=metadata.title + waits, details=details)


def _resolved(path: Path) -> bool:
    """Whether a spec's pins are there and say everything."""
    from ftbench.errors import FtbenchError
    from ftbench.spec.load import load_pins

    try:
        return load_pins(path).resolved
    except FtbenchError:
        return False


def entries(spec: str) -> Iterator[Item]:
    """Entries that come with ftbench."""
    from ftbench import builtin
    from ftbench.errors import FtbenchError
    from ftbench.spec.entries import load_entry

    for path in sorted(builtin.entries().rglob("*.yaml")):
        try:
            metadata = load_entry(path).metadata
            name, title = metadata.name, metadata.title
        except FtbenchError as error:
            name, title = path.stem, f"not valid: {len(error.diagnostics)} problems"
        yield Item(name=name, description=title, details={"path": str(path)})


def knobs(spec: str) -> Iterator[Item]:
    """Knobs of one spec."""
    from ftbench.spec import knobs
    from ftbench.spec.load import find_spec, load_spec

    loaded = load_spec(find_spec(spec)).spec
    values, ranges = knobs.values(loaded), knobs.ranges(loaded)
    for name in sorted(loaded.knobs):
        yield Item(
            name=name,
            description=f"{ranges[name]}; {_shown(values[name])} by default",
            details={"default": values[name], "allowed": ranges[name]},
        )


def tasks(spec: str) -> Iterator[Item]:
    """Tasks of the built-in benchmarks, and the built-in data sets."""
    from ftbench import builtin
    from ftbench.data.builtin import DATA_SETS
    from ftbench.errors import FtbenchError
    from ftbench.spec.canonical import canonical
    from ftbench.spec.load import load_spec
    from ftbench.spec.model import ChoiceTask, Task

    asked_in: dict[bytes, tuple[Task, list[str]]] = {}
    for name, path in builtin.specs().items():
        try:
            found = load_spec(path).spec.evaluation.scored
        except FtbenchError:
            continue
        for task in found:
            asked_in.setdefault(canonical(task.model_dump(mode="json")), (task, []))[1].append(name)
    for task, names in asked_in.values():
        options = len(task.options) if isinstance(task, ChoiceTask) else None
        what = f"{options} options" if isinstance(task, ChoiceTask) else f"{task.language} programs"
        source = task.source.model_dump(mode="json")
        details = {"specs": names, "kind": task.kind, "scoring": task.scoring, "options": options, "source": source}
        description = f"{what} by {', '.join(task.scoring)}; asked in {', '.join(names)}"
        yield Item(name=task.name, description=description, details=details)
    for name, world in DATA_SETS.items():
        made = {"source": {"kind": "builtin", "name": name}, "splits": list(world.splits)}
        yield Item(name=name, description="built-in data set: " + ", ".join(world.splits), details=made)


def normalisers(spec: str) -> Iterator[Item]:
    """Steps from published layouts to plain columns."""
    from ftbench.data.normalise import NORMALISERS

    for one in NORMALISERS.values():
        yield Item(name=one.name, description=one.summary, details={"columns": one.columns})


def strategies(spec: str) -> Iterator[Item]:
    """Ways in which the server combines."""
    from ftbench.spec.model import Strategy
    from ftbench.spec.strategies import STRATEGIES

    for kind, one in STRATEGIES.items():
        parameters = {name: Strategy.model_fields[name].description or "" for name in one.parameters}
        yield Item(name=kind, description=f"{one.meaning} ({one.source}).", details={"parameters": parameters})


def partitions(spec: str) -> Iterator[Item]:
    """Ways of dealing rows to clients."""
    from ftbench.spec import model

    yield from kinds(model.Partition)


def adapters(spec: str) -> Iterator[Item]:
    """What can be trained."""
    from ftbench.spec.model import Adapter

    fields = {name: info.description or "" for name, info in Adapter.model_fields.items() if name != "kind"}
    for kind, description in _described(Adapter).items():
        yield Item(name=kind, description=description, details={"parameters": fields})


def checks(spec: str) -> Iterator[Item]:
    """Checks of `ftbench verify`, in their order."""
    from ftbench.verify.checks import CHECKS

    for check in CHECKS:
        yield Item(name=check.id, description=check.title, details={"level": check.level, "code": check.code})


def diagnostics(spec: str) -> Iterator[Item]:
    """Codes of everything that can be wrong."""
    from ftbench.verify.checks import CHECKS

    found = codes.MEANINGS | {check.code: f"not so: {check.title}" for check in CHECKS}
    for code in sorted(found):
        yield Item(name=code, description=found[code], details={})


KINDS: dict[str, Callable[[str], Iterator[Item]]] = {
    "specs": specs,
    "entries": entries,
    "knobs": knobs,
    "strategies": strategies,
    "partitions": partitions,
    "adapters": adapters,
    "tasks": tasks,
    "normalisers": normalisers,
    "checks": checks,
    "diagnostics": diagnostics,
}


def kinds(union: Any) -> Iterator[Item]:
    """The members of a union of blocks (or its only member): kind, first line of the docstring, parameters."""
    members = [member.block for member in of(union).members if member.block]
    for member in members:
        fields = member.model_fields
        parameters = {name: field.description or "" for name, field in fields.items() if name != "kind"}
        yield Item(
            name=get_args(fields["kind"].annotation)[0],
            description=(inspect.getdoc(member) or "").split("\n\n")[0].replace("\n", " "),
            details={"parameters": parameters},
        )


def _described(block: type[Block]) -> dict[str, str]:
    """Kind → what its block's `kind` field says of it: the text after "`KIND`:", up to the next one."""
    info = block.model_fields["kind"]
    text = " ".join((info.description or "").split())
    names = get_args(info.annotation)
    starts = sorted((text.index(f"`{name}`:"), name) for name in names)
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return {name: text[start + len(name) + 3 : end].strip() for (start, name), end in zip(starts, ends, strict=True)}


def _shown(value: object) -> str:
    if isinstance(value, dict) and set(value) == {"name", "revision"}:
        return f"{value['name']}@{str(value['revision'])[:12]}"
    return "none" if value is None else str(value)
