"""`ftbench explain SPEC PATH`: a value, what it means, who may change it, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec import fields, knobs, near, paths, words
from ftbench.spec.canonical import UNHASHED
from ftbench.spec.load import LoadedSpec, Origin
from ftbench.spec.model import Spec

_WHY_FROZEN = "every entry shares it, and scores are compared because it is"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that ftbench knows about one path of a spec."""

    path: str
    value: Any
    """As JSON: the value in force."""
    type: str
    """What the field takes, in words."""
    doc: str
    """The field's docstring."""
    knob: str | None
    """The allowed range, where the path is a knob."""
    frozen: str | None
    """Why it is not a knob, where it is none."""
    hashed: bool
    """Whether it is part of the spec hash."""
    origin: Origin
    fields: tuple[str, ...]
    """Paths of the fields in it, where it is a block."""

    def as_json(self) -> dict[str, object]:
        """For machines; keys are stable."""
        return {
            "path": self.path,
            "value": self.value,
            "type": self.type,
            "doc": self.doc,
            "knob": self.knob,
            "frozen": self.frozen,
            "hashed": self.hashed,
            "origin": self.origin.kind,
            "file": self.origin.place.file if self.origin.place else None,
            "line": self.origin.place.line if self.origin.place else None,
            "fields": list(self.fields),
        }


def explain(loaded: LoadedSpec, path: str) -> Explanation:
    """What stands at `path`; the empty path is the whole spec. Raises InvalidInput where there is nothing."""
    plain = loaded.spec.model_dump(mode="json")
    inside = paths.resolve(plain, path) if path else ()
    if inside is None:
        hint = near.hint(Spec, path) or did_you_mean(path, all_paths(plain)) or f"blocks: {', '.join(plain)}"
        place = Place(str(loaded.document.spots[()].file))
        raise InvalidInput(Diagnostic(codes.UNKNOWN_PATH, f"the spec has no path `{path}`", place, hint))
    shape = fields.at(Spec, plain, inside)
    value = paths.get(plain, inside)
    name = paths.show(inside)
    knob = loaded.spec.knobs.get(name)
    inner = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return Explanation(
        path=name,
        value=value,
        type=words.expected(shape) if shape else "a value",
        doc=_doc(shape, inside),
        knob=knobs.describe(knob, shape) if knob else None,
        frozen=None if knob else _frozen(loaded.spec, name, inside),
        hashed=inside[0] not in UNHASHED if inside else True,
        origin=_origin(loaded, inside),
        fields=tuple(paths.show((*inside, key)) for key in inner),
    )


def all_paths(value: Any, path: paths.Path = ()) -> list[str]:
    """Every path in a document, blocks before what is in them."""
    found = [paths.show(path)] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += all_paths(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += all_paths(item, (*path, number))
    return found


def _doc(shape: fields.Shape | None, inside: paths.Path) -> str:
    if shape is None:
        return ""
    about = shape.block.__doc__ if shape.block else None
    return "\n\n".join(dict.fromkeys(text.strip() for text in (shape.doc, about) if text))


def _frozen(spec: Spec, name: str, inside: paths.Path) -> str | None:
    if not inside:
        return None
    if around := next((knob for knob in spec.knobs if name.startswith(knob + ".")), None):
        return f"it is part of the knob `{around}`, which is chosen whole"
    if within := [knob for knob in spec.knobs if knob.startswith(name + ".")]:
        return f"only in part: {words.listed(within, 'and')} may be chosen"
    if inside[0] == "knobs":
        return "the spec says what may be chosen"
    return knobs.closed(name) or _WHY_FROZEN


def _origin(loaded: LoadedSpec, inside: paths.Path) -> Origin:
    written = loaded.document.value
    for part in inside:
        try:
            written = written[part]
        except (KeyError, IndexError, TypeError):
            return Origin("default")
    place = loaded.document.place(inside)
    return Origin("file" if place.file == loaded.document.spots[()].file else "parent", place)
