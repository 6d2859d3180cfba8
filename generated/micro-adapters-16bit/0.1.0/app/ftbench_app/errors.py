"""What the app says when it refuses or fails: a stable code, what happened, and what to do about it."""

from __future__ import annotations

CODES: dict[str, str] = {
    "FTB540": "a setting of the compiled app is missing or malformed",
    "FTB541": "a module of the compiled app is not the one that its plan names",
    "FTB542": "the compiled app's plan is not the one that `spec-hash` names",
    "FTB543": "an installed package is not of the version that the plan names",
    "FTB544": "a knob, seed or base model is not one that the benchmark allows",
    "FTB545": "the number or numbering of nodes is not the benchmark's",
    "FTB546": "data or a model is not in the store, or is damaged there",
    "FTB547": "the base model cannot be used",
    "FTB548": "a row cannot be turned into tokens",
    "FTB549": "the run folder cannot be used as it is",
    "FTB550": "the ledger is broken or belongs to other conditions",
    "FTB551": "too few usable replies in a round",
    "FTB552": "the communication budget would be exceeded",
    "FTB553": "the budget of trainable parameters is exceeded",
    "FTB554": "out of memory",
    "FTB555": "a client cannot train",
    "FTB556": "the privacy budget would be exceeded",
    "FTB557": "a limit that the operator set was reached",
    "FTB558": "the disk is full, or a file may not grow further",
    "FTB559": "an unexpected error inside the app",
}
"""Every code that the app writes into `error.json`, with its meaning."""


class AppError(Exception):
    """A refusal or failure that a user can understand: `code` from CODES, what happened, and a hint."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(f"{code} {message}" + (f" (hint: {hint})" if hint else ""))
