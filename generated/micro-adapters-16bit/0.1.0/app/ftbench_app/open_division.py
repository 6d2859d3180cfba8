"""The open division: modules of the entry's own, beside the frozen ones, in the place of a strategy or of training.

An entry may bring `open_strategy.py` with a class `Strategy(base.Strategy)`, and `open_client.py` with a function
`train` that is called as `worker.train` is and returns what that returns. The self-check lets in these two files alone,
each by the digest that the run-config key `open-code` names. All else stays: what is asked of whom, what is metered,
validated and committed. Reference runs with one virtual client use neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from .errors import AppError

MODULES = {"strategy": "open_strategy", "client": "open_client"}
"""What an entry may bring → the module's name in this package."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def parse(text: str) -> dict[str, str | None] | None:
    """The run-config key `open-code`: for both kinds the sha256 of its module or null, as JSON; empty: closed.

    Raises AppError for anything else.
    """
    if not text:
        return None
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    good = isinstance(told, dict) and told.keys() == MODULES.keys() and any(told.values())
    if not good or not all(v is None or (isinstance(v, str) and _SHA256.fullmatch(v)) for v in told.values()):
        raise AppError(
            "FTB540",
            f"the setting `open-code` does not name modules by digest: {text[:200]!r}",
            'write {"client": null, "strategy": "<sha256>"}, or leave it empty',
        )
    return {kind: told[kind] for kind in sorted(MODULES)}


def files(code: Mapping[str, str | None] | None) -> dict[str, str]:
    """Name of each file that is let in → its sha256."""
    return {f"{MODULES[kind]}.py": digest for kind, digest in (code or {}).items() if digest is not None}


def brings(code: Mapping[str, str | None] | None, kind: str) -> bool:
    """Whether the entry has a module of that kind."""
    return code is not None and code[kind] is not None
