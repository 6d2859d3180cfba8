"""Every file has the size and digest that the manifest binds to its path."""

from __future__ import annotations

from ftbench.result import manifest, names
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Digest every file; the manifest itself must be in the form that ftbench writes."""
    problems = manifest.content_problems(context.manifest, context.bundle.files)
    if manifest.to_bytes(context.manifest) != context.bundle.files[names.MANIFEST]:
        problems.append("`manifest.json` is not in its fixed form")
    return judge(problems, f"{plural(len(context.manifest.files), 'file')} digested")


CHECK = Check("manifest-digests", "INTACT", "FTB623", "every file has the size and sha256 of the manifest", run)
