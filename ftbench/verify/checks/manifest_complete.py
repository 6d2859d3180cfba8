"""The manifest lists every file, and every file that it lists is there."""

from __future__ import annotations

from ftbench.result import manifest
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare paths both ways."""
    evidence = f"{plural(len(context.manifest.files), 'path')} listed and there"
    return judge(manifest.path_problems(context.manifest, {*context.bundle.files, *context.bundle.left_out}), evidence)


CHECK = Check("manifest-complete", "INTACT", "FTB622", "the manifest lists every file and no other", run)
