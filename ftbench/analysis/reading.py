"""An analysis that somebody wrote to a file, read again."""

from __future__ import annotations

from pathlib import Path

from ftbench import codes
from ftbench.analysis.documents import Analysis
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput


def load(path: Path) -> Analysis:
    """The document at `path`. Raises InvalidInput (FTB916, or those of JSON) where it is none."""
    data = path.read_bytes()
    try:
        return Analysis.model_validate_json(data)
    except ValueError as error:
        hint = "write it with `ftbench analyse DIR --out FILE.json`"
        message = f"this is no analysis: {str(error).splitlines()[0]}"
        raise InvalidInput(Diagnostic(codes.ANALYSIS, message, Place(str(path)), hint)) from None
