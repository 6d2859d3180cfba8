"""Entries: loading them, filling in what they leave open, and holding them to the spec's knobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import PrivateAttr, ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec import checks, knobs, labels, open_division, yaml
from ftbench.spec.canonical import digest
from ftbench.spec.choices import Chosen, CommitOf, complete, from_entry, from_options, settle
from ftbench.spec.emit import emit
from ftbench.spec.entry import Entry, EntryMetadata, OpenCode, ResolvedEntry
from ftbench.spec.load import in_order
from ftbench.spec.model import Spec
from ftbench.spec.primitives import Block
from ftbench.spec.problems import Problem, problems
from ftbench.spec.yaml import Document

M = TypeVar("M", bound=Block)

NOBODY_ASKED = "0" * 40
"""Stands for the commit of a model that is named without one: its architecture is the same at every commit."""


class PlacedEntry(Entry):
    """An entry that still knows its file, so that a problem found later can be shown in it."""

    _document: Document | None = PrivateAttr(default=None)

    @property
    def document(self) -> Document | None:
        """The file's text and positions."""
        return self._document


def load_entry(path: Path) -> Entry:
    """The entry in a file. Raises InvalidInput with every problem found."""
    document = yaml.scan(path)
    entry = _validated(PlacedEntry, document)
    entry._document = document
    return entry


def resolve_entry(
    spec: Spec,
    entry: Entry | None,
    sets: Sequence[str] = (),
    model: str | None = None,
    seed: int | None = None,
    *,
    commit_of: CommitOf | None = None,
) -> ResolvedEntry:
    """What is run: the entry, over it `--set PATH=VALUE`, `--model NAME[@REVISION]` and `--seed`, over the defaults.

    `commit_of` finds the commit of a model on the hub that is named without one; without it such a model is refused.
    Raises InvalidInput with every problem found: a frozen path, a value out of range, a seed that is not the spec's;
    and whatever `commit_of` raises.
    """
    found: list[Diagnostic] = []
    chosen: dict[str, Chosen] = {}
    document = entry.document if isinstance(entry, PlacedEntry) else None
    if entry is not None:
        chosen |= from_entry(entry, document, found)
    chosen |= from_options(spec, entry, sets, model, found)
    complete(chosen, commit_of, found)
    in_force = settle(spec, chosen, found)
    if seed is None:
        seed = spec.seeds.runs[0] if entry is None or entry.seed is None else entry.seed
        if seed not in spec.seeds.runs:
            found.append(_bad_seed(spec, seed).at(document))
    elif seed not in spec.seeds.runs:
        found.append(_bad_seed(spec, seed).at(None))
    if found:
        raise InvalidInput(found if document is None else in_order(found, document.spots[()].file))
    own = open_modules(entry)
    return ResolvedEntry(
        metadata=entry.metadata if entry else EntryMetadata(name=_name(in_force, chosen)),
        model=in_force.model.base,
        seed=seed,
        knobs={path: knobs.value(in_force, path) for path in sorted(spec.knobs) if path != knobs.BASE_MODEL},
        open=open_division.digests(own) if own else None,
    )


def _name(in_force: Spec, chosen: Collection[str]) -> str:
    """What an entry without a file is called: by what it chose, so that two are not called the same."""
    if not chosen:
        return "default"
    base = in_force.model.base
    values = {path: knobs.value(in_force, path) for path in sorted(chosen) if path != knobs.BASE_MODEL}
    models = {labels.MODEL: f"{base.name}@{base.revision}"} if knobs.BASE_MODEL in chosen else {}
    return labels.name_of({**models, **values})


def open_modules(entry: Entry | None) -> dict[str, bytes]:
    """`strategy` and `client` → the code that the entry brings, those of them that it does. Raises InvalidInput."""
    if entry is None or entry.open is None:
        return {}
    return open_division.read(entry, entry.document if isinstance(entry, PlacedEntry) else None)


def apply(spec: Spec, resolved: ResolvedEntry) -> Spec:
    """The spec with the entry's values in force, validated again. Raises InvalidInput where they break its rules."""
    if found := check_entry(spec, resolved):
        raise InvalidInput(found)
    return settle(spec, _chosen(spec, resolved), [])


def check_entry(spec: Spec, resolved: ResolvedEntry) -> list[Diagnostic]:
    """Everything that is wrong with a resolved entry, such as a bundle's: an empty list if it keeps to the spec."""
    found: list[Diagnostic] = []
    for path in sorted(set(spec.knobs) - set(resolved.knobs) - {knobs.BASE_MODEL}):
        found.append(Problem(codes.MISSING_KNOB, ("knobs",), f"the knob `{path}` has no value").at(None))
    if knobs.BASE_MODEL in resolved.knobs:
        message = "the base model stands under `model`, not among the knobs"
        found.append(Problem(codes.UNKNOWN_KNOB, ("knobs", knobs.BASE_MODEL), message).at(None))
    if resolved.seed not in spec.seeds.runs:
        found.append(_bad_seed(spec, resolved.seed).at(None))
    if resolved.open is not None and resolved.open == OpenCode():
        message = "an entry in the open division brings a strategy or a client of its own, this one neither"
        found.append(Problem(codes.OPEN_CODE, ("open",), message).at(None))
    settle(spec, _chosen(spec, resolved), found)
    return found


def entry_digest(resolved: ResolvedEntry) -> str:
    """Digest of a resolved entry without its metadata: what the ledger and the result quote."""
    return digest(plain(resolved, without={"metadata"}))


def plain(resolved: ResolvedEntry, without: set[str] | None = None) -> dict[str, Any]:
    """A resolved entry as JSON; `open` is there in the open division only."""
    closed = {"open"} if resolved.open is None else set()
    return resolved.model_dump(mode="json", exclude=closed | (without or set()))


def dump_resolved(resolved: ResolvedEntry) -> bytes:
    """`entry.yaml` of a run and a bundle; the same bytes for the same entry. `load_resolved` reads it back."""
    value = plain(resolved)
    value["knobs"] = dict(sorted(value["knobs"].items()))
    return emit(value)


def load_resolved(path: Path) -> ResolvedEntry:
    """A bundle's `entry.yaml`. Raises InvalidInput."""
    return _validated(ResolvedEntry, yaml.scan(path))


def parse_resolved(data: bytes, name: str = "entry.yaml") -> ResolvedEntry:
    """The same from bytes. Raises InvalidInput."""
    return _validated(ResolvedEntry, yaml.parse(data, name))


def _validated(model: type[M], document: Document) -> M:
    entry: M | None = None
    found = list(document.problems)
    try:
        entry = model.model_validate(document.value)
    except ValidationError as error:
        found += [p.at(document) for p in problems(model, document.value, error) if p.path not in document.broken]
    else:
        found += [p.at(document) for p in checks.one_line(entry)]
    if entry is None or found:
        raise InvalidInput(in_order(found, document.spots[()].file))
    return entry


def _chosen(spec: Spec, resolved: ResolvedEntry) -> dict[str, Chosen]:
    chosen = {path: Chosen(value) for path, value in resolved.knobs.items() if path != knobs.BASE_MODEL}
    chosen[knobs.BASE_MODEL] = Chosen(resolved.model.model_dump(mode="json"))
    return chosen


def _bad_seed(spec: Spec, seed: int) -> Problem:
    allowed = ", ".join(map(str, spec.seeds.runs))
    hint = f"the spec lists these, so that nobody searches for a lucky one: {allowed}"
    return Problem(codes.SEED, ("seed",), f"seed {seed} is not one of the spec's `seeds.runs`", hint)
