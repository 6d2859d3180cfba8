"""Diagnostic codes of verification: one for each check (see `ftbench list checks`), and a few about verifying."""

from __future__ import annotations

from ftbench.diagnostics import register
from ftbench.verify.checks import CHECKS

NOT_SUPPORTED = "FTB690"
NOT_REACHED = "FTB691"
CRASHED = "FTB699"

register({check.code: f"not so: {check.title}" for check in CHECKS})
register(
    {
        NOT_SUPPORTED: "a level that this version cannot establish was asked for",
        NOT_REACHED: "a bundle did not reach the level asked for",
        CRASHED: "a check could not be carried out to its end; the bundle counts as refused",
    }
)
