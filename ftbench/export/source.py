"""What an export is made from: a bundle that was verified, its benchmark, and its answers with their marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftbench import codes
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import CheckFailed, InvalidInput, MissingResource
from ftbench.result.documents import Environment, Level, Result, Sample, Verdict
from ftbench.result.opening import open_bundle
from ftbench.spec.entry import ResolvedEntry
from ftbench.verify.documents import read
from ftbench.verify.filled import filled
from ftbench.verify.verifier import problems, verify


@dataclass(frozen=True)
class Exported:
    """One bundle, verified."""

    plan: Plan
    result: Result
    entry: ResolvedEntry
    environment: Environment
    verdict: Verdict
    samples: Mapping[str, Sequence[Sample]]
    """As the bundle has them: text that may not be passed on is a digest."""
    whole: Mapping[str, Sequence[Sample]]
    """With that text put back, for reading answers only."""


def source(
    bundle: Path, *, store: Store, benchmarks: Sequence[Path], plans: Mapping[str, Plan], required: Level
) -> Exported:
    """The bundle at a path.

    Raises CheckFailed where it is below `required`, InvalidInput for no bundle, MissingResource (FTB911) for a
    benchmark that is not known here.
    """
    verdict = verify(bundle, store=store, benchmarks=benchmarks, required=required)
    if not verdict.accepted:
        raise CheckFailed(problems(verdict, bundle))
    documents = read(open_bundle(bundle))
    if documents.result is None or documents.entry is None or documents.environment is None:
        raise InvalidInput(Diagnostic(codes.NO_RESULT, "its documents cannot be read", Place(str(bundle))))
    plan = plans.get(documents.result.spec_hash)
    if plan is None:
        message = f"no benchmark of spec hash {documents.result.spec_hash} is known"
        raise MissingResource(Diagnostic(codes.NO_PLAN, message, Place(str(bundle)), "name it with --benchmarks"))
    try:
        whole: Mapping[str, Sequence[Sample]] = filled(documents.samples, plan, store)
    except MissingResource:
        whole = documents.samples
    return Exported(plan, documents.result, documents.entry, documents.environment, verdict, documents.samples, whole)
