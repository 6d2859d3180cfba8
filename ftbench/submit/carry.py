"""A result under another spec hash: where only evaluation or stack moved, its scores are made again by a verifier."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from ftbench import __version__, codes
from ftbench.atomic import scratch_folder
from ftbench.compile.compiler import Compiled
from ftbench.compile.folder import write
from ftbench.compile.plan import Plan
from ftbench.decisions.documents import Carried, Edited
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.recorded.scoring import run_programs
from ftbench.result import names
from ftbench.result.documents import Answer, Sample, Scores, Verdict
from ftbench.result.files import Bundle
from ftbench.result.marks import asks_likelihood, asks_text
from ftbench.result.score import score
from ftbench.spec.canonical import sha256
from ftbench.spec.diff import Edit, diff_plans
from ftbench.spec.tasks import CodeTask, Task
from ftbench.submit.judge import Judge
from ftbench.verify.checks import lock_known
from ftbench.verify.context import Context
from ftbench.verify.items import task_rows

How = Literal["answers", "adapter"]
Asked = Callable[[Path, Path | None], Mapping[str, Sequence[Sample]]]

ANSWERS = (
    "evaluation.tasks.*.scoring",
    "evaluation.tasks.*.extraction",
    "evaluation.tasks.*.flowertune",
    "evaluation.tasks.*.source.redistribute",
    "evaluation.tasks.*.reference",
    "evaluation.tasks.*.cpu_seconds",
    "evaluation.tasks.*.memory_mib",
    "evaluation.confidence",
    "code.tasks/*",
)
"""What may differ where recorded answers are scored again: how they are read, not what was asked."""
ADAPTER = (*ANSWERS, "evaluation.tasks", "evaluation.tasks.*", "stack.*", "pins.sources.task:*")
"""What may differ where the items are asked again with the adapter. How it was trained never does."""
SCORED_HERE = ("scores-recomputed", "programs-rerun")
"""Checks that a bundle may fail: what they hold is what is made again."""


def edits_between(old: Plan, new: Plan) -> list[Edit]:
    """What differs beyond what people read."""
    return [one for one in diff_plans(old.as_json(), new.as_json()).edits if one.impact != "cosmetic"]


def how(edits: Sequence[Edit], place: str) -> How:
    """What has to be made again. Raises InvalidInput (FTB785) where training would have been another."""
    beyond = [one.path for one in edits if not _among(one.path, ADAPTER)]
    if beyond:
        message = f"the benchmarks differ in more than evaluation and stack: {', '.join(beyond[:5])}"
        raise InvalidInput(Diagnostic(codes.NOT_CARRIED, message, Place(place), "it has to be run again"))
    return "answers" if all(_among(one.path, ANSWERS) for one in edits) else "adapter"


def carry(bundle: Bundle, new: Compiled, judge: Judge, verifier: str, ask: Asked | None) -> Carried:
    """The bundle's scores under the benchmark `new`.

    `ask`: asks the untuned model and an adapter (folder) the items of a compiled benchmark; None: only recorded answers
    are scored. Raises InvalidInput (FTB785) where the bundle does not hold on its own benchmark, the two differ in more
    than evaluation or stack, or the answers do not suffice; MissingResource where items or a sandbox are not here.
    """
    place = str(bundle.path)
    context = Context(bundle, judge.store, None, judge.benchmarks)
    verdict = judge.verdict(bundle)
    _sound(verdict, place)
    lock_known.run(context)
    old = context.plan
    edits = edits_between(old, new.plan)
    needed = how(edits, place)
    if needed == "answers":
        samples: Mapping[str, Sequence[Sample]] = _read_again(context, new.plan)
    elif ask is None:
        named = ", ".join(one.path for one in edits if not _among(one.path, ANSWERS))
        hint = "--ask asks the items again: it needs base model and torch, on a machine that can hold the model"
        message = f"what was asked, or with what, has moved ({named[:300]}): recorded answers do not tell"
        raise InvalidInput(Diagnostic(codes.NOT_CARRIED, message, Place(place), hint))
    else:
        samples = _ask_again(bundle, new, ask)
    manifest = bundle.files[names.MANIFEST]
    return Carried(
        bundle=sha256(manifest),
        from_spec_hash=old.spec_hash,
        to_spec_hash=new.plan.spec_hash,
        to_name=new.plan.metadata.name,
        to_version=new.plan.metadata.version,
        how=needed,
        edits=[Edited(path=one.path, impact=one.impact) for one in edits],
        scores=_scores(samples, new.plan),
        verifier=verifier,
        ftbench=__version__,
    )


def _among(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _sound(verdict: Verdict, place: str) -> None:
    """Nothing is wrong with the bundle but what is made again."""
    failed = [one for one in verdict.checks if one.outcome != "passed" and one.check not in SCORED_HERE]
    if failed or not verdict.checks:
        told = "; ".join(f"{one.check}: {one.evidence}" for one in failed[:3])
        message = f"the bundle does not hold on the benchmark that it was run on: {told[:600]}"
        raise InvalidInput(Diagnostic(codes.NOT_CARRIED, message, Place(place)))


def _read_again(context: Context, new: Plan) -> dict[str, list[Sample]]:
    """The recorded answers, with what the other benchmark's scorings look at; programs are run again."""
    made = {}
    for task in new.typed_spec().evaluation.tasks:
        texts = context.texts[task.name]
        if isinstance(task, CodeTask):
            rows = task_rows(context, task.name)
            made[task.name] = _programs(task, texts, rows)
        else:
            made[task.name] = [_mapped(sample, partial(_looked_at, task)) for sample in texts]
    return made


def _mapped(sample: Sample, change: Callable[[Answer], Answer]) -> Sample:
    references = {name: change(answer) for name, answer in sample.references.items()}
    return sample.model_copy(
        update={"untuned": change(sample.untuned), "tuned": change(sample.tuned), "references": references}
    )


def _looked_at(task: Task, answer: Answer) -> Answer:
    drop = {} if asks_likelihood(task) else {"loglikelihoods": None}
    drop |= {} if asks_text(task) else {"text": None}
    return answer.model_copy(update=drop)


def _programs(task: CodeTask, samples: Sequence[Sample], rows: Sequence[Mapping[str, object]]) -> list[Sample]:
    """Every model's programs run again."""
    models = ["untuned", "tuned", *(samples[0].references if samples else [])]
    told = {name: [{"untuned": s.untuned, "tuned": s.tuned, **s.references}[name] for s in samples] for name in models}
    ran = {name: run_programs(task, [rows[s.index] for s in samples], answers) for name, answers in told.items()}
    return [
        sample.model_copy(
            update={
                "untuned": ran["untuned"][n],
                "tuned": ran["tuned"][n],
                "references": {name: ran[name][n] for name in sample.references},
            }
        )
        for n, sample in enumerate(samples)
    ]


def _ask_again(bundle: Bundle, new: Compiled, ask: Asked) -> Mapping[str, Sequence[Sample]]:
    """Untuned model and adapter asked anew. Adapters of references are in no bundle: they are not carried."""
    with scratch_folder("ftbench-carry") as folder:
        compiled = write(new, folder / "compiled")
        adapter = folder / "adapter"
        adapter.mkdir()
        for name in (names.ADAPTER, names.ADAPTER_CONFIG):
            adapter.joinpath(Path(name).name).write_bytes(bundle.files[name])
        return ask(compiled, adapter)


def _scores(samples: Mapping[str, Sequence[Sample]], plan: Plan) -> Scores:
    try:
        return score(samples, plan.typed_spec().evaluation)
    except InvalidInput as error:
        told = "; ".join(one.message for one in error.diagnostics[:3])
        message = f"the answers do not suffice for the scorings of the other benchmark: {told}"
        hint = "--ask asks the items again with the adapter"
        raise InvalidInput(Diagnostic(codes.NOT_CARRIED, message, hint=hint)) from error
