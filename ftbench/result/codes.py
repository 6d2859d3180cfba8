"""Diagnostic codes of the result bundle."""

from __future__ import annotations

from ftbench.diagnostics import register

CODES = {
    "FTB601": "a document of a bundle is not strict JSON",
    "FTB602": "a document of a bundle does not fit its schema",
    "FTB603": "there is no bundle at this path",
    "FTB604": "a bundle cannot be packed as it is",
    "FTB605": "a ledger is malformed",
    "FTB606": "an adapter file is malformed",
    "FTB607": "a samples file is malformed",
    "FTB608": "a name or a kind of file in a bundle is not safe",
    "FTB609": "a run folder lacks something that the bundle needs",
}

register(CODES)
