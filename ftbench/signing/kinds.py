"""What may be signed: each kind of document in a namespace of its own, so that no signature stands for another."""

from __future__ import annotations

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput
from ftbench.result import safejson

BUNDLE = "ftbench-bundle"
"""A bundle's manifest: I hand this in."""
VERDICT = "ftbench-verdict"
"""A verdict: I verified this bundle, and this is what I found."""
REGISTRATION = "ftbench-registration"
"""A registration: these are the runs that I am going to make."""
DECISION = "ftbench-decision"
"""A line of decisions.jsonl: this is what I decided."""
CARRIED = "ftbench-carried"
"""A carried result: I scored this bundle again under another spec hash."""
LOCK = "ftbench-lock"
"""The lock of a compiled benchmark: a site may run this app."""

NAMESPACES = {
    "ftbench/manifest/v1": BUNDLE,
    "ftbench/verdict/v1": VERDICT,
    "ftbench/registration/v1": REGISTRATION,
    "ftbench/carried/v1": CARRIED,
    "ftbench/lock/v1": LOCK,
}
"""Format of a document → its namespace. Lines of decisions are signed where they are made."""
MAX_BYTES = 64 * 2**20


def namespace_of(data: bytes, where: str) -> str:
    """The namespace in which a document is signed. Raises InvalidInput (FTB752) for one that nobody signs."""
    value = safejson.parse(data, where, max_bytes=MAX_BYTES)
    format_ = value.get("format") if isinstance(value, dict) else None
    if not isinstance(format_, str) or format_ not in NAMESPACES:
        named = f"its format is `{printable(str(format_))[:60]}`" if format_ is not None else "it names no format"
        hint = f"what is signed: a bundle, or a document of format {', '.join(NAMESPACES)}"
        raise InvalidInput(
            Diagnostic(codes.CANNOT_SIGN, f"this is nothing that is signed: {named}", Place(where), hint)
        )
    return NAMESPACES[format_]
