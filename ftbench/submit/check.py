"""What a maintainer's workflow does with submissions, and the words in which it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ftbench.decisions import folder, standing
from ftbench.decisions.documents import Decision, DecisionLine, Event, Registration
from ftbench.diagnostics import printable
from ftbench.errors import FtbenchError
from ftbench.result import manifest, names
from ftbench.result.documents import Manifest, Sample, Verdict
from ftbench.result.files import Bundle
from ftbench.spec.canonical import digest
from ftbench.submit.judge import Judge
from ftbench.submit.place import bring
from ftbench.verify.documents import Documents, read
from ftbench.verify.verifier import refuted


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission as it was found."""

    name: str
    bundle: str | None
    """sha256 of its manifest; None where even that could not be read."""
    verdict: Verdict | None
    """None where the bundle could not be brought."""
    identical: Sequence[str]
    """Earlier submissions with the same adapter or answers."""
    registration: str | None
    """Digest of the registration that it stands in."""
    record: standing.Record | None
    """What its signer handed in before; None where nobody signed."""
    entry: str | None
    seed: int | None
    adapter: str | None
    answers: str | None
    reasons: Sequence[str]
    """In words for the submitter; never empty."""
    withdrawn: Sequence[str] = ()
    """Those of `identical` that were withdrawn."""
    foreign: Sequence[str] = ()
    """What is not the bundle's own: files that are not those of its manifest, a signature that does not hold. Then
    nothing is said of the bundle that has this manifest, which may be somebody else's."""
    unjudged: FtbenchError | None = None
    """Why it could not be judged on this machine: no answer to the submission. None where it was, or where what was
    handed in cannot be read."""

    @property
    def accepted(self) -> bool:
        """Whether it reaches the level asked for. What a person withdrew no machine accepts again under another seal:
        a person may, after `re-scored`."""
        return self.verdict is not None and self.verdict.accepted and not self.withdrawn


def check(path: Path, judge: Judge, lines: Sequence[DecisionLine], known: dict[str, Registration]) -> Checked:
    """Bring and judge one submission, and hold it to what was decided before. Nothing is raised: it is told."""
    try:
        told = folder.submission(path)
    except FtbenchError as error:
        return unread(path.stem, None, error)
    try:
        bundle = bring(path)
    except FtbenchError as error:
        return unread(path.stem, told.bundle, error)
    try:
        verdict = judge.verdict(bundle)
    except FtbenchError as error:
        # Whatever is wrong with a bundle is a check that failed: this is wrong with the machine, or with what is on it.
        found = unread(path.stem, told.bundle, error)
        told_why = [found.reasons[0].replace("could not be read", "could not be judged here", 1), *found.reasons[1:]]
        return replace(found, reasons=told_why, unjudged=error)
    documents = read(bundle)
    claim = verdict.result
    entry, seed, adapter = (claim.entry, claim.seed, claim.adapter) if claim else (None, None, None)
    answers = answers_digest(documents)
    run = (verdict.spec_hash, entry, seed)
    copies = standing.identical(lines, adapter, answers, told.bundle)
    gone = standing.withdrawn(lines, copies)
    planned = standing.registered(lines, known, verdict.signature, run, before=(told.bundle,))
    return Checked(
        name=path.stem,
        bundle=told.bundle,
        verdict=verdict,
        identical=copies,
        registration=planned,
        record=standing.record(lines, verdict.signature, verdict.spec_hash, told.bundle),
        entry=entry,
        seed=seed,
        adapter=adapter,
        answers=answers,
        reasons=[*in_words(verdict), *(_copied(name, gone) for name in copies)],
        withdrawn=gone,
        foreign=_foreign(bundle, verdict),
    )


def _foreign(bundle: Bundle, verdict: Verdict) -> list[str]:
    """A bundle is named by its manifest alone: a copy of somebody's manifest beside other files, or another signature,
    goes by the name of that bundle and is not it."""
    try:
        told = Manifest.model_validate_json(bundle.files[names.MANIFEST])
    except (KeyError, ValueError):
        return []  # nobody's bundle has such a manifest
    found = [
        *manifest.path_problems(told, {*bundle.files, *bundle.left_out}),
        *manifest.content_problems(told, bundle.files),
        *(f"`{one.name}` {one.why}" for one in bundle.problems if not one.litter and one.name not in told.files),
    ]
    if names.SIGNATURE in bundle.files:
        failed = (one for one in verdict.checks if one.check == "signature-holds" and one.outcome == "failed")
        found += [one.evidence for one in failed]
    return found


def _copied(name: str, gone: Sequence[str]) -> str:
    after = " and was withdrawn: a person has to decide" if name in gone else ""
    return f"identical to `{name}`, which came before{after}"


def unread(name: str, bundle: str | None, error: FtbenchError, what: str = "bundle") -> Checked:
    """A submission, or a registration, of which nothing is known but why."""
    why = [f"{one.code}: {one.message}" + (f" ({one.hint})" if one.hint else "") for one in error.diagnostics[:5]]
    nothing: list[str] = []
    return Checked(
        name,
        bundle,
        None,
        nothing,
        None,
        None,
        None,
        None,
        None,
        None,
        [f"the {what} could not be read: {why[0]}", *why[1:]],
    )


def in_words(verdict: Verdict) -> list[str]:
    """Why a verdict is what it is, for who handed the bundle in: what failed and what it found, or how far it went."""
    failed = [one for one in verdict.checks if one.outcome == "failed"]
    if verdict.accepted:
        above = [one for one in verdict.checks if one.level == "SPOT-RUN" and one.outcome == "not-run"]
        return [
            f"reached {verdict.level}, {verdict.required} was asked for; every check up to it passed",
            *(f"{one.check} was not made: {one.evidence}"[:1_900] for one in above),
        ]
    told = [f"{one.code} {one.check}: it does not hold that {one.title}: {one.evidence}" for one in failed]
    missing = [f"{one.check} was not made: {one.evidence}" for one in verdict.checks if one.outcome == "not-run"]
    found = told or missing[:3]
    again = "; what was done again did not come out as told" if refuted(verdict.checks) else ""
    return [f"reached {verdict.level}, {verdict.required} was asked for{again}", *(one[:1_900] for one in found[:20])]


def answers_digest(documents: Documents) -> str | None:
    """Digest of what the tuned model answered; None where nothing could be read."""

    def answers(lines: Sequence[Sample]) -> list[list[object]]:
        ordered = sorted(lines, key=lambda sample: sample.index)
        return [[one.tuned.loglikelihoods, one.tuned.text] for one in ordered]

    return digest({name: answers(lines) for name, lines in documents.samples.items()}) if documents.samples else None


def decision(
    event: Event, checked: Checked, verifier: str, verdict: str | None = None, reasons: Sequence[str] = ()
) -> Decision:
    """The body of a decision's line, with the time of now. `verdict`: digest of the verdict's file."""
    found = checked.verdict
    assert checked.bundle is not None
    return Decision(
        event=event,
        time=now(),
        submission=checked.name,
        document=checked.bundle,
        spec_hash=found.spec_hash if found else None,
        level=found.level if found else "NONE",
        verdict=verdict,
        entry=checked.entry,
        seed=checked.seed,
        adapter=checked.adapter,
        answers=checked.answers,
        submitter=found.signature if found else None,
        verifier=verifier,
        reasons=[printable(one)[:2_000] for one in (reasons or checked.reasons)],
    )


def now() -> str:
    """This moment, as decisions tell it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["Bundle", "Checked", "check", "decision", "in_words", "now", "unread"]
