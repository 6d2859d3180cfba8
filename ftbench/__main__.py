"""`python -m ftbench` and the `ftbench` script."""

from __future__ import annotations

import os
import sys
import warnings


def main() -> None:
    """Run the command line and exit with its code."""
    # Warnings are for who writes Python: `PYTHONWARNINGS=error` must not end a command, nor a process that it starts.
    os.environ.pop("PYTHONWARNINGS", None)
    warnings.simplefilter("ignore")

    from ftbench.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
