"""How a start of the app ended, read from what the app left: `error.json` and the ledger's last line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed, RunIncomplete
from ftbench.result.documents import Finished, Stopped
from ftbench.run.processes.tail import LedgerTail

RESUME = "`ftbench run --resume {}` goes on after the last committed round"

FREE = "free some space; then `ftbench run --resume {}` goes on after the last committed round"
LITTLE = 64 * 1024
"""Bytes: with fewer free on the disk a run is taken to have ended for want of space."""

_APP_ERRORS: dict[str, type[FtbenchError]] = {
    "FTB541": InvalidInput,
    "FTB542": InvalidInput,
    "FTB544": InvalidInput,
    "FTB543": MissingResource,
    "FTB546": MissingResource,
    "FTB552": RunIncomplete,
    "FTB553": RunIncomplete,
    "FTB556": RunIncomplete,
    "FTB557": RunIncomplete,
    "FTB558": MissingResource,
}
_JOINED = ("direct cause of the following exception", "During handling of the above exception")
"""What Python writes between the tracebacks of one chain."""
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Failed|Refused): .")
_DECORATION = re.compile(r"^(?:\x1b\[[0-9;]*m)*(?:\([^()]*pid=\d+[^()]*\))?(?:\x1b\[[0-9;]*m)*")
"""Colours, and what Ray writes before a worker's line."""
_STOPS = {
    "too-few-replies": (codes.TOO_FEW_REPLIES, RunFailed, "too few clients sent a usable reply"),
    "communication-budget": (codes.OVER_BUDGET, RunIncomplete, "the round could exceed the communication budget"),
    "parameter-budget": (codes.OVER_BUDGET, RunIncomplete, "the adapter exceeds the budget of trainable parameters"),
    "privacy-budget": (codes.OVER_BUDGET, RunIncomplete, "the round would exceed the privacy budget"),
    "operator-limit": (codes.OPERATOR_LIMIT, RunIncomplete, "a limit of the operator was reached"),
}


def settle(run_dir: Path, otherwise: Diagnostic | None = None) -> None:
    """Return if the ledger says `finished`; otherwise raise what the app says, else `otherwise`, else FTB507."""
    said = read_app_error(run_dir)
    if said is not None:
        raise said
    lines = LedgerTail(run_dir / "ledger.jsonl").read()
    last = lines[-1].body if lines else None
    if isinstance(last, Finished):
        return
    if isinstance(last, Stopped):
        code, error, text = _STOPS[last.reason]
        detail = f": {last.detail}" if last.detail else ""
        excluded = [f"client {e.partition}: {e.reason} {e.detail}".strip() for e in last.excluded]
        hint = "; ".join(excluded)[:500] or RESUME.format(run_dir)
        raise error(
            Diagnostic(code, f"round {last.round} was not committed: {text}{detail}", Place(str(run_dir)), hint)
        )
    if full(run_dir):  # then the app could not say so itself
        raise MissingResource(
            Diagnostic(codes.DISK_FULL, "training stopped: the disk is full", Place(str(run_dir)), FREE.format(run_dir))
        )
    raise RunFailed(
        otherwise
        or Diagnostic(
            codes.NOT_FINISHED,
            "training ended before the ledger's last line",
            Place(str(run_dir)),
            hint=f"see {run_dir / 'logs'}; " + RESUME.format(run_dir),
        )
    )


def read_app_error(run_dir: Path) -> FtbenchError | None:
    """What the app wrote into `error.json` as the error to raise; None where it wrote nothing that can be read."""
    try:
        said = json.loads((run_dir / "error.json").read_bytes())
        code, message, hint = str(said["code"]), str(said["message"]), str(said.get("hint", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    error = _APP_ERRORS.get(code, RunFailed)
    return error(Diagnostic(code, message[:2000], Place(str(run_dir)), hint[:2000]))


def full(folder: Path) -> bool:
    """Whether the disk that holds the folder has no space left to speak of."""
    try:
        return shutil.disk_usage(folder).free < LITTLE
    except OSError:
        return False


def cause(path: Path) -> str:
    """`; the cause: …`, the exception that a log's last chain of tracebacks began with; empty where there is none."""
    found, joined = "", False
    for line in _end(path, 2**17).splitlines():
        plain = _DECORATION.sub("", line).strip()
        if any(text in plain for text in _JOINED):
            joined = True
        elif _EXCEPTION.match(plain):
            found, joined = (found if joined else plain), False
    return f"; the cause: {found[:500]}" if found else ""


def log_tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log on one line, for a diagnostic; empty where there is no such file."""
    return " | ".join(line.strip() for line in _end(path, 8192).splitlines()[-lines:] if line.strip())


def _end(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
