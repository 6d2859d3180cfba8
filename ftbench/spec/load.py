"""Finding and loading a spec and its pins. Every problem is found in one pass and raised together."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ftbench import builtin, codes
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec import checks, extends, paths, yaml
from ftbench.spec.model import Spec
from ftbench.spec.partial import Unusable, partial
from ftbench.spec.pins import Pins
from ftbench.spec.problems import Problem, problems
from ftbench.spec.reserved import covered, reserved
from ftbench.spec.yaml import Document

MINIMAL = 6
"""From so many missing fields on they are told in one message."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    kind: Literal["file", "parent", "default"]
    """The spec's own file, a file that it extends, or the model's default."""
    place: Place | None = None
    """Where it stands, unless it is a default."""

    def __str__(self) -> str:
        return f"{self.place.file}:{self.place.line}" if self.place else "default"


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """A valid spec, and where each part of it stands."""

    spec: Spec
    path: Path
    warnings: list[Diagnostic]
    document: Document = field(repr=False)

    def place(self, path: str) -> Place | None:
        """Place of the value at `path` (`training.schedule.learning_rate`); None where it is a default."""
        inside = paths.resolve(self.document.value, path)
        return None if inside is None else self.document.place(inside)

    def origin(self, path: str) -> Origin:
        """Where the value at `path` came from: a file, a spec that this one extends, or the model's default."""
        place = self.place(path)
        if place is None:
            return Origin("default")
        return Origin("file" if place.file == yaml.shown(self.path) else "parent", place)


def find_spec(arg: str | Path) -> Path:
    """The file that a user means: a path, or the name of a built-in spec. Raises InvalidInput with a near name."""
    known = builtin.specs()
    if str(arg) in known:
        return known[str(arg)]
    try:
        if Path(arg).is_file():
            return Path(arg)
        folder = Path(arg).is_dir()
    except (OSError, ValueError):
        folder = False
    if folder:
        message = f"`{arg}` is a folder; a spec is a YAML file or the name of a built-in spec"
    else:
        message = f"there is no spec `{arg}`: neither a file nor the name of a built-in spec"
    hint = did_you_mean(str(arg).removesuffix(".yaml"), known)
    if not hint:
        missing = str(arg).endswith((".yaml", ".yml"))
        hint = f"no such file in {Path.cwd()}; `ftbench new` writes one, " if missing else ""
        hint += "`ftbench list specs` shows the built-in ones"
    raise InvalidInput(Diagnostic(codes.UNKNOWN_SPEC, message, hint=hint))


def load_spec(path: Path) -> LoadedSpec:
    """The spec in a file. Raises InvalidInput with every problem found, in the order of the file."""
    document = extends.follow(path)
    value = document.value
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key != "extends"}
    found = list(reserved(value))
    told = [problem.path for problem in found]
    spec: Spec | None = None
    try:
        spec = Spec.model_validate(value)
    except ValidationError as error:
        invalid = problems(Spec, value, error)
        wrong = [p for p in invalid if not any(covered(p, path) for path in told) and not _stand_in(document, p)]
        found += _grouped(wrong)
    found += extends_problems(document)
    with suppress(Unusable):
        found += checks.run(spec or partial(Spec, value), whole=spec is not None)
    diagnostics = document.problems + [problem.at(document) for problem in found]
    errors = [d for d in diagnostics if d.severity == "error"]
    if errors or spec is None:
        raise InvalidInput(in_order(diagnostics, yaml.shown(path)))
    return LoadedSpec(spec, path, diagnostics, document)


def _grouped(found: list[Problem]) -> list[Problem]:
    """Missing fields in one message where they are many: such a file is the beginning of a spec."""
    missing = [problem for problem in found if problem.code == codes.MISSING_FIELD]
    if len(missing) < MINIMAL:
        return found
    names = [re.search(r"`([^`]*)`, which|`([^`]*)`$", problem.message) for problem in missing]
    by_block: dict[str, list[str]] = {}
    for problem, name in zip(missing, names, strict=True):
        word = (name[1] or name[2]) if name else "?"
        by_block.setdefault(paths.show(problem.path), []).append(word)
    listed = "; ".join(f"{f'`{block}`: ' if block else ''}{', '.join(words)}" for block, words in by_block.items())
    message = f"the spec lacks {len(missing)} fields and blocks: {listed}"
    hint = "`ftbench new NAME --train FILE --test FILE` writes a whole one; `extends: quickstart` brings the rest"
    rest = [problem for problem in found if problem.code != codes.MISSING_FIELD]
    return [Problem(codes.MISSING_FIELD, (), message, hint), *rest]


def extends_problems(document: Document) -> list[Problem]:
    """A variant must say itself what it is called: under its parent's name it would be written over it."""
    value = document.value
    if not isinstance(value, dict) or "extends" not in value:
        return []
    here = document.spots[()].file
    own = document.spots.get(("metadata", "name"))
    if own and own.file == here:
        return []
    message = "a spec that extends another needs a `metadata.name` of its own"
    return [Problem(codes.EXTENDS, ("extends",), message, "name and version say which folder it is compiled into")]


def _stand_in(document: Document, problem: Problem) -> bool:
    """Whether a problem is about a value that could not be read: that has been said already."""
    return any(problem.path == path for path in document.broken)


def in_order(diagnostics: list[Diagnostic], first: str) -> list[Diagnostic]:
    """By place, the problems of the file `first` before those of others; equal ones once. A flood is cut short."""

    def key(item: Diagnostic) -> tuple[bool, str, int, int]:
        place = item.place or Place("")
        return place.file != first, place.file, place.line, place.column

    ordered = sorted(dict.fromkeys(diagnostics), key=key)
    if len(ordered) <= yaml.MAX_PROBLEMS:
        return ordered
    shown, last = ordered[: yaml.MAX_PROBLEMS], ordered[yaml.MAX_PROBLEMS - 1]
    more = f"{len(ordered) - len(shown)} more problems follow and are not shown"
    return [*shown, Diagnostic(last.code, more, last.place)]


def pins_path(spec_path: Path) -> Path:
    """`x.pins.json` beside `x.yaml`."""
    return spec_path.with_name(f"{spec_path.stem}.pins.json")


def load_pins(spec_path: Path) -> Pins:
    """The pins beside a spec. Raises MissingResource when there are none, InvalidInput when they cannot be used.

    Whether they belong to the spec is for `ftbench.spec.checks.check_pins` to say.
    """
    path = pins_path(spec_path)
    name = yaml.shown(path)
    again = f"`ftbench lock {yaml.shown(spec_path)}` writes it"
    if not path.exists():
        raise MissingResource(Diagnostic(codes.NO_PINS, f"the pins file `{name}` is missing", Place(name), again))
    data = yaml.read_bytes(path)
    try:
        return Pins.model_validate_json(data)
    except ValidationError as error:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as broken:
            message = f"the pins file is not JSON: {broken}"
            raise InvalidInput(Diagnostic(codes.BAD_PINS, message, Place(name), again)) from error
        found = problems(Pins, value, error)
        raise InvalidInput(
            [Diagnostic(codes.BAD_PINS, p.message, Place(name), p.hint or again) for p in found]
        ) from error
