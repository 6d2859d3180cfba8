"""YAML as ftbench reads it: the 1.2 core schema, positions kept, nothing clever let in.

No tags, anchors, aliases, merge keys or second document; a repeated key is an error that names both lines. PyYAML
gives the events; what they mean is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Protocol

import yaml
from yaml import events
from yaml.error import MarkedYAMLError

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.spec import scalars
from ftbench.spec.paths import Path

MAX_BYTES = 2**20
MAX_DEPTH = 32
MAX_NODES = 50_000
"""Keys and values in one file: far above any spec, and read within a second or two."""
MAX_SHOWN = 400
"""Characters of the longest line that a message shows."""
MAX_PROBLEMS = 100
"""Problems reported for one file; the rest is counted."""

# What YAML does not allow raw, and the three characters that YAML 1.1 takes for line breaks and 1.2 does not.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORBIDDEN_ESCAPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAK = re.compile(r"\r\n|\n|\r")


class _Mark(Protocol):
    """Position in PyYAML's terms: counted from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value and its key stand: file, then (line, column) counted from 1."""

    file: str
    value: tuple[int, int]
    key: tuple[int, int] | None = None


@dataclass(slots=True)
class Document:
    """A YAML document: its value as plain Python, and where each part of it stands."""

    value: Any
    spots: dict[Path, Spot]
    sources: dict[str, list[str]]
    """File → its lines."""
    problems: list[Diagnostic] = field(default_factory=list)
    """What was wrong without keeping the rest from being read. Empty after `read`."""
    broken: set[Path] = field(default_factory=set)
    """Paths whose value could not be read: what stands there in `value` is a stand-in."""

    def place(self, path: Path = (), *, key: bool = False) -> Place:
        """Place of the value at `path` (or of its key); of the nearest block around it where it does not stand."""
        wanted = path
        while path and path not in self.spots:
            path = path[:-1]
        spot = self.spots[path]
        line, column = spot.key if spot.key and (key or path != wanted) else spot.value
        return Place(spot.file, line, column, _source(self.sources[spot.file], line))


def read(path: FilePath) -> Document:
    """The document in a file. Raises InvalidInput with every problem found."""
    return _strict(scan(path))


def scan(path: FilePath) -> Document:
    """Like `read`, but problems that leave the rest readable are kept in `.problems`."""
    return parse(read_bytes(path), shown(path))


def read_text(text: str, name: str) -> Document:
    """The document in a string; `name` stands for the file in messages."""
    return _strict(parse(text.encode("utf-8", "surrogatepass"), name))


def _strict(document: Document) -> Document:
    if document.problems:
        raise InvalidInput(document.problems)
    return document


def shown(path: FilePath) -> str:
    """How a file is named in messages: relative to the working directory where it lies below it."""
    try:
        return path.absolute().relative_to(FilePath.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)


def read_bytes(path: FilePath) -> bytes:
    """At most MAX_BYTES from a regular file. Raises InvalidInput."""
    name = shown(path)
    try:
        if not path.is_file():
            why = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
            raise InvalidInput(Diagnostic(codes.CANNOT_READ, f"`{name}` {why}", hint="give the path of a YAML file"))
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidInput(Diagnostic(codes.CANNOT_READ, f"cannot read `{name}`: {why}", Place(name))) from error
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES} bytes"
        raise InvalidInput(Diagnostic(codes.TOO_LARGE, message, Place(name, 1, 1)))
    return data


def parse(data: bytes, name: str) -> Document:
    """The document in `data`. Raises InvalidInput where it cannot be read at all."""
    text = _decode(data, name)
    return _Builder(text, name).build()


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise InvalidInput(Diagnostic(codes.TOO_LARGE, f"larger than {MAX_BYTES} bytes", Place(name, 1, 1)))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput(
            Diagnostic(codes.BAD_TEXT, "the file is UTF-16 or UTF-32", Place(name, 1, 1), "save it as UTF-8")
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        place = _place_at(before + "\ufffd" + data[error.end :].decode(errors="replace"), len(before), name)
        raise InvalidInput(Diagnostic(codes.BAD_TEXT, message, place, "save the file as UTF-8")) from error
    if bad := _FORBIDDEN.search(text):
        message = f"the character U+{ord(bad[0]):04X} may not stand in a file as it is"
        hint = "leave it out, or write it as an escape in double quotes where its field allows it"
        raise InvalidInput(Diagnostic(codes.BAD_TEXT, message, _place_at(text, bad.start(), name), hint))
    return text


def _place_at(text: str, offset: int, name: str) -> Place:
    before = _BREAK.split(text[:offset])
    return Place(name, len(before), len(before[-1]) + 1, _source(_BREAK.split(text), len(before)))


def _source(lines: list[str], line: int) -> str | None:
    """The line to be shown with a message: none where it is empty, or too long for a screen."""
    text = lines[line - 1] if line <= len(lines) else ""
    return text if 0 < len(text) <= MAX_SHOWN else None


class _Builder:
    """Turns PyYAML's events into plain values and spots."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = _BREAK.split(text)
        self.document = Document(None, {}, {name: self.lines})
        self.left_out = 0
        self.loader = yaml.SafeLoader(text)

    def build(self) -> Document:
        stream = self._events()
        try:
            self._whole(stream)
        except MarkedYAMLError as error:
            what = ", ".join(part for part in (error.context, error.problem) if part)
            raise self._fatal(codes.SYNTAX, f"not YAML: {what}", error.problem_mark or error.context_mark) from error
        if self.left_out:
            message = f"{self.left_out} more problems of this kind are not shown"
            self.document.problems.append(Diagnostic(codes.SYNTAX, message, Place(self.name, 1, 1)))
        return self.document

    def _events(self) -> Iterator[events.Event]:
        while True:
            try:
                event = self.loader.get_event()  # type: ignore[no-untyped-call]
            except MarkedYAMLError:
                raise
            except Exception as error:  # PyYAML lets slips of its own out, such as chr() of "\UFFFFFFFF"
                raise self._fatal(codes.SYNTAX, f"not YAML: {error}", self.loader.get_mark()) from error
            if event is None:
                return
            yield event

    def _whole(self, stream: Iterator[events.Event]) -> None:
        documents = 0
        for event in stream:
            if isinstance(event, events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._fatal(
                        codes.YAML_FEATURE, "a second document begins here", event.start_mark, "keep one in a file"
                    )
                if event.tags or event.version not in (None, (1, 2)):
                    self._problem(codes.YAML_FEATURE, "YAML directives are not read", event.start_mark)
            elif isinstance(event, events.NodeEvent):
                self.document.value = self._node(event, stream, (), None)
        if not documents or not self.document.spots:
            self.document.spots[()] = Spot(self.name, (1, 1))

    def _node(self, event: events.Event, stream: Iterator[events.Event], path: Path, key: _Mark | None) -> Any:
        self.document.spots[path] = Spot(self.name, _at(event.start_mark), _at(key) if key else None)
        if len(path) > MAX_DEPTH:
            raise self._fatal(codes.TOO_LARGE, f"nested more than {MAX_DEPTH} deep", event.start_mark)
        if len(self.document.spots) > MAX_NODES:
            raise self._fatal(codes.TOO_LARGE, f"more than {MAX_NODES} keys and values", event.start_mark)
        if isinstance(event, events.AliasEvent):
            self._broken(path, codes.YAML_FEATURE, "aliases are not read", event.start_mark, "write it out")
            return None
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            self._problem(codes.YAML_FEATURE, f"anchors (`&{anchor}`) are not read", event.start_mark, "leave it out")
        if tag is not None:
            self._problem(codes.YAML_FEATURE, f"tags (`{tag}`) are not read", event.start_mark, "leave it out")
        if isinstance(event, events.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, events.SequenceStartEvent):
            items: list[Any] = []
            for inner in stream:
                if isinstance(inner, events.SequenceEndEvent):
                    break
                items.append(self._node(inner, stream, (*path, len(items)), None))
            return items
        return self._mapping(stream, path)

    def _mapping(self, stream: Iterator[events.Event], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for event in stream:
            if isinstance(event, events.MappingEndEvent):
                break
            name = self._key(event, stream, path)
            value_event = next(stream)
            # A value whose key is unusable is read for the problems in it and then dropped.
            at: Path = (*path, f"\0{len(self.document.spots)}" if name is None or name in result else name)
            if name is not None and name in result:
                first = self.document.spots[(*path, name)].key or (0, 0)
                message = (
                    f"the key `{name}` stands twice: first in line {first[0]}, again in line {_at(event.start_mark)[0]}"
                )
                self._problem(codes.REPEATED_KEY, message, event.start_mark, "keep one of them")
                self._node(value_event, stream, at, event.start_mark)
            elif name is None:
                self._node(value_event, stream, at, event.start_mark)
            else:
                result[name] = self._node(value_event, stream, at, event.start_mark)
        return result

    def _key(self, event: events.Event, stream: Iterator[events.Event], path: Path) -> str | None:
        if not isinstance(event, events.ScalarEvent):
            self._problem(codes.YAML_FEATURE, "a key must be text", event.start_mark)
            self._node(event, stream, (*path, f"\0{len(self.document.spots)}"), None)
            return None
        if event.value == "<<" and event.style is None:
            self._problem(
                codes.YAML_FEATURE, "merge keys (`<<`) are not read", event.start_mark, "write the fields out"
            )
            return None
        probe: Path = (*path, f"\0{len(self.document.spots)}")
        value = self._node(event, stream, probe, None)
        if probe in self.document.broken:
            return None
        if not isinstance(value, str):
            message = f"a key must be text, and `{event.value}` is not"
            self._problem(codes.YAML_FEATURE, message, event.start_mark, f'write "{event.value}" in quotes')
            return None
        return value

    def _scalar(self, event: events.ScalarEvent, path: Path) -> scalars.Scalar:
        text: str = event.value
        if bad := _FORBIDDEN_ESCAPED.search(text):
            message = f"the character U+{ord(bad[0]):04X} may not stand in a text"
            self._broken(path, codes.BAD_TEXT, message, event.start_mark)
            return None
        if event.style is not None:
            return text
        try:
            return scalars.plain(text)
        except scalars.BadNumber as error:
            self._broken(path, codes.BAD_NUMBER, f"`{text[:40]}` is {error}", event.start_mark)
            return None

    def _broken(self, path: Path, code: str, message: str, mark: _Mark | None, hint: str = "") -> None:
        self.document.broken.add(path)
        self._problem(code, message, mark, hint)

    def _problem(self, code: str, message: str, mark: _Mark | None, hint: str = "") -> None:
        if len(self.document.problems) >= MAX_PROBLEMS:
            self.left_out += 1
            return
        self.document.problems.append(Diagnostic(code, message, self._place(mark), hint))

    def _fatal(self, code: str, message: str, mark: _Mark | None, hint: str = "") -> InvalidInput:
        return InvalidInput([*self.document.problems, Diagnostic(code, message, self._place(mark), hint)])

    def _place(self, mark: _Mark | None) -> Place:
        line, column = _at(mark)
        return Place(self.name, line, column, _source(self.lines, line))


def _at(mark: _Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
