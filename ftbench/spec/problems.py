"""pydantic's errors as diagnostics: places in the file, the user's words, a near name where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Severity, did_you_mean
from ftbench.spec import fields, near, paths, words
from ftbench.spec.fields import Shape
from ftbench.spec.paths import Path
from ftbench.spec.primitives import Block
from ftbench.spec.sources import UNWRITTEN
from ftbench.spec.yaml import Document

_OLD_BOOLS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_OWN_FILES = "files of your own: `{kind: file, files: [train.jsonl], format: jsonl}`, paths relative to the spec"
_ELSEWHERE = frozenset({"local", "path", "disk", "folder", "json", "jsonl", "csv", "parquet", "zip", "files"})
"""Words for a source's kind that mean files of one's own; some resemble `builtin` or `hub`, too."""
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem at a path of a document, before it has a place in a file."""

    code: str
    path: Path
    message: str
    hint: str = ""
    key: bool = False
    """Whether the key is meant rather than the value."""
    severity: Severity = "error"

    def at(self, document: Document | None) -> Diagnostic:
        """As a diagnostic; without a document it has no place."""
        place = document.place(self.path, key=self.key) if document else None
        return Diagnostic(self.code, self.message, place, self.hint, self.severity)


@dataclass(frozen=True, slots=True)
class _Located:
    error: ErrorDetails
    path: Path
    shape: Shape | None
    """Shape of the field at `path`, or of the block around it for a missing field."""
    branches: tuple[tuple[Path, str], ...]
    """Unions without a discriminator that were passed, with the member tried."""


def problems(model: type[Block], value: Any, error: ValidationError) -> list[Problem]:
    """Every error as a problem, in the order of pydantic's list."""
    located = [_locate(model, value, item) for item in error.errors(include_url=False, include_input=False)]
    misspelt = _misspelt(value, located)
    result: list[Problem] = []
    told: set[Path] = set()
    for item in located:
        if item.error["type"] == "missing" and item.path in misspelt:
            continue
        union = _outermost_union(value, item.branches)
        if union is None or _meant(model, value, union) == _tag(item.branches, union):
            result.append(_problem(model, value, item))
        elif _meant(model, value, union) is None and union not in told:
            told.add(union)
            shape = fields.at(model, value, union)
            wanted = words.expected(shape) if shape else "another value"
            result.append(_wrong_type(union, wanted, _value(value, union)))
    return result


def _misspelt(value: Any, located: Sequence[_Located]) -> set[Path]:
    """Missing fields that an unknown field of the same block was meant to be: one message says it."""
    missing = {item.path for item in located if item.error["type"] == "missing"}
    meant = set()
    for item in located:
        if item.error["type"] == "extra_forbidden" and item.shape:
            near = get_close_matches(str(item.path[-1]), _absent(value, item), n=1)
            meant |= {(*item.path[:-1], name) for name in near}
    return meant & missing


def _absent(value: Any, item: _Located) -> list[str]:
    there = _value(value, item.path[:-1])
    known = item.shape.fields if item.shape else {}
    return [name for name in known if not isinstance(there, dict) or name not in there]


def _locate(model: type[Block], value: Any, error: ErrorDetails) -> _Located:
    shape: Shape | None = Shape(model)
    path: list[str | int] = []
    branches: list[tuple[Path, str]] = []
    rest = list(error["loc"])
    while rest and shape is not None:
        members = shape.members
        if len(members) > 1:
            # The next part of the location is not in the file: it names the union's member that was tried.
            tag = str(rest.pop(0))
            kinds = [m for m in members if (kind := m.fields.get("kind")) and tag in (kind.words or ())]
            if not kinds:
                branches.append((tuple(path), tag))
            shape = next(iter(kinds or [m for m in members if _member_tag(m, tag)]), None)
            continue
        part = rest.pop(0)
        inner = members[0]
        if inner.block and error["type"] == "missing" and not rest:
            return _Located(error, (*path, part), inner, tuple(branches))
        if part == "[key]":
            break
        path.append(part)
        known = inner.fields.get(str(part)) if inner.block else inner.item
        if known is None:
            return _Located(error, tuple(path), inner, tuple(branches))
        shape = known
    return _Located(error, tuple(path), shape, tuple(branches))


def _member_tag(member: Shape, tag: str) -> bool:
    if member.block:
        return bool(member.block.__name__ == tag)
    return tag.startswith("list") if member.item else False


def _value(value: Any, path: Path) -> Any:
    try:
        return paths.get(value, path)
    except (KeyError, IndexError, TypeError):
        return None


def _outermost_union(value: Any, branches: Sequence[tuple[Path, str]]) -> Path | None:
    return branches[0][0] if branches else None


def _tag(branches: Sequence[tuple[Path, str]], union: Path) -> str | None:
    return next((tag for path, tag in branches if path == union), None)


def _meant(model: type[Block], value: Any, union: Path) -> str | None:
    """Tag of the union's member that the user seems to have meant; None if nothing speaks for one."""
    shape = fields.at(model, value, union)
    there = _value(value, union)
    if shape is None:
        return None
    chosen = fields.choose(shape, there)
    if isinstance(there, dict) and chosen.block and chosen.fields.keys() & there.keys():
        return str(chosen.block.__name__)
    if isinstance(there, list) and chosen.item:
        return next((t for t in _list_tags(chosen)), None)
    return None


def _list_tags(shape: Shape) -> Iterator[str]:
    item = shape.item
    yield f"list[{getattr(item.type, '__name__', item.type) if item else ''}]"


def _wrong_type(path: Path, wanted: str, there: Any) -> Problem:
    if not path and there is None:
        return Problem(codes.WRONG_TYPE, path, "the file is empty", "`ftbench new` writes a spec, or an entry for one")
    hint = ""
    if isinstance(there, str) and "`true`" in wanted and there.lower() in _OLD_BOOLS:
        hint = f"YAML 1.2 reads `{there}` as text; write {_OLD_BOOLS[there.lower()]}"
    elif isinstance(there, str) and "number" in wanted and _reads_as_number(there):
        hint = "leave the quotes out, and write digits without spaces, commas or underscores"
    elif isinstance(there, int | float | bool) and wanted.startswith("text"):
        hint = "put it in quotes"
    return Problem(codes.WRONG_TYPE, path, f"{_name(path)}: expected {wanted}, found {words.found(there)}", hint)


def _reads_as_number(text: str) -> bool:
    try:
        float(text.replace(",", "").replace(" ", "").replace("_", ""))
    except ValueError:
        return False
    return True


def _name(path: Path) -> str:
    return f"`{paths.show(path)}`" if path else "the document"


def _block_name(path: Path) -> str:
    return f"the block `{paths.show(path)}`" if path else "the file"


def _problem(model: type[Block], value: Any, item: _Located) -> Problem:
    path, kind = item.path, item.error["type"]
    if kind == "missing":
        return _missing(item)
    if kind == "extra_forbidden":
        known = list(item.shape.fields) if item.shape else []
        message = f"{_block_name(path[:-1])} has no field `{path[-1]}`"
        hint = did_you_mean(str(path[-1]), _absent(value, item))
        if not hint:
            hint = near.hint(model, paths.show(path), _value(value, path))
            if known and (not hint or len(path) > 2):
                hint = f"{hint} its fields: {', '.join(known)}".strip()
        return Problem(codes.UNKNOWN_FIELD, path, message, hint, key=True)
    there = _value(value, path)
    make = _MAKERS.get(kind)
    if make:
        return make(item, there)
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        bound = words.number(item.error.get("ctx", {}).get(key, 0))
        return Problem(codes.OUT_OF_LIMITS, path, f"{_name(path)} must be {word} {bound}, and is {words.quoted(there)}")
    wanted = words.expected(item.shape, limits=False) if item.shape else "another value"
    if kind.endswith("_type") or kind in ("int_from_float", "is_instance_of"):
        return _wrong_type(path, wanted, there)
    return Problem(codes.WRONG_TYPE, path, f"{_name(path)}: {item.error['msg']}")


def _missing(item: _Located) -> Problem:
    *parent, name = item.path
    field = item.shape.fields.get(str(name)) if item.shape else None
    hint = f"`{name}`: {field.doc.splitlines()[0]}" if field and field.doc else ""
    message = f"{_block_name(tuple(parent))} lacks `{name}`"
    if field and field.words:
        message += f", which is {words.listed(field.words)}"
    return Problem(codes.MISSING_FIELD, tuple(parent), message, hint, key=True)


def _choice(item: _Located, there: Any) -> Problem:
    known = [word for one in item.shape.members for word in one.words or ()] if item.shape else []
    if item.error["type"].startswith("union_tag"):
        # The whole block is named; the word that decides stands in its `kind`.
        path: Path = (*item.path, "kind")
        kinds = [m.fields["kind"].words for m in item.shape.members if "kind" in m.fields] if item.shape else []
        known = [word for group in kinds for word in group or () if word not in UNWRITTEN]
        there = there.get("kind") if isinstance(there, dict) else None
        if item.error["type"] == "union_tag_not_found":
            message = f"{_block_name(item.path)} lacks `kind`, which is {words.listed(known)}"
            return Problem(codes.MISSING_FIELD, item.path, message, key=True)
    else:
        path = item.path
    message = f"{_name(path)} must be {words.listed(known)}, and is {words.found(there)}"
    hint = did_you_mean(str(there), [str(word) for word in known])
    if path[-2:] == ("source", "kind"):
        hint = f"{hint} {_OWN_FILES}".strip() if str(there) not in _ELSEWHERE else _OWN_FILES
    return Problem(codes.NOT_A_CHOICE, path, message, hint)


def _form(item: _Located, there: Any) -> Problem:
    wanted = words.pattern(str(item.error.get("ctx", {}).get("pattern")))
    return Problem(codes.WRONG_TYPE, item.path, f"{_name(item.path)} must be {wanted}, and is {words.found(there)}")


def _length(item: _Located, there: Any) -> Problem:
    context = item.error.get("ctx", {})
    unit = "characters" if isinstance(there, str) else "items" if isinstance(there, list) else "entries"
    few = "min_length" in context
    bound = context.get("min_length" if few else "max_length")
    size = len(there) if isinstance(there, str | list | dict) else 0
    if few and bound == 1:
        return Problem(codes.OUT_OF_LIMITS, item.path, f"{_name(item.path)} must not be empty")
    word = "at least" if few else "at most"
    return Problem(
        codes.OUT_OF_LIMITS, item.path, f"{_name(item.path)} must have {word} {bound} {unit}, and has {size}"
    )


_MAKERS: dict[str, Callable[[_Located, Any], Problem]] = {
    "literal_error": _choice,
    "union_tag_invalid": _choice,
    "union_tag_not_found": _choice,
    "string_pattern_mismatch": _form,
    "string_too_short": _length,
    "string_too_long": _length,
    "too_short": _length,
    "too_long": _length,
}
