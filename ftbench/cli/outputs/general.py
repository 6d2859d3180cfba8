"""What every command prints with `--json`: one object, described by a schema in schemas/output/."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ftbench.diagnostics import Diagnostic
from ftbench.spec.model import Sha256
from ftbench.spec.pins import Pins
from ftbench.spec.primitives import Block


class Problem(Block):
    """A diagnostic."""

    code: str
    """Stable code; `ftbench list diagnostics` explains it."""
    severity: Literal["error", "warning", "note"]
    """Only errors stop a command."""
    message: str
    """What is wrong."""
    file: str | None
    """File that it is in."""
    line: int | None
    """Line, counted from 1."""
    column: int | None
    """Column, counted from 1."""
    hint: str | None
    """How to mend it."""


class ErrorInfo(Block):
    """Why a command ended without its own object."""

    kind: str
    """Name of the kind of error."""
    exit_code: int
    """Exit code of the command."""
    message: str
    """The first problem, or the kind where there is none to tell."""


class ErrorOutput(Block):
    """Any command that could not do what it was asked."""

    format: Literal["ftbench/output/error/v1"] = "ftbench/output/error/v1"
    """Format of this document."""
    error: ErrorInfo
    """Why."""
    diagnostics: list[Problem]
    """Every problem found."""


class ValidatedSpec(Block):
    """What `validate` found about one spec."""

    spec: str
    """The argument, as given."""
    valid: bool
    """Whether it has no error."""
    name: str | None
    """Name of the benchmark, where the spec could be read."""
    version: str | None
    """Version of the benchmark, where the spec could be read."""
    diagnostics: list[Problem]
    """Errors, warnings and notes."""


class ValidateOutput(Block):
    """`ftbench validate`."""

    format: Literal["ftbench/output/validate/v1"] = "ftbench/output/validate/v1"
    """Format of this document."""
    valid: bool
    """Whether all are valid."""
    specs: list[ValidatedSpec]
    """In the order given."""


class NewOutput(Block):
    """`ftbench new`."""

    format: Literal["ftbench/output/new/v1"] = "ftbench/output/new/v1"
    """Format of this document."""
    kind: Literal["spec", "entry"]
    """What was written."""
    file: str
    """Where."""
    guesses: dict[str, str]
    """Of a spec: what was guessed → why."""


class CompileOutput(Block):
    """`ftbench compile`."""

    format: Literal["ftbench/output/compile/v1"] = "ftbench/output/compile/v1"
    """Format of this document."""
    name: str
    """Name of the benchmark."""
    version: str
    """Version of the benchmark."""
    spec_hash: Sha256
    """What results are pinned to."""
    fab_hash: Sha256
    """sha256 of the Flower app bundle."""
    folder: str
    """The compiled benchmark."""
    written: bool
    """False with `--check`."""
    drift: list[str]
    """With `--check`: what differs, as unified diffs; empty where nothing does."""
    run: str
    """The command that runs it."""


class PublishOutput(Block):
    """`ftbench publish`."""

    format: Literal["ftbench/output/publish/v1"] = "ftbench/output/publish/v1"
    """Format of this document."""
    name: str
    """Name of the benchmark."""
    version: str
    """The version that is now fixed."""
    spec_hash: Sha256
    """What results are pinned to."""
    fab_hash: Sha256
    """sha256 of the Flower app bundle."""
    folder: str
    """The compiled benchmark."""
    already: bool
    """Whether the same bytes were there before."""
    cite: str
    """How to name it in a text."""


class LockOutput(Block):
    """`ftbench lock`."""

    format: Literal["ftbench/output/lock/v1"] = "ftbench/output/lock/v1"
    """Format of this document."""
    pins_file: str
    """Path of the pins."""
    changed: bool
    """Whether the file was written; always false with `--check`."""
    fresh: bool
    """Whether the pins on disk are now what the spec resolves to, as far as they are resolved."""
    pins: Pins | None
    """The pins; null where `--check` found none. What is null in them is not resolved yet."""
    diagnostics: list[Problem]
    """With `--check` what is stale, missing or not resolved yet; else test items that occur in the training rows."""


class PackOutput(Block):
    """`ftbench pack`."""

    format: Literal["ftbench/output/pack/v1"] = "ftbench/output/pack/v1"
    """Format of this document."""
    archive: str
    """The archive."""
    size: int
    """Its size in bytes."""
    sha256: Sha256
    """Its digest: equal bundles give equal archives."""


class Item(Block):
    """Something that `list` found."""

    name: str
    """What it is called."""
    description: str
    """What it is, in a line."""
    details: dict[str, Any]
    """More about it; the keys depend on the kind."""


class ListOutput(Block):
    """`ftbench list`."""

    format: Literal["ftbench/output/list/v1"] = "ftbench/output/list/v1"
    """Format of this document."""
    kind: str
    """What was listed."""
    items: list[Item]
    """In a stable order."""


class SchemaOutput(Block):
    """`ftbench schema`."""

    format: Literal["ftbench/output/schema/v1"] = "ftbench/output/schema/v1"
    """Format of this document."""
    schemas: dict[str, Any]
    """Path below `schemas/` → the schema; empty with `--write` and `--check`."""
    drift: list[str]
    """With `--check`: files that are missing, not generated, or have other bytes."""
    written: list[str]
    """With `--write`: files that were written."""


class ExplainCodeOutput(Block):
    """`ftbench explain CODE`."""

    format: Literal["ftbench/output/explain-code/v1"] = "ftbench/output/explain-code/v1"
    """Format of this document."""
    code: str
    """The diagnostic's code."""
    meaning: str
    """What it says."""
    why: str
    """Why it is said: what would go wrong otherwise, or what it points at."""
    mend: str
    """What to do about it."""


class ExplainOutput(Block):
    """`ftbench explain`."""

    format: Literal["ftbench/output/explain/v1"] = "ftbench/output/explain/v1"
    """Format of this document."""
    path: str
    """The path asked for; empty for the whole spec."""
    value: Any
    """The value in force."""
    type: str
    """What the field takes, in words."""
    doc: str
    """What it means."""
    knob: str | None
    """What an entry may choose, where it is a knob."""
    frozen: str | None
    """Why an entry may not choose it, where it is none."""
    hashed: bool
    """Whether it is part of the spec hash."""
    origin: Literal["file", "parent", "default"]
    """Where the value came from: the spec's file, one that it extends, or the default."""
    file: str | None
    """That file; null for a default."""
    line: int | None
    """Its line; null for a default."""
    fields: list[str]
    """Paths of the fields in it, where it is a block."""


class Edit(Block):
    """One difference between two benchmarks."""

    path: str
    """Path in the spec or, for a plan, also in pins, code and stack."""
    impact: Literal["same", "cosmetic", "operational", "score-affecting", "incomparable"]
    """How much it matters."""
    only_in: Literal["A", "B"] | None
    """The side that has it, where the other does not."""
    old: Any
    """Value in A; null also where it is only in B."""
    new: Any
    """Value in B; null also where it is only in A."""


class DiffOutput(Block):
    """`ftbench diff`."""

    format: Literal["ftbench/output/diff/v1"] = "ftbench/output/diff/v1"
    """Format of this document."""
    impact: Literal["same", "cosmetic", "operational", "score-affecting", "incomparable"]
    """The gravest impact of any edit."""
    meaning: str
    """What that means, in a sentence."""
    old_hash: Sha256 | None
    """Spec hash of A; null where A is a spec whose pins are missing."""
    new_hash: Sha256 | None
    """Spec hash of B; null where B is a spec whose pins are missing."""
    edits: list[Edit]
    """In the order of their paths."""


class HashOutput(Block):
    """`ftbench hash`."""

    format: Literal["ftbench/output/hash/v1"] = "ftbench/output/hash/v1"
    """Format of this document."""
    name: str
    """Name of the benchmark."""
    version: str
    """Version of the benchmark."""
    spec_hash: Sha256
    """What results are pinned to."""
    fab_hash: Sha256
    """sha256 of the Flower app bundle."""


class CheckedThing(Block):
    """One line of `doctor`."""

    name: str
    """What was looked at."""
    outcome: Literal["ok", "warn", "fail"]
    """`fail`: a run cannot work; `warn`: something can't be done or may go wrong."""
    detail: str
    """What was found."""
    hint: str
    """How to mend it; empty where nothing is to mend."""


class DoctorOutput(Block):
    """`ftbench doctor`."""

    format: Literal["ftbench/output/doctor/v1"] = "ftbench/output/doctor/v1"
    """Format of this document."""
    ready: bool
    """Whether a run can work here."""
    checks: list[CheckedThing]
    """In the order of looking."""


class VersionOutput(Block):
    """`ftbench version`."""

    format: Literal["ftbench/output/version/v1"] = "ftbench/output/version/v1"
    """Format of this document."""
    ftbench: str
    """Version of ftbench."""
    python: str
    """Version of Python."""
    formats: list[str]
    """Formats of documents that it reads and writes."""
    stack: dict[str, str]
    """Package → the version that compiled benchmarks ask for."""
    installed: dict[str, str | None]
    """Package → the version found here, null where there is none."""


class CompletionOutput(Block):
    """`ftbench completion`."""

    format: Literal["ftbench/output/completion/v1"] = "ftbench/output/completion/v1"
    """Format of this document."""
    shell: str
    """The shell."""
    script: str
    """The script."""


def problems(diagnostics: Iterable[Diagnostic]) -> list[Problem]:
    """Diagnostics as they are printed with `--json`."""
    return [Problem.model_validate(one.as_json()) for one in diagnostics]


def error_output(kind: str, exit_code: int, diagnostics: list[Diagnostic]) -> ErrorOutput:
    """The object of a command that could not do what it was asked."""
    errors = [one for one in diagnostics if one.severity == "error"]
    message = errors[0].message if errors else kind
    return ErrorOutput(
        error=ErrorInfo(kind=kind, exit_code=exit_code, message=message), diagnostics=problems(diagnostics)
    )
