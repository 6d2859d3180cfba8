"""The verification ladder: how far a result bundle can be believed, and why.

What is established, in this order; the numbers stand at the sections of `ftbench.verify.checks.CHECKS`:

1. CLAIMED   The documents are strict and fit their schemas; the scores can come out of their item counts; it is no
             trial run.
2. INTACT    The bundle holds the permitted files under safe names and nothing else, each with the size and digest
             that the manifest binds to its path; a signature of the manifest holds, and is by whom the verifier asked
             for.
3. CONFORMS  The lock is known here, and by the plan that comes with it, never by the bundle's:
             a. result, entry and base model are those that the spec allows, under the digests that name them; the
                base model's revision is known here; the result stands in its entry's division, and an entry's own
                code is the code that it names;
             b. the ledger is one chain of a whole run, and rounds, learning rates, clients, rows, steps, states, bytes
                and budget are what plan, entry and seed imply; no loss is below 0 and no stop without its reason;
             c. the adapter is of the round that the spec's rule chooses, in shape and configuration what the entry
                says, and not zero; no digest turns up where an average cannot give it; the references are those asked
                for;
             d. packages and costs told are the plan's and the ledger's; text of items that may not be passed on is not
                there; the adapter's model card says what the result says.
4. RESCORED  The items are the task's items, the prompts the compiled prompts, by their digests where the bundle has no
             text: that comes from the verifier's store; programs run again in a sandbox end as
             recorded; every score comes out again from log-likelihoods, text and outcomes.
5. SPOT-RUN  Where somebody hands over evidence of it (`ftbench.replay` makes it): items and rounds that bundle and
             nonce draw were done again, and gave the recorded answers, updates and adapters, within what was measured
             of machines of that kind.
6. REPRODUCED Where another bundle is named: it is RESCORED here, of the same spec, choices and seed, no copy, signed by
             somebody else whom the reader's policy counts, and came to the same: to the last bit where the platform
             promises that, else within what the items can tell apart. It rests on SPOT-RUN, or without evidence of one
             on RESCORED: then another has done all again, by their word, and nobody did anything here.

A level is reached when every check of it and of the levels below passed. Within a level all checks are made; above a
level that was not reached none is. Nothing of the bundle is imported, unpickled or written to disk, and nothing is
executed but the programs that answer code tasks, in the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ftbench import __version__, codes
from ftbench.compile.compiler import Compiled
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place, because, printable
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import names
from ftbench.result.documents import LEVELS, CheckResult, Level, Result, Verdict
from ftbench.result.files import Bundle
from ftbench.result.opening import open_bundle
from ftbench.signing import keygen
from ftbench.signing.keygen import Signers
from ftbench.spec.canonical import sha256
from ftbench.verify.check import Check, Failure, NotRun
from ftbench.verify.checks import CHECKS
from ftbench.verify.context import Context, Other
from ftbench.verify.documents import describe_problems
from ftbench.verify.evidence import Evidence
from ftbench.verify.limits import BY_ANOTHER, CHOSEN, NOT_BROUGHT, READ_EVIDENCE, not_checked
from ftbench.verify.outcome import LeftOut
from ftbench.verify.policy import By

MAX_EVIDENCE = 1_000
"""Characters of evidence kept for one check."""


def verify(
    bundle: Path,
    *,
    spec: Path | None = None,
    store: Store,
    benchmarks: Sequence[Path] = (),
    required: Level = "RESCORED",
    evidence: Evidence | None = None,
    signers: Signers | None = None,
    by: By | None = None,
) -> Verdict:
    """Judge the bundle at `bundle`, a folder or an archive.

    With `spec`, its lock must be what that spec compiles to here; without, one of `benchmarks` or of those that come
    with ftbench. The items come from `store`. Without `evidence` of a spot-run its checks are not made; with `signers`
    the bundle must be signed by one of them; with `by` it is held to another run. Whatever is wrong with the bundle
    ends in the verdict. Raises InvalidInput where there is no bundle at that path or the spec is wrong, MissingResource
    where `signers` cannot be used here.
    """
    context = look(bundle, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    if by is not None:
        context.other = another(by, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    return _by_evidence(context, evidence, required)


def examine(
    bundle: Path, *, spec: Path | None = None, store: Store, benchmarks: Sequence[Path] = (), required: Level
) -> tuple[Verdict, Context]:
    """`verify`, and what was read for it, so that nobody need read it again."""
    context = look(bundle, spec=spec, store=store, benchmarks=benchmarks)
    return _by_evidence(context, None, required), context


def judge(
    bundle: Bundle,
    *,
    spec: Path | None = None,
    store: Store,
    benchmarks: Sequence[Path] = (),
    required: Level = "RESCORED",
    evidence: Evidence | None = None,
    signers: Signers | None = None,
    by: By | None = None,
) -> Verdict:
    """The same for a bundle that was opened already. What was not brought of it is not checked, and told."""
    context = known(bundle, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    if by is not None:
        context.other = another(by, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    return _by_evidence(context, evidence, required)


def _by_evidence(context: Context, evidence: Evidence | None, required: Level) -> Verdict:
    """The verdict by evidence that somebody else made, which it says."""
    context.spot = evidence
    if evidence is not None:
        context.notes.append(READ_EVIDENCE)
    return climb(context, required, checks(context))


def known(
    bundle: Bundle,
    *,
    spec: Path | None,
    store: Store,
    benchmarks: Sequence[Path] = (),
    signers: Signers | None = None,
) -> Context:
    """A bundle that was opened already, before any check."""
    return Context(bundle, store, _compile(spec), benchmarks, signers=signers)


def look(
    bundle: Path,
    *,
    spec: Path | None,
    store: Store,
    benchmarks: Sequence[Path] = (),
    signers: Signers | None = None,
) -> Context:
    """The bundle at that path before any check. Raises as `verify`."""
    if signers is not None:
        keygen.ready(signers)
    return known(open_bundle(bundle), spec=spec, store=store, benchmarks=benchmarks, signers=signers)


def another(
    by: By, *, spec: Path | None, store: Store, benchmarks: Sequence[Path] = (), signers: Signers | None = None
) -> Other:
    """Another bundle, judged like the first, that this one is held to. Raises as `verify`."""
    context = look(by.bundle, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    return Other(str(by.bundle), context, climb(context, "RESCORED", checks(context)), by.policy)


def checks(context: Context) -> list[Check]:
    """Those to be made: of a spot-run where there is evidence of one, of another run where one is named."""
    held = {"SPOT-RUN": context.spot, "REPRODUCED": context.other}
    return [check for check in CHECKS if held.get(check.level, check) is not None]


def climb(
    context: Context, required: Level, checks: Sequence[Check], made: Mapping[str, CheckResult] | None = None
) -> Verdict:
    """Make the checks level by level and say how far it went. `made`: check → its result, where it was made before."""
    before = made or {}
    results: list[CheckResult] = []
    reached: Level = "NONE"
    below: Level = "NONE"
    for level in LEVELS[1:]:
        here = [check for check in checks if check.level == level]
        if level == "SPOT-RUN" and not here:
            continue  # what somebody else has done whole needs no part of it done again
        if reached != below:
            results += [_not_run(check, f"{below} was not reached") for check in here]
            below = level
            continue
        below = level
        found = [before[check.id] if check.id in before else _carry_out(check, context) for check in here]
        results += found
        if found and all(_passed(result, context) for result in found):
            reached = level
    if reached == "REPRODUCED" and context.spot is None:
        context.notes.append(BY_ANOTHER)
    manifest = context.bundle.files.get(names.MANIFEST)
    claim = context.documents.result
    return Verdict(
        bundle=sha256(manifest) if manifest is not None else None,
        name=claim.name if claim else None,
        version=claim.version if claim else None,
        spec_hash=claim.spec_hash if claim else None,
        level=reached,
        required=required,
        accepted=LEVELS.index(reached) >= LEVELS.index(required) and not refuted(results),
        checks=results,
        left_out=sorted(context.bundle.left_out),
        not_checked=not_checked(reached, [*context.notes, *_chosen(claim)], context.signature),
        verifier=f"ftbench {__version__}",
        result=claim,
        signature=context.signature,
        reproduced_by=context.other.named() if context.other is not None and reached == "REPRODUCED" else None,
    )


def refuted(results: Sequence[CheckResult]) -> bool:
    """Whether part of the run was done again and came out otherwise: then it is accepted at no level, for what lower
    ones hold is that it is consistent, and a caught invention is."""
    return any(one.level == "SPOT-RUN" and one.outcome == "failed" for one in results)


def _chosen(claim: Result | None) -> list[str]:
    return [CHOSEN] if claim is not None and claim.selection is not None else []


def problems(verdict: Verdict, bundle: Path) -> list[Diagnostic]:
    """Why a verdict is not accepted, as diagnostics for CheckFailed; empty where it is accepted."""
    if verdict.accepted:
        return []
    place = Place(str(bundle))
    failed = [
        Diagnostic(result.code or codes.NOT_REACHED, f"{result.check}: {result.evidence}", place)
        for result in verdict.checks
        if result.outcome == "failed"
    ]
    again = ", and what was done again did not come out as told" if refuted(verdict.checks) else ""
    message = f"the bundle reached {verdict.level}, {verdict.required} was asked for{again}"
    return [*failed, Diagnostic(codes.NOT_REACHED, message, place)]


def _compile(path: Path | None) -> Compiled | None:
    if path is None:
        return None
    from ftbench.compile.compiler import compile_spec
    from ftbench.spec.load import load_pins, load_spec

    return compile_spec(load_spec(path).spec, load_pins(path))


def _carry_out(check: Check, context: Context) -> CheckResult:
    """Make one check. Only a returned text is a pass: whatever is raised is not."""
    try:
        found = check.run(context)
    except NotRun as reason:
        if isinstance(reason, LeftOut):
            context.notes.append(NOT_BROUGHT.format(check.id, reason))
        return _not_run(check, str(reason))
    except MissingResource as error:
        return _not_run(check, "; ".join(describe_problems(error.diagnostics)))
    except InvalidInput as error:
        return _result(check, "failed", "; ".join(describe_problems(error.diagnostics)), check.code)
    except Exception as error:
        # Hostile input that no check foresaw must never look like success, nor end the whole verdict.
        return _result(check, "failed", f"the check broke off: {type(error).__name__}: {because(error)}", codes.CRASHED)
    if isinstance(found, Failure):
        return _result(check, "failed", found.evidence, check.code)
    return _result(check, "passed", found, None)


def _passed(result: CheckResult, context: Context) -> bool:
    """Whether a check stands in no level's way: it passed, or asked for what was not brought."""
    excused = {str(LeftOut(name)) for name in context.bundle.left_out}
    return result.outcome == "passed" or (result.outcome == "not-run" and result.evidence in excused)


def _not_run(check: Check, reason: str) -> CheckResult:
    return _result(check, "not-run", reason, None)


def _result(check: Check, outcome: str, evidence: str, code: str | None) -> CheckResult:
    shown = printable(evidence)
    if len(shown) > MAX_EVIDENCE:
        shown = shown[:MAX_EVIDENCE] + "…"
    return CheckResult.model_validate(
        {
            "check": check.id,
            "level": check.level,
            "title": check.title,
            "outcome": outcome,
            "evidence": shown,
            "code": code,
        }
    )
