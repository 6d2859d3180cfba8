"""The bundle holds exactly the files that a bundle has."""

from __future__ import annotations

from ftbench.result import names
from ftbench.result.exposure import asked
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """A fixed list, one samples file for each task claimed, and the modules that an open entry names."""
    due = {*names.FIXED, *map(names.samples_name, asked(context.result.scores))}
    due |= {name for kind, name in names.OPEN.items() if context.entry.open and getattr(context.entry.open, kind)}
    # A bundle of ftbench 0.1 has no card.
    here = {*context.bundle.files, *context.bundle.left_out} - {names.CARD, names.SIGNATURE}
    problems = [f"`{name}` is no file of this bundle" for name in sorted(here - due)]
    problems += [f"`{name}` is missing" for name in sorted(due - here)]
    return judge(problems, f"{plural(len(due), 'file')}, each of the permitted list")


CHECK = Check("files-permitted", "INTACT", "FTB621", "the bundle holds the permitted files, all of them", run)
