"""A verdict for people, for machines, and for a pull request. Whatever comes from a bundle is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench import codes
from ftbench.diagnostics import printable
from ftbench.result import options
from ftbench.result.documents import LEVELS, Verdict
from ftbench.spec.canonical import pretty

MARK = {"passed": "ok  ", "failed": "FAIL", "not-run": "-   "}


def text(verdict: Verdict, path: str) -> str:
    """Several lines: the outcome, each check with its evidence by level, and what was not checked."""
    name = f"{verdict.name} {verdict.version}" if verdict.name else "unknown benchmark"
    lines = [
        f"{printable(path)}: {verdict.level}{_without(verdict)} ({'accepted' if verdict.accepted else 'refused'}: "
        f"{verdict.required} was asked for)",
        f"  {printable(name)}, spec hash {(verdict.spec_hash or 'unknown')[:12]}, {verdict.verifier}",
    ]
    if verdict.result is not None:
        scores = verdict.result.scores
        lines.append(
            f"  claimed: {scores.tuned.value:.4f} tuned, {scores.untuned.value:.4f} untuned, seed {verdict.result.seed}"
            + (", open division" if verdict.result.division == "open" else "")
        )
        marked = options.told(scores)
        lines += [f"  {printable(marked)}"] if marked else []
    if verdict.signature is not None:
        lines.append(f"  signed by {printable(verdict.signature.identity or 'somebody')}, key {verdict.signature.key}")
    if (by := verdict.reproduced_by) is not None:
        who = f"{printable(by.signature.identity or '')}{', the verifier' if by.own else ''}"
        lines.append(f"  reproduced by {who}: bundle {by.bundle[:12]}")
    for level in LEVELS[1:]:
        here = [check for check in verdict.checks if check.level == level]
        lines += [level] if here else []
        for check in here:
            code = f" {check.code}" if check.code else ""
            lines.append(f"  {MARK[check.outcome]} {check.check}{code}: {printable(check.evidence)}")
    lines.append("not checked")
    lines += [f"  {printable(sentence)}" for sentence in verdict.not_checked]
    return "\n".join(lines) + "\n"


def _without(verdict: Verdict) -> str:
    return f" without {printable(', '.join(verdict.left_out))}" if verdict.left_out else ""


def json(verdict: Verdict) -> str:
    """One readable JSON object; its schema is `schemas/verdict.v1.schema.json`."""
    return pretty(verdict.model_dump(mode="json")).decode()


def github(verdict: Verdict, path: str) -> str:
    """Workflow commands that GitHub shows beside the file: an error for each failed check, a notice at the end.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = []
    for check in verdict.checks:
        if check.outcome == "failed":
            title = f"{check.code} {check.check}" if check.code else check.check
            lines.append(_command("error", path, title, f"{check.title}: not so. {check.evidence}"))
    if verdict.accepted:
        lines.append(_command("notice", path, f"reached {verdict.level}", "; ".join(verdict.not_checked)))
    else:
        for check in verdict.checks:
            if check.outcome == "not-run" and check.level == verdict.required:
                lines.append(_command("warning", path, f"{check.check} was not made", check.evidence))
        message = f"reached {verdict.level}, {verdict.required} was asked for"
        lines.append(_command("error", path, f"{codes.NOT_REACHED} refused", message))
    return "\n".join(lines) + "\n"


def github_unread(path: str, reasons: Sequence[str]) -> str:
    """The same for a bundle that there is no verdict on. No word of a reason, nor the file's name, is a command."""
    return _command("error", path, f"{codes.NOT_REACHED} refused", "\n".join(reasons)) + "\n"


def _command(kind: str, path: str, title: str, message: str) -> str:
    return f"::{kind} file={_property(path)},title={_property(title)}::{_data(message)}"


def _data(value: str) -> str:
    """Escaped as GitHub's own toolkit escapes a message; other control characters are spelled out."""
    kept = "".join(c if c in "\r\n" else printable(c) for c in value)
    return kept.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    """The same for a property, where colons and commas mean something too."""
    return _data(value).replace(":", "%3A").replace(",", "%2C")
