"""Working off what waits for a decision, and writing down what a person decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ftbench import codes
from ftbench.decisions import chain, folder, standing
from ftbench.decisions.documents import OPEN, Carried, Decision, DecisionLine, Event, Registration
from ftbench.diagnostics import Diagnostic, Place, did_you_mean, printable
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.result.signed import Signed
from ftbench.signing.kinds import CARRIED, VERDICT
from ftbench.submit.check import Checked, check, decision, now, unread
from ftbench.submit.judge import Judge

Found = TypeVar("Found")


def receive(
    results: Path, judge: Judge, verifier: str, key: Path | None
) -> Iterator[tuple[Checked, DecisionLine | None]]:
    """Note every registration and submission that is not in the decisions yet; each submission with its line, None
    where it cannot be received: its bundle was received under another name, or cannot be read. So with a registration
    that cannot be read or is not signed: nobody's fault keeps others from being received. Nor does it where files are
    not those of the manifest that they come with (`Checked.foreign`): whose bundle that is may still hand it in, and
    may again where it was received and its place no longer had it."""
    lines = chain.read(results)
    seen = {line.body.document for line in lines}
    lost = {
        digest: body.submission
        for digest, body in standing.latest(lines).items()
        if body.event == "refused" and body.verdict is None
    }
    for path in sorted((results / folder.REGISTRATIONS).glob("*.json")):
        try:
            told = folder.registration(path, judge.signers)
        except FtbenchError as error:
            yield unread(path.stem, None, error, "registration"), None
            continue
        _register(results, told, seen=seen, verifier=verifier, key=key)
    for path in folder.submissions(results).values():
        digest = _digest_of(path)
        if digest in seen and lost.get(digest, path.stem) == path.stem:
            continue
        checked = check(path, judge, chain.read(results), folder.registrations(results))
        known = checked.bundle in seen and checked.bundle not in lost
        if checked.bundle is None or checked.verdict is None or checked.foreign or known:
            yield checked, None
            continue
        seen.add(checked.bundle)
        event: Event = "re-scored" if lost.pop(checked.bundle, None) else "received"
        verdict = folder.keep(results, folder.VERDICTS, checked.verdict, key, VERDICT)
        yield checked, chain.append(results, decision(event, checked, verifier, verdict), key)


def work_off(
    results: Path,
    judge: Judge,
    verifier: str,
    key: Path | None,
    *,
    hours: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    left: Callable[[Checked], None] = lambda _: None,
) -> Iterator[tuple[Checked, DecisionLine]]:
    """Decide what waits, oldest first. With `hours` none is begun that, as long as the longest so far, would end later.

    A submission whose bundle cannot be brought is refused, with the reason; `re-scored` opens it again. One that cannot
    be judged on this machine (its base model is not here, training it again ended in an error) is told to `left`, and
    goes on waiting.
    """
    began = clock()
    longest = 0.0
    for waiting in standing.pending(chain.read(results)):
        started = clock()
        if hours is not None and started - began + longest > hours * 3600:
            return
        path = results / folder.SUBMISSIONS / f"{waiting.submission}.json"
        checked = check(path, judge, chain.read(results), folder.registrations(results))
        if checked.bundle is not None and checked.bundle != waiting.document:
            message = "the submission names another bundle than the one that was received"
            raise InvalidInput(Diagnostic(codes.OTHER_BUNDLE, message, Place(str(path))))
        if checked.unjudged is not None:
            left(checked)
            longest = max(longest, clock() - started)
            continue
        event: Event = "accepted" if checked.accepted else "refused"
        found = None if checked.foreign else checked.verdict
        verdict = folder.keep(results, folder.VERDICTS, found, key, VERDICT) if found is not None else None
        whole = checked.bundle is not None and not checked.foreign
        body = decision(event, checked, verifier, verdict) if whole else _again(waiting, event, verifier, checked)
        yield checked, chain.append(results, body, key)
        longest = max(longest, clock() - started)


def say(results: Path, name: str, event: Event, why: str, *, verifier: str, key: Path | None) -> DecisionLine:
    """Write down what a person decided of a submission. Raises InvalidInput: FTB783 for one that was not received,
    FTB780 where the decision does not follow from the last one."""
    known = _received(
        results, name, {body.submission or "": body for body in standing.latest(chain.read(results)).values()}
    )
    _follows(results, name, known.event, event)
    changed = {"event": event, "time": now(), "verifier": verifier, "reasons": [printable(why)], "carried": None}
    return chain.append(results, Decision.model_validate({**known.model_dump(), **changed}), key)


def _follows(results: Path, name: str, was: Event, event: Event) -> None:
    if was == "withdrawn":
        message, hint = f"`{name}` was withdrawn, which is the last word on it", ""
    elif event in ("accepted", "refused") and was not in OPEN:
        message = f"`{name}` is {was} already, and does not wait to be {event}"
        hint = "`--as re-scored` lets it wait for another look"
        if was != "refused":
            hint += ", `--as withdrawn` takes it back"
    else:
        return
    raise InvalidInput(Diagnostic(codes.BAD_DECISIONS, message, Place(str(results)), hint))


def history(results: Path, name: str) -> list[DecisionLine]:
    """Every decision on a submission, oldest first. Raises InvalidInput (FTB783) for one that was not received."""
    told: dict[str, list[DecisionLine]] = {}
    for line in chain.read(results):
        told.setdefault(line.body.submission or "", []).append(line)
    return _received(results, name, told)


def _received(results: Path, name: str, known: Mapping[str, Found]) -> Found:
    if name not in known:
        hint = did_you_mean(name, known) or "`ftbench submit receive` notes what was handed in"
        message = f"no submission `{printable(name)}` was received"
        raise InvalidInput(Diagnostic(codes.NOT_RECEIVED, message, Place(str(results)), hint))
    return known[name]


def note_carried(results: Path, name: str, found: Carried, *, verifier: str, key: Path | None) -> str:
    """Keep a carried result and write its decision; returns the file. Raises InvalidInput (FTB783, FTB780) where the
    submission was not received, is another bundle, or was not accepted."""
    was = standing.latest(chain.read(results)).get(found.bundle)
    if was is None or was.submission != name or was.event not in ("accepted", "carried"):
        told = f"the last decision on it is `{was.event}`" if was is not None else "it was never received"
        message = f"only an accepted submission is carried, and of `{printable(name)}` {told}"
        raise InvalidInput(Diagnostic(codes.NOT_RECEIVED, message, Place(str(results))))
    digest = folder.keep(results, folder.CARRIED, found, key, CARRIED)
    named = f"{found.to_name} {found.to_version}, spec hash {found.to_spec_hash[:12]}"
    again = "its recorded answers were scored again" if found.how == "answers" else "its items were asked again"
    reason = f"carried to {named}: {again}; {found.scores.tuned.value:.4f} tuned"
    changed = {"event": "carried", "time": now(), "verifier": verifier, "reasons": [reason], "carried": digest}
    chain.append(results, Decision.model_validate({**was.model_dump(), **changed}), key)
    return str(results / folder.CARRIED / f"{digest}.json")


def _again(waiting: Decision, event: Event, verifier: str, checked: Checked) -> Decision:
    """The line of a submission whose own file cannot be read any more."""
    reasons = [printable(one)[:2_000] for one in checked.reasons]
    changed = {
        "event": event,
        "time": now(),
        "verifier": verifier,
        "reasons": reasons,
        "level": "NONE",
        "verdict": None,
    }
    return Decision.model_validate({**waiting.model_dump(), **changed})


def _register(
    results: Path, told: tuple[Registration, str, Signed], *, seen: set[str], verifier: str, key: Path | None
) -> None:
    found, digest, who = told
    if digest in seen:
        return
    body = Decision(
        event="registered",
        time=now(),
        submission=None,
        document=digest,
        spec_hash=found.spec_hash,
        level="NONE",
        submitter=who,
        verifier=verifier,
        reasons=[f"{len(found.runs)} runs announced, after {found.trials} trials"],
    )
    chain.append(results, body, key)
    seen.add(digest)


def _digest_of(path: Path) -> str | None:
    try:
        return folder.submission(path).bundle
    except InvalidInput:
        return None
