"""Stable codes of what can go wrong in a run: 500–519 runner, 520–539 engines, 540–559 app, 560–579 evaluation."""

from __future__ import annotations

from ftbench.diagnostics import register

CODES: dict[str, str] = {
    "FTB500": "the run folder is in use by another ftbench",
    "FTB501": "a folder is not a run folder, or its files do not belong together",
    "FTB502": "installed packages differ from the versions that the plan fixes",
    "FTB503": "data or a model that the run needs is not in the store",
    "FTB504": "too little free disk space",
    "FTB505": "no such engine",
    "FTB506": "the entry's seed is none of the spec's",
    "FTB507": "the run ended without a finished ledger",
    "FTB508": "the run was stopped: too few usable replies",
    "FTB509": "the run was stopped: the next round could exceed a hard budget",
    "FTB510": "the run was stopped: a limit that the operator set",
    "FTB511": "the ledger does not hold together",
    "FTB520": "Flower or one of its commands is not installed beside this Python",
    "FTB521": "the SuperLink did not start",
    "FTB522": "Flower did not accept the app or its configuration",
    "FTB523": "the Flower app bundle that was run is not the one in the lock",
    "FTB524": "no progress for longer than the round's time limit",
    "FTB525": "Flower reports that the run failed or was stopped",
    "FTB526": "the SuperLink died while the run was going on",
    "FTB527": "processes of the run could not be ended",
}

register(CODES)
