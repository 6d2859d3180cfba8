"""Nothing in the bundle leaves it: plain files of safe names, no links, no bombs."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """What opening the bundle refused."""
    evidence = f"{plural(len(context.bundle.files), 'plain file')}, {context.bundle.total} bytes"
    return judge(map(str, context.bundle.problems), evidence)


CHECK = Check("names-safe", "INTACT", "FTB620", "the bundle holds plain files of safe names and nothing else", run)
