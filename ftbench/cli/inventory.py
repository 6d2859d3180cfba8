"""What `ftbench list` finds, a function for each kind. Everything is read from the models and registries themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args

from ftbench.cli.outputs import Item


def specs(spec: str) -> Iterator[Item]:
    """Built-in benchmarks."""
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
        details = {"version": metadata.version, "status": metadata.status, "path": str(path)}
        yield Item(name=name, description=metadata.title, details=details)


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
    from ftbench.spec.load import load_spec

    for name, path in builtin.specs().items():
        try:
            found = load_spec(path).spec.evaluation.tasks
        except FtbenchError:
            continue
        for task in found:
            source = task.source.model_dump(mode="json")
            yield Item(
                name=task.name,
                description=f"{len(task.options)} options by {task.scoring}, of the benchmark {name}",
                details={"spec": name, "scoring": task.scoring, "options": len(task.options), "source": source},
            )
    for name, world in DATA_SETS.items():
        details = {"source": {"kind": "builtin", "name": name}, "splits": list(world.splits)}
        yield Item(name=name, description="built-in data set: " + ", ".join(world.splits), details=details)


def strategies(spec: str) -> Iterator[Item]:
    """Ways in which the server combines."""
    from ftbench.spec import model

    yield from kinds(model.Strategy)


def partitions(spec: str) -> Iterator[Item]:
    """Ways of dealing rows to clients."""
    from ftbench.spec import model

    yield from kinds(model.Partition)


def adapters(spec: str) -> Iterator[Item]:
    """What can be trained."""
    from ftbench.spec import model

    yield from kinds(model.Adapter)


def checks(spec: str) -> Iterator[Item]:
    """Checks of `ftbench verify`, in their order."""
    from ftbench.verify.checks import CHECKS

    for check in CHECKS:
        yield Item(name=check.id, description=check.title, details={"level": check.level, "code": check.code})


def diagnostics(spec: str) -> Iterator[Item]:
    """Codes of everything that can be wrong."""
    from ftbench.diagnostics import CODES

    import_codes()
    for code in sorted(CODES):
        yield Item(name=code, description=CODES[code], details={})


KINDS: dict[str, Callable[[str], Iterator[Item]]] = {
    "specs": specs,
    "entries": entries,
    "knobs": knobs,
    "strategies": strategies,
    "partitions": partitions,
    "adapters": adapters,
    "tasks": tasks,
    "checks": checks,
    "diagnostics": diagnostics,
}


def kinds(union: Any) -> Iterator[Item]:
    """The members of a union of blocks (or its only member): kind, first line of the docstring, parameters."""
    members = [member for member in get_args(union) if hasattr(member, "model_fields")] or [union]
    for member in members:
        fields = member.model_fields
        parameters = {name: field.description or "" for name, field in fields.items() if name != "kind"}
        yield Item(
            name=get_args(fields["kind"].annotation)[0],
            description=(inspect.getdoc(member) or "").split("\n\n")[0].replace("\n", " "),
            details={"parameters": parameters},
        )


def import_codes() -> None:
    """Import every module that registers diagnostic codes: those whose names end in `codes`, and the scorer."""
    import importlib
    import pkgutil

    import ftbench
    import ftbench.result.score

    for package in ("spec", "data", "models", "compile", "run", "result", "verify", "board", "cli"):
        where = [f"{root}/{package}" for root in ftbench.__path__]
        for module in pkgutil.iter_modules(where):
            if module.name.endswith("codes"):
                importlib.import_module(f"ftbench.{package}.{module.name}")


def _shown(value: object) -> str:
    if isinstance(value, dict) and set(value) == {"name", "revision"}:
        return f"{value['name']}@{str(value['revision'])[:12]}"
    return str(value)
