"""Stable codes of what can go wrong in a run: 500–519 runner, 520–539 engines, 540–559 app, 560–579 evaluation."""

from __future__ import annotations

from ftbench.diagnostics import register

BUSY = "FTB500"
NOT_A_RUN = "FTB501"
OTHER_STACK = "FTB502"
NOT_STORED = "FTB503"
DISK_FULL = "FTB504"
NO_ENGINE = "FTB505"
OTHER_SEED = "FTB506"
NOT_FINISHED = "FTB507"
TOO_FEW_REPLIES = "FTB508"
OVER_BUDGET = "FTB509"
OPERATOR_LIMIT = "FTB510"
LEDGER_BROKEN = "FTB511"
COMPILED_CHANGED = "FTB512"
OTHER_RUN = "FTB513"
NO_FLOWER = "FTB520"
NO_SUPERLINK = "FTB521"
REFUSED = "FTB522"
OTHER_FAB = "FTB523"
STALLED = "FTB524"
FLOWER_FAILED = "FTB525"
SUPERLINK_DIED = "FTB526"
LEFTOVERS = "FTB527"
NO_CONNECTION = "FTB528"
UNREACHED = "FTB529"
GOES_ON = "FTB530"
NO_DEVICE = "FTB531"
OPEN_MODULES = "FTB535"
OPEN_NOT_ALLOWED = "FTB536"

CODES: dict[str, str] = {
    BUSY: "the run folder is in use by another ftbench",
    NOT_A_RUN: "a folder is not a run folder, or its files do not belong together",
    OTHER_STACK: "installed packages differ from the versions that the plan fixes",
    NOT_STORED: "data or a model that the run needs is not in the store",
    DISK_FULL: "too little free disk space",
    NO_ENGINE: "no such engine",
    OTHER_SEED: "the entry's seed is none of the spec's",
    NOT_FINISHED: "the run ended without a finished ledger",
    TOO_FEW_REPLIES: "the run was stopped: too few usable replies",
    OVER_BUDGET: "the run was stopped: a hard budget would be exceeded",
    OPERATOR_LIMIT: "the run was stopped: a limit that the operator set",
    LEDGER_BROKEN: "the ledger does not hold together",
    COMPILED_CHANGED: "the compiled benchmark is not what its lock says",
    OTHER_RUN: "the folder of a sweep's run holds something else",
    NO_FLOWER: "Flower or one of its commands is not installed beside this Python",
    NO_SUPERLINK: "the SuperLink did not start",
    REFUSED: "Flower did not accept the app or its configuration",
    OTHER_FAB: "the Flower app bundle that was run is not the one in the lock",
    STALLED: "no progress for longer than the round's time limit",
    FLOWER_FAILED: "Flower reports that the run failed or was stopped",
    SUPERLINK_DIED: "the SuperLink died while the run was going on",
    LEFTOVERS: "processes of the run could not be ended",
    NO_CONNECTION: "Flower's configuration has no such connection to a SuperLink",
    UNREACHED: "the ServerApp does not see the run's folder",
    GOES_ON: "a run on a SuperLink could not be stopped",
    NO_DEVICE: "there are no CUDA devices to deal out",
    OPEN_MODULES: "the modules of an entry in the open division are not those that it names",
    OPEN_NOT_ALLOWED: "an entry brings code of its own, and nobody said that it may be run",
}

# What the app writes into `error.json`: the same words as in its own module, which only tests may import.
APP_CODES: dict[str, str] = {
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

register(CODES)
register(APP_CODES)
