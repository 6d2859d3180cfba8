"""The other run was signed by somebody else, whom the reader's policy names as independent."""

from __future__ import annotations

from ftbench.result.signed import Signed
from ftbench.verify.check import Check, Failure, NotRun
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare keys and identities. Raises NotRun where one is not signed, or nobody says whose the keys are."""
    other = context.other_run
    mine = _who("this bundle", context.signature)
    theirs = _who(other.name, other.context.signature)
    if mine.key == theirs.key:
        return Failure(f"both are signed with the key {mine.key}")
    why = other.policy.counts(theirs.identity or "", mine.identity or "")
    if why:
        return Failure(why)
    whose = "the reader's own" if theirs.identity in other.policy.own else "independent by the reader's policy"
    return f"this by {mine.identity}, the other by {theirs.identity}: {whose}"


def _who(what: str, signature: Signed | None) -> Signed:
    if signature is None:
        raise NotRun(f"{what} is not signed, so nobody knows whether somebody else made it")
    if signature.identity is None:
        raise NotRun(f"whose key signed {what} nobody said: give `--signers`")
    return signature


CHECK = Check("other-signer", "REPRODUCED", "FTB860", "somebody else signed it whose runs the reader counts", run)
