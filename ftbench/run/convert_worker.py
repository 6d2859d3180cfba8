"""`python -m ftbench.run.convert_worker SCRIPT ARGUMENT…`: a Python script of the user's, as if started itself.

Exit status: the script's; 3 where standard input was closed, because whoever started this is gone.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from ftbench.run.engines.inline_worker import end_with_stdin


def main(arguments: list[str]) -> None:
    """Carry the script out. Raises what it raises, SystemExit too."""
    end_with_stdin()
    sys.argv[:] = arguments
    sys.path.insert(0, str(Path(arguments[0]).absolute().parent))
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
