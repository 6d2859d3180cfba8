"""`extends: other.yaml`, or the name of a built-in spec: a spec that says only what it changes.

Mappings are merged field by field; lists and scalars are replaced. A mapping whose `kind` changes is replaced whole,
as the other kind has other fields (an adapter's do not), and so is each knob; a knob set to null is taken away (frozen
again).
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from ftbench import builtin, codes
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec import yaml
from ftbench.spec.paths import Path
from ftbench.spec.yaml import Document

MAX_PARENTS = 8


def follow(path: FilePath) -> Document:
    """The document in `path` with all it extends merged in; places keep their file. Raises InvalidInput."""
    return _follow(path, ())


def _follow(path: FilePath, below: tuple[FilePath, ...]) -> Document:
    child = yaml.scan(path)
    if not isinstance(child.value, dict) or "extends" not in child.value:
        return child
    try:
        parent_path = _parent(path, child, (*below, path.resolve()))
        parent = _follow(parent_path, (*below, path.resolve()))
        if not isinstance(parent.value, dict):
            message = f"`extends: {child.value['extends']}` is not a spec: it holds no mapping"
            raise InvalidInput(Diagnostic(codes.EXTENDS, message, child.place(("extends",))))
    except InvalidInput as error:
        raise InvalidInput([*child.problems, *error.diagnostics]) from error
    return _merge(parent, child)


def _parent(path: FilePath, child: Document, chain: tuple[FilePath, ...]) -> FilePath:
    named = child.value["extends"]

    def refuse(message: str, hint: str = "") -> InvalidInput:
        return InvalidInput(Diagnostic(codes.EXTENDS, message, child.place(("extends",)), hint))

    if not isinstance(named, str) or not named:
        raise refuse("`extends` must be a built-in spec's name, or the relative path of a spec, such as `medical.yaml`")
    if FilePath(named).is_absolute() or "\\" in named or ":" in named:
        raise refuse(f"`extends: {named}` must be a relative path with forward slashes")
    target = (path.parent / named).resolve()
    root = tree(path)
    known = builtin.specs()
    if named in known and not target.is_file():  # from wherever this spec lies
        target = known[named].resolve()
    elif not target.is_relative_to(root):
        hint = "keep both specs in one folder tree, or extend a built-in spec by its name: `extends: finance`"
        raise refuse(f"`extends: {named}` leaves the folder `{root.name}`", hint)
    if target in chain:
        names = " → ".join(item.name for item in (*chain[chain.index(target) :], target))
        raise refuse(f"specs extend one another in a circle: {names}")
    if len(chain) > MAX_PARENTS:
        raise refuse(f"more than {MAX_PARENTS} specs extend one another")
    if not target.is_file():
        near = sorted(item.name for item in target.parent.glob("*.yaml")) if target.parent.is_dir() else []
        hint = did_you_mean(target.name, near) or did_you_mean(named, known)
        raise refuse(f"`extends: {named}` is neither a file nor the name of a built-in spec", hint)
    return target


def tree(path: FilePath) -> FilePath:
    """The folder that a spec may extend within: the nearest one named `specs` above it, else its own."""
    folder = path.resolve().parent
    return next((above for above in (folder, *folder.parents) if above.name == "specs"), folder)


def _merge(parent: Document, child: Document) -> Document:
    merged = Document(
        None,
        {(): child.spots[()]},
        parent.sources | child.sources,
        parent.problems + child.problems,
    )
    parent.value.pop("extends", None)
    merged.value = _value(parent, child, (), merged)
    return merged


def _value(parent: Document, child: Document, path: Path, out: Document) -> Any:
    """The value at `path` of both, the child's where they clash. Both documents have something there."""
    old, new = _at(parent.value, path), _at(child.value, path)
    if not (isinstance(old, dict) and isinstance(new, dict)) or _replaced(old, new, path):
        return _take(child, path, out)
    out.spots[path] = child.spots[path]
    result: dict[str, Any] = {}
    for key in [*old, *(key for key in new if key not in old)]:
        inner = (*path, key)
        if key in new and new[key] is None and path == ("knobs",) and inner not in child.broken:
            continue
        if key in old and key in new:
            result[key] = _value(parent, child, inner, out)
        else:
            result[key] = _take(child if key in new else parent, inner, out)
    return result


def _replaced(old: dict[str, Any], new: dict[str, Any], path: Path) -> bool:
    if path == ("adapter",):  # every kind of adapter has the same fields
        return False
    if path == ("data", "columns"):  # the columns of one source are no use for another
        return True
    return (path[:1] == ("knobs",) and len(path) == 2) or ("kind" in new and new["kind"] != old.get("kind"))


def _take(source: Document, path: Path, out: Document) -> Any:
    value = _at(source.value, path)
    out.spots[path] = source.spots[path]
    if path in source.broken:
        out.broken.add(path)
    if isinstance(value, dict):
        return {key: _take(source, (*path, key), out) for key in value}
    if isinstance(value, list):
        return [_take(source, (*path, number), out) for number in range(len(value))]
    return value


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value
