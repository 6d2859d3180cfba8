"""What the operator asks of a run that is going on: to stop in order at the end of its round."""

from __future__ import annotations

import json
from pathlib import Path

REQUEST = "stop.json"
"""File in the run's folder that whoever watches the run writes: `{"detail": why}`. It is left where it is."""


def requested(run_dir: Path) -> str | None:
    """Why the run is to stop before its next round; None where nobody asks."""
    try:
        said = json.loads((run_dir / REQUEST).read_bytes())
        return str(said["detail"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return "the operator asked the run to stop"
