"""Sources whose fields fit one another, and checkpoints that have something to be chosen by."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.model import BuiltinSource, Data, FileSource, HubSource, SitesSource, Spec, Task
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem
from ftbench.spec.sources import CanarySource


def files(spec: Spec) -> Iterator[Problem]:
    """Every source made of files, of training data and tasks."""
    holders: list[tuple[Data | Task, Path]] = [(spec.data, ("data", "source"))]
    holders += [(task, ("evaluation", "tasks", i, "source")) for i, task in enumerate(spec.evaluation.tasks)]
    for holder, at in holders:
        try:
            if not isinstance(holder.source, BuiltinSource | SitesSource | CanarySource):
                yield from _member(holder.source, at)
                yield from _files(holder.source, at)
                if holder is spec.data and holder.source.redistribute is not None:
                    message = f"`{show((*at, 'redistribute'))}` has no effect: no bundle holds training rows"
                    yield Problem(codes.NO_EFFECT, (*at, "redistribute"), message, "leave it out")
        except AttributeError:  # a field of this source is absent; the next one is looked at all the same
            continue


def _member(source: HubSource | FileSource, at: Path) -> Iterator[Problem]:
    if source.format == "zip-text" and source.member is None:
        message = f"`{show((*at, 'format'))}: zip-text` needs `member`, the file inside the archive"
        yield Problem(codes.SOURCE, (*at, "format"), message, "for example `member: folder/rows.txt`")
    elif source.format != "zip-text" and source.member is not None:
        message = f"`{show((*at, 'member'))}` has no effect with `format: {source.format}`"
        yield Problem(codes.NO_EFFECT, (*at, "member"), message, "leave it out")


def _files(source: HubSource | FileSource, at: Path) -> Iterator[Problem]:
    for number, name in enumerate(source.files):
        where: Path = (*at, "files", number)
        local = isinstance(source, FileSource)
        if name.startswith(("/", "~")) or "\\" in name or (".." in name.split("/") and not local):
            message = f"`{name}` is no path {'below the spec' if local else 'in a repository'}"
            hint = "relative to the spec" if local else "relative"
            hint += ", with forward slashes" + ("" if local else ", without `..`")
            yield Problem(codes.SOURCE, where, message, hint)
        if name in source.files[:number]:
            yield Problem(codes.DUPLICATE, where, f"`{name}` stands twice, so that its rows would count twice")
    if source.sha256 is not None and (len(source.files) != 1 or any(sign in source.files[0] for sign in "*?[")):
        message = f"`{show((*at, 'sha256'))}` is the digest of one file, and `files` may name several"
        yield Problem(codes.SOURCE, (*at, "sha256"), message, "name that one file")


def checkpoint(spec: Spec) -> Iterator[Problem]:
    """Rows are set aside if and only if a round is chosen by them, or a target is measured on them."""
    cut, chosen, target = spec.data.validation, spec.evaluation.checkpoint, spec.evaluation.cost_to_target
    if chosen == "best-validation" and cut is None:
        message = "`evaluation.checkpoint: best-validation` chooses by the loss on `data.validation`, which is null"
        hint = "write `data.validation: {fraction: 0.02, min_rows: 200}`"
        yield Problem(codes.MISSING_PARAMETER, ("evaluation", "checkpoint"), message, hint)
    elif chosen == "last" and cut is not None and target is None:
        message = "`data.validation` has no effect: the last round is scored, and nothing is chosen by those rows"
        yield Problem(
            codes.NO_EFFECT, ("data", "validation"), message, "write `evaluation.checkpoint: best-validation`"
        )
    if chosen == "best-validation" and spec.federation.rounds == 1 and "federation.rounds" not in spec.knobs:
        message = "with one round there is no checkpoint to choose"
        yield Problem(codes.NO_EFFECT, ("evaluation", "checkpoint"), message, "write `last`, or more rounds")
