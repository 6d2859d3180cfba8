"""What decisions add to a board: the level that a verifier of the reader's choice gave, and results that were carried.

A decision counts where it is signed and the reader's list of signers knows the key. Nothing is done again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ftbench import codes
from ftbench.board.decided import Decided
from ftbench.board.submission import Submission
from ftbench.board.withdrawn import Withdrawal
from ftbench.decisions import chain, folder, standing
from ftbench.decisions.documents import Carried, Decision, DecisionLine
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.result import names, safejson
from ftbench.result.documents import LEVELS, Verdict
from ftbench.signing import keygen, sshsig
from ftbench.signing.keygen import Signers
from ftbench.signing.kinds import CARRIED, VERDICT
from ftbench.spec.canonical import sha256
from ftbench.spec.primitives import Block
from ftbench.submit.place import bring
from ftbench.verify.documents import read

M = TypeVar("M", bound=Block)
NO_SAMPLES = "no samples under this hash, so compared by intervals"
"""What a carried row says of itself: paired tests need the answers to each item."""
MOST_REASON = 500
"""Characters of a reason beside a table; the page of decisions has all."""


def decided(results: Path, signers: Signers) -> list[tuple[Decision, str]]:
    """The decisions that stand among those which somebody on the list signed, each with who did.

    Raises InvalidInput for a chain that does not hold together.
    """
    known = [(line, who) for line in chain.read(results) if (who := _signer(line, signers)) is not None]
    stands = {body.document: body for body in standing.accepted([line for line, _ in known])}
    return [(line.body, who) for line, who in known if stands.get(line.body.document) is line.body]


def history(results: Path, signers: Signers) -> list[Decided]:
    """Every decision, those that count marked: the last of their bundle that somebody on the list signed. A line by
    anybody else takes nothing back.

    Raises InvalidInput for a chain that does not hold together.
    """
    lines = [(line, _signer(line, signers)) for line in chain.read(results)]
    last = {line.body.document: line.body for line, by in lines if by is not None}
    return [_told(line, by, last) for line, by in lines]


def _told(line: DecisionLine, by: str | None, last: Mapping[str, Decision]) -> Decided:
    body = line.body
    return Decided(
        time=body.time,
        event=body.event,
        submission=body.submission or "",
        bundle=body.document,
        spec_hash=body.spec_hash,
        level=body.level,
        reasons=body.reasons,
        verifier=body.verifier,
        signed_by=by,
        counts=by is not None and last[body.document] is body,
    )


def _signer(line: DecisionLine, signers: Signers) -> str | None:
    try:
        by = chain.signed_by(line, chain.FILE, signers)
    except FtbenchError:
        return None
    return by.identity if by is not None else None


def taken_back(decided: Sequence[Decided]) -> list[Withdrawal]:
    """The bundles that a decision which counts refused or withdrew: they hold no place, whatever is verified here."""
    return [
        Withdrawal(bundle=one.bundle, reason=_because(one)[:MOST_REASON])
        for one in decided
        if one.counts and one.event in ("refused", "withdrawn")
    ]


def _because(one: Decided) -> str:
    return f"{one.event} {one.time} by {printable(one.signed_by or '')}: {'; '.join(one.reasons)}"


def with_decisions(given: Sequence[Submission], results: Path, signers: Signers) -> tuple[list[Submission], list[str]]:
    """The submissions with the levels that were decided, and those that were carried; and what could not be taken over,
    in sentences."""
    levels, carried, told = {}, [], []
    for body, who in decided(results, signers):
        levels[body.document] = (body.level, who)
        if body.event == "carried":
            try:
                carried.append(_carried(results, body, who, signers))
            except FtbenchError as error:
                told.append(f"{body.submission}: its carried result is left out: {error.diagnostics[0].message}")
    raised = []
    for one in given:
        level, who = levels.get(one.verdict.bundle or "", (one.verdict.level, ""))
        higher = LEVELS.index(level) > LEVELS.index(one.verdict.level) >= LEVELS.index("INTACT")
        verdict = one.verdict.model_copy(update={"level": level}) if higher else one.verdict
        raised.append(replace(one, verdict=verdict, decided=f"{level} by {printable(who)}") if higher else one)
    return [*raised, *carried], told


def _carried(results: Path, body: Decision, who: str, signers: Signers) -> Submission:
    """A row under the other hash: the bundle's entry and cost, the verifier's scores.

    All of it is of the bundle that was decided on, for nobody signed the submission's file or the folder that it leads
    to. Raises InvalidInput (FTB781) where one of them is of another.
    """
    found = _signed(results / folder.CARRIED / f"{body.carried}.json", Carried, CARRIED, signers)
    verdict = _signed(results / folder.VERDICTS / f"{body.verdict}.json", Verdict, VERDICT, signers)
    bundle = bring(results / folder.SUBMISSIONS / f"{body.submission}.json", adapter=False)
    _of_the_decision(body, found, verdict, sha256(bundle.files[names.MANIFEST]))
    documents = read(bundle)
    listed = documents.manifest.files.get(names.ENTRY) if documents.manifest is not None else None
    if listed is None or sha256(bundle.files.get(names.ENTRY, b"")) != listed.sha256:
        message = f"`{names.ENTRY}` is not the file that the manifest names"
        raise InvalidInput(Diagnostic(codes.OTHER_BUNDLE, message, Place(str(bundle.path))))
    moved = {"spec_hash": found.to_spec_hash, "name": found.to_name, "version": found.to_version}
    claim = verdict.result.model_copy(update={**moved, "scores": found.scores}) if verdict.result is not None else None
    again = "answers scored again" if found.how == "answers" else "items asked again"
    return Submission(
        path=f"{body.submission} (carried)",
        verdict=verdict.model_copy(update={**moved, "result": claim}),
        entry=documents.entry,
        carried=True,
        decided=f"carried from {found.from_spec_hash[:12]} by {printable(who)}: {again}; {NO_SAMPLES}",
    )


def _of_the_decision(body: Decision, found: Carried, verdict: Verdict, brought: str) -> None:
    """Scores, verdict and bundle are all of the bundle that was decided on: each is whole by itself, and a true one of
    another bundle would put its scores or its entry into this row. Raises InvalidInput (FTB781)."""
    told = {"carried result": found.bundle, "verdict": verdict.bundle, "submission": brought}
    other = [f"the {what} is of bundle {str(of)[:12]}" for what, of in told.items() if of != body.document]
    if body.spec_hash is not None and found.from_spec_hash != body.spec_hash:
        other.append(f"the carried result comes from spec hash {found.from_spec_hash[:12]}")
    if other:
        message = f"the decision is on bundle {body.document[:12]}, and {' and '.join(other)}"
        raise InvalidInput(Diagnostic(codes.OTHER_BUNDLE, message, Place(chain.FILE)))


def _signed(path: Path, model: type[M], namespace: str, signers: Signers) -> M:
    """A document that is what its name says, signed by somebody on the list. Raises InvalidInput."""
    beside = path.with_name(path.name + ".sig")
    if not path.is_file() or not beside.is_file():
        raise InvalidInput(Diagnostic(codes.NOT_SIGNED, "it, or its signature, is not there", Place(str(path))))
    data = path.read_bytes()
    if sha256(data) != path.stem:
        raise InvalidInput(Diagnostic(codes.OTHER_BUNDLE, "it is not what the decision names", Place(str(path))))
    keygen.signed(data, sshsig.read_file(beside), namespace, str(beside), signers)
    return safejson.parse_model(data, model, str(path))
