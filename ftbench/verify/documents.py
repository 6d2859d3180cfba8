"""The documents of a bundle, read strictly. What cannot be read is kept as diagnostics, never raised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.result import ledger, names, safejson, samples
from ftbench.result.documents import Environment, LedgerLine, Lock, Manifest, Result, Sample
from ftbench.result.files import Bundle
from ftbench.spec import entries, outline, yaml
from ftbench.spec.canonical import canonical
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.outline import Outline
from ftbench.spec.primitives import Block

T = TypeVar("T")
B = TypeVar("B", bound=Block)
MAX_ENTRY = 2**18
"""Largest entry that is read, in bytes."""
MAX_RESULT = 8 * 2**20
"""Largest result that is read, in bytes: a hundred tasks with a hundred references."""
MAX_SMALL = 2**20
"""Largest lock, manifest, environment and adapter configuration, in bytes."""
MAX_UNREADABLE = 5
"""After so many samples files that cannot be read no more are tried."""
MAX_SAMPLES = samples.MAX_BYTES
"""Bytes that all samples files of a bundle together may unpack to."""


@dataclass
class Documents:
    """Each is None where it is missing or cannot be read; `problems` says why."""

    result: Result | None = None
    entry: ResolvedEntry | None = None
    lock: Lock | None = None
    ledger: list[LedgerLine] | None = None
    environment: Environment | None = None
    manifest: Manifest | None = None
    outline: Outline | None = None
    adapter_config: Any = None
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """Task → its samples, for every samples file that could be read."""
    problems: list[Diagnostic] = field(default_factory=list)


def read(bundle: Bundle, *, known: bool = False) -> Documents:
    """Read every document of `bundle`. `known`: these very bytes were read before, and how samples are written is not
    looked at again."""
    made = Documents()
    refused = {problem.name: problem.why for problem in bundle.problems}
    if "" in refused and not bundle.files:
        made.problems.append(Diagnostic(codes.NOT_STRICT_JSON, refused[""], Place(printable(bundle.path.name))))
        return made

    def take(name: str, reader: Callable[[bytes, str], T]) -> T | None:
        if name not in bundle:
            why = refused.get(name, "the bundle lacks this document")
            made.problems.append(Diagnostic(codes.NOT_STRICT_JSON, why, Place(name)))
            return None
        try:
            return reader(bundle.files[name], name)
        except FtbenchError as error:
            made.problems.extend(error.diagnostics)
            return None

    def small(model: type[B]) -> Callable[[bytes, str], B]:
        return lambda data, name: safejson.parse_model(data, model, name, max_bytes=MAX_SMALL)

    made.result = take(names.RESULT, lambda data, name: safejson.parse_model(data, Result, name, max_bytes=MAX_RESULT))
    made.entry = take(names.ENTRY, read_entry)
    made.lock = take(names.LOCK, small(Lock))
    made.ledger = take(names.LEDGER, ledger.parse)
    made.environment = take(names.ENVIRONMENT, small(Environment))
    made.manifest = take(names.MANIFEST, small(Manifest))
    made.outline = take(
        names.MODEL, lambda data, name: safejson.parse_model(data, Outline, name, max_bytes=outline.MAX_BYTES)
    )
    made.adapter_config = take(names.ADAPTER_CONFIG, lambda data, name: safejson.parse(data, name, max_bytes=MAX_SMALL))
    left, answers, unreadable = MAX_SAMPLES, samples.MAX_ANSWERS, 0

    def read_samples(data: bytes, name: str) -> list[Sample]:
        nonlocal left, answers
        text = samples.unpack(data, name, left)
        left -= len(text)
        found = samples.parse_lines(text, name, answers, known=known)
        answers -= sum(map(samples.answers, found))
        return found

    for name in bundle:
        task = names.task_of(name)
        if unreadable == MAX_UNREADABLE:
            break
        found = take(name, read_samples) if task is not None else None
        if task is not None and found is not None:
            made.samples[task] = found
        elif task is not None:
            unreadable += 1
    return made


def read_entry(data: bytes, name: str) -> ResolvedEntry:
    """`entry.yaml` as a model. Raises InvalidInput."""
    if len(data) > MAX_ENTRY:
        raise InvalidInput(Diagnostic(codes.NOT_STRICT_JSON, f"has more than {MAX_ENTRY} bytes", Place(name)))
    document = yaml.parse(data, name)
    try:
        canonical(document.value)
    except ValueError as error:
        raise InvalidInput(Diagnostic(codes.NOT_STRICT_JSON, f"holds what JSON cannot: {error}", Place(name))) from None
    problems = safejson.schema_problems(document.value, ResolvedEntry)
    if problems:
        raise InvalidInput([Diagnostic(codes.NOT_THE_SCHEMA, problem, Place(name)) for problem in problems])
    return entries.parse_resolved(data, name)


def describe_problems(problems: Sequence[Diagnostic]) -> list[str]:
    """Diagnostics as short texts with their place."""
    return [f"{problem.place}: {problem.message}" if problem.place else problem.message for problem in problems]
