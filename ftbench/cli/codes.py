"""Diagnostic codes of the command line: usage, environment, and files that are generated."""

from __future__ import annotations

from ftbench.diagnostics import register

register(
    {
        "FTB901": "the command line was not understood",
        "FTB902": "ftbench itself failed: a bug",
        "FTB903": "the operating system refused a file or a process",
        "FTB904": "a Python package that this command needs is not installed",
        "FTB905": "files of schemas/ are not what the models generate",
        "FTB908": "a spec cannot be published as it is",
        "FTB910": "an option needs another one",
        "FTB911": "a file is no plan of a compiled benchmark",
    }
)
