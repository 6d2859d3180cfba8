"""Find the result bundles below folders and verify each, several at a time. One bad bundle never stops the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftbench import codes, parallel
from ftbench.board.model import Refused
from ftbench.board.submission import Marks, Submission
from ftbench.compile.plan import PLAN, Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, MissingResource
from ftbench.result.documents import Answer, Level, Sample, Verdict
from ftbench.result.marks import Given, mark, problems
from ftbench.result.opening import is_archive
from ftbench.spec.canonical import digest
from ftbench.spec.model import Evaluation
from ftbench.verify.checks.lock_known import compiled_folders
from ftbench.verify.documents import Documents
from ftbench.verify.filled import filled

MAX_DEPTH = 8
"""Folders below the one given that are looked into."""


@dataclass(frozen=True)
class Judged:
    """A verdict with what was read for it."""

    verdict: Verdict
    documents: Documents
    content: str
    """Digest of all that was read."""


Verify = Callable[[Path], Judged]
"""Verifies the bundle at a path. Raises FtbenchError where there is nothing to verify."""


@dataclass(frozen=True)
class Collected:
    """What was found: bundles with their verdicts, and those that could not even be opened."""

    submissions: list[Submission]
    refused: list[Refused]


def verifier(*, store: Store, benchmarks: Sequence[Path], spec: Path | None, required: Level) -> Verify:
    """ftbench's own verifier with its settings."""
    from ftbench.verify.verifier import examine

    def verify(path: Path) -> Judged:
        verdict, context = examine(path, spec=spec, store=store, benchmarks=list(benchmarks), required=required)
        return Judged(verdict, context.documents, context.bundle.content())

    return verify


def collect(
    folders: Sequence[Path],
    verify: Verify,
    progress: Callable[[str], None] = lambda path: None,
    *,
    plans: Mapping[str, Plan] | None = None,
    store: Store | None = None,
) -> Collected:
    """Verify every bundle below `folders`. `plans`: spec hash → the benchmark, where known; `store`: has the items of
    bundles that withhold their text.

    Raises MissingResource (FTB701) where there is none, InvalidInput (FTB912) for a folder that is not there.
    """
    collected = Collected([], [])
    found = list(find_submissions(folders))
    if not found:
        where = ", ".join(str(folder) for folder in folders)
        hint = "a bundle is a folder with manifest.json, or an archive made by `ftbench pack`"
        raise MissingResource(Diagnostic(codes.NO_BUNDLES, f"no result bundle below {where}", hint=hint))

    def one(given: tuple[Path, str]) -> Submission | Refused:
        return _collected(*given, verify, plans or {}, store)

    for made in parallel.each(one, found, lambda given: progress(given[1])):
        if isinstance(made, Submission):
            collected.submissions.append(made)
        else:
            collected.refused.append(made)
    return collected


def _collected(
    path: Path, name: str, verify: Verify, plans: Mapping[str, Plan], store: Store | None
) -> Submission | Refused:
    """Whatever is wrong with one bundle is told of that one."""
    try:
        return _submission(name, verify(path), plans, store)
    except FtbenchError as error:
        return _refused(name, "; ".join(one.message for one in error.diagnostics))
    except OSError as error:
        return _refused(name, f"cannot be read: {error.strerror}")
    except Exception as error:  # a verifier that stumbles over one bundle must not hide the others
        return _refused(name, f"could not be verified: {type(error).__name__}")


def find_submissions(folders: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each bundle with its name in tables: its path below the folder given, or its own name if it was given itself.

    Links are not followed, hidden folders and the insides of a bundle are not searched.
    """
    for folder in folders:
        if not folder.exists():
            raise InvalidInput(Diagnostic(codes.NO_PATH, "there is no such folder", Place(str(folder))))
        if is_bundle(folder):
            yield folder, folder.name or str(folder)
        elif folder.is_dir():
            prefix = f"{folder.name}/" if len(folders) > 1 else ""
            yield from ((path, prefix + path.relative_to(folder).as_posix()) for path in _below(folder, MAX_DEPTH))


def is_bundle(path: Path) -> bool:
    """Whether a path looks like a bundle: a folder with a manifest, or an archive."""
    if path.is_dir():
        return (path / "manifest.json").is_file()
    return path.is_file() and is_archive(path)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.is_symlink() and not entry.name.startswith("."))
    except OSError:
        return
    for name in names:
        path = folder / name
        if is_bundle(path):
            yield path
        elif depth and path.is_dir():
            yield from _below(path, depth - 1)


def _submission(name: str, judged: Judged, plans: Mapping[str, Plan], store: Store | None) -> Submission:
    verdict, documents = judged.verdict, judged.documents
    if verdict.result is None:
        return Submission(name, verdict)
    plan = plans.get(verdict.result.spec_hash)
    evaluation = plan.typed_spec().evaluation if plan else None
    samples = _whole(documents.samples, plan, store) if plan else {}
    marks = marks_of(samples, evaluation) if evaluation else {}
    return Submission(
        name,
        verdict,
        documents.entry,
        marks,
        answers_of(documents.samples),
        beside=beside_of(samples, evaluation) if evaluation and marks else {},
        environment=documents.environment,
        content=judged.content,
    )


def _whole(samples: Mapping[str, Sequence[Sample]], plan: Plan, store: Store | None) -> Mapping[str, Sequence[Sample]]:
    """The samples with the text that a bundle withholds, as far as its items are here."""
    if store is not None:
        with suppress(MissingResource):
            return filled(samples, plan, store)
    return samples


def answers_of(samples: Mapping[str, Sequence[Sample]]) -> str | None:
    """Digest of what the tuned model answered in numbers: two runs never agree in them to the last digit."""
    told = {
        name: [sample.tuned.loglikelihoods for sample in sorted(lines, key=lambda sample: sample.index)]
        for name, lines in samples.items()
    }
    return digest(told) if any(one for lines in told.values() for one in lines) else None


def marks_of(samples: Mapping[str, Sequence[Sample]], evaluation: Evaluation, model: str = "tuned") -> Marks:
    """Task that ranks → for each item in order 1 where the model was right by the scoring that ranks, else 0.

    `model`: `tuned`, `untuned` or a reference. Empty where something cannot be scored: then a table compares intervals.
    """
    tasks = {task.name: task for task in evaluation.ranked}
    beside = {task.name for task in evaluation.tasks} - tasks.keys()
    found = {}
    for name, lines in sorted(samples.items()):
        if name in beside:
            continue
        ordered = sorted(lines, key=lambda sample: sample.index)
        answers = [answer_of(sample, model) for sample in ordered]
        given = [
            Given(one, sample.options, sample.target, sample.prompt)
            for one, sample in zip(answers, ordered, strict=True)
            if one is not None
        ]
        if name not in tasks or len(given) < len(ordered):
            return {}
        if any(next(problems(tasks[name], one, name), None) for one in given):
            return {}
        found[name] = [float(mark(tasks[name], tasks[name].scoring[0], one) == "right") for one in given]
    return found


def beside_of(samples: Mapping[str, Sequence[Sample]], evaluation: Evaluation) -> dict[str, Marks]:
    """The marks of every other model that a bundle tells of; one that cannot be scored is left out."""
    named = {name for lines in samples.values() for sample in lines[:1] for name in sample.references}
    found = {name: marks_of(samples, evaluation, name) for name in ["untuned", *sorted(named)]}
    return {name: marks for name, marks in found.items() if marks}


def answer_of(sample: Sample, model: str) -> Answer | None:
    """What a model answered; None where the sample does not have it."""
    return {**sample.references, "untuned": sample.untuned, "tuned": sample.tuned}.get(model)


def _refused(name: str, reason: str) -> Refused:
    return Refused(path=name, bundle=None, spec_hash=None, level="NONE", code=codes.BOARD_UNREADABLE, reason=reason)


def known_plans(benchmarks: Sequence[Path]) -> dict[str, Plan]:
    """Spec hash → plan of every compiled benchmark whose lock the verifier would know."""
    plans: dict[str, Plan] = {}
    for folder in compiled_folders(benchmarks):
        try:
            plan = Plan.model_validate_json((folder / PLAN).read_bytes())
        except (OSError, ValueError):
            continue
        plans.setdefault(plan.spec_hash, plan)
    return plans
