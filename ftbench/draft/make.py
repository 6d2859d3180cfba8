"""From two files to a spec that stands on the disk and validates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ftbench import builtin, codes
from ftbench.atomic import write_file
from ftbench.base_models import from_spec
from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.estimate import estimate
from ftbench.base_models.lookup import look_up
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.draft import files, spec
from ftbench.draft.guess import Guess, guess
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.spec.load import LoadedSpec, load_spec
from ftbench.spec.model import BaseModelRef, Name

MICRO = "builtin/micro-domains"
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Made:
    """What was written, and what it rests on."""

    loaded: LoadedSpec
    guess: Guess


def make(
    name: str, train: Path, test: Path, *, options: str | None, model: str | None, out: Path, store: str | None
) -> Made:
    """Look at the files, write the spec to `out`, load it again. Nothing is left of one that does not validate.

    Raises InvalidInput: FTB319 where it cannot be told what the files are, FTB205 for a model without a revision that
    is known here; and what reading the files raises.
    """
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        message = f"`{name}` cannot be a benchmark's name: lower-case words joined by hyphens, 26 characters at most"
        raise InvalidInput(Diagnostic(codes.NO_DRAFT, message, hint="for example `legal-clauses`")) from None
    _vacant(out)
    rows, items = files.read(train, out), files.read(test, out)
    found = guess(rows, items, [one.strip() for one in (options or "").split(",") if one.strip()])
    known = Store.default(store)
    base = _base(model, known)
    facts = _facts(base, known)
    frame = spec.Frame(name, out.as_posix(), base, facts.parameters if facts else None)
    put(out, spec.write(frame, rows, items, found))
    try:
        loaded = load_spec(out)
        if facts is not None:
            sent = estimate(facts, from_spec.setting(loaded.spec)).communication.total_bytes
            frame = replace(frame, communication_mib=max(1, math.ceil(2 * sent / MIB)))
            write_file(out, spec.write(frame, rows, items, found).encode())
            loaded = load_spec(out)
    except FtbenchError:
        out.unlink()
        raise
    return Made(loaded, found)


def put(path: Path, text: str) -> None:
    """Write a new file. Raises InvalidInput (FTB319) where there is one."""
    _vacant(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, text.encode())


def _vacant(path: Path) -> None:
    if path.exists():
        message = "this file is there already, and nothing is written over"
        raise InvalidInput(Diagnostic(codes.NO_DRAFT, message, Place(str(path)), "name another: --out FILE"))


def _base(model: str | None, store: Store) -> BaseModelRef:
    """The base model by its name. Raises InvalidInput (FTB205) where its revision is neither given nor known here."""
    if model is None:
        return BaseModelRef(name=MICRO, revision=builtin.MODELS[MICRO])
    name, _, revision = model.partition("@")
    try:
        if not revision:
            revision = builtin.MODELS.get(name) or str(look_up(name, None, store).revision)
        return BaseModelRef(name=name, revision=revision)
    except (FtbenchError, ValidationError) as error:
        message = f"`--model {model}`: a spec names its base model with a revision, and none is known here"
        hint = "OWNER/NAME@COMMIT, or of a folder of yours: ftbench data add --model DIR --name OWNER/NAME"
        raise InvalidInput(Diagnostic(codes.MODEL_SYNTAX, message, hint=hint)) from error


def _facts(base: BaseModelRef, store: Store) -> BaseModel | None:
    try:
        return look_up(base.name, base.revision, store)
    except (FtbenchError, ModuleNotFoundError):
        return None
