"""The server side: self-check, then the rounds. A refusal or failure is written to `error.json` in the run folder."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from . import open_division
from . import plan as plans
from . import settings as settings_module
from .errors import AppError
from .files import write_atomic
from .model import go_offline
from .rounds import Run, say

app = ServerApp()
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No space, no quota, or a file as large as one may be."""


def main(grid: Grid, context: Context) -> None:
    """Carry the run out, or say why not."""
    config = dict(context.run_config)
    run_dir = _run_dir(config)
    if run_dir is not None:
        (run_dir / "error.json").unlink(missing_ok=True)
    go_offline()
    try:
        conduct(grid, config)
    except AppError as error:
        _report(run_dir, error)
        raise
    except Exception as error:
        _report(run_dir, AppError("FTB559", f"{type(error).__name__}: {error}", "see the log for the whole traceback"))
        raise


def conduct(grid: Grid, config: Mapping[str, Any], plan: plans.Plan | None = None) -> None:
    """The run itself. `plan` stands for a plan that was checked already; else the one beside the modules is."""
    if plan is None:
        plan = plans.load()
        own = open_division.files(open_division.parse(str(config.get("open-code", ""))))
        plans.check_app(plan, str(config.get("spec-hash", "")), bool(config.get("unpinned", False)), own=own)
    try:
        Run(grid, settings_module.read(config, plan)).conduct()
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f" ({error.filename})" if error.filename else ""
        raise AppError(
            "FTB558", f"the run's folder cannot be written: {error.strerror}{where}", "free some space, then resume"
        ) from error


def _run_dir(config: Mapping[str, Any]) -> Path | None:
    path = Path(str(config.get("run-dir", "")))
    return path if path.is_absolute() else None


def _report(run_dir: Path | None, error: AppError) -> None:
    say(str(error))
    if run_dir is None:
        return
    text = json.dumps({"code": error.code, "message": error.message, "hint": error.hint}, sort_keys=True)
    # The error itself matters more than a folder that cannot be written.
    with contextlib.suppress(OSError):
        write_atomic(run_dir / "error.json", text.encode() + b"\n")


app.main()(main)
