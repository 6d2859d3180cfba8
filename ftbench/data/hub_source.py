"""Rows of a data set on the hub: files at a commit → rows as they stand there → normaliser → subset."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench import codes
from ftbench.data import columns, normalise, reading, scratch
from ftbench.data.formats.base import DataFile
from ftbench.data.hub import Hub, RemoteFile, match
from ftbench.data.loaded import Loaded, describe
from ftbench.data.table import Table
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import HubSource
from ftbench.spec.sources import Subset

MAX_FILE = 4 * 2**30
"""Most bytes of one file."""
MAX_TOTAL = 8 * 2**30
"""Most bytes of all files of a source."""


def load(source: HubSource, hub: Hub, revision: str | None = None) -> Loaded:
    """Rows of `source` at `revision` (None: the source's own commit, else that of the main branch).

    Files come into a private folder, are checked there and read from there; the folder is removed whatever happens.
    Raises MissingResource for what the hub does not give (FTB34x, FTB330) or gives otherwise than promised (FTB346,
    FTB332 unreadable, FTB335 too large), InvalidInput for a source that can't be loaded (FTB331, FTB333, FTB334,
    FTB337, FTB339).
    """
    normaliser = normalise.get(source.normalise)
    commit = hub.commit("dataset", source.repo, revision or source.revision)
    what = describe(source, commit)
    chosen = choose(source, hub.files("dataset", source.repo, commit), what)
    licence = hub.licence("dataset", source.repo, commit)
    with scratch.folder(hub.scratch) as folder:
        paths = hub.download("dataset", source.repo, commit, chosen, folder / "files")
        names = [f"{source.repo}@{commit[:12]}/{file.path}" for file in chosen]
        files = [DataFile(path, name) for path, name in zip(paths, names, strict=True)]
        table = reading.read(source, files, what)
    table = normaliser.apply(columns.typed(table, normaliser.types), what)
    if source.subset is not None:
        table = subset(table, source.subset)
    if source.rows is not None and len(table.rows) != source.rows:
        message = f"{what} comes to {len(table.rows)} rows, the spec says {source.rows}"
        raise InvalidInput(Diagnostic(codes.OTHER_COUNT, message, hint="look at `files`, `normalise` and `subset`"))
    return Loaded(table, licence, commit)


def choose(source: HubSource, files: Sequence[RemoteFile], what: str) -> list[RemoteFile]:
    """The files that the source names, each once, in its order. Raises FTB330, FTB331 and FTB335."""
    found = list(dict.fromkeys(file for pattern in source.files for file in match(files, pattern, what)))
    endings = reading.ENDINGS[source.format]
    for file in found:
        if not file.path.endswith(endings):
            message = f"{what}: `{file.path}` is not loaded as {source.format}: its name ends in none of {endings}"
            raise InvalidInput(Diagnostic(codes.FILE_KIND, message, hint="name data files in `files`"))
    size = sum(file.size for file in found)
    if size > MAX_TOTAL or any(file.size > MAX_FILE for file in found):
        message = f"{what}: {size:,} bytes in {len(found)} files is more than a source may have"
        raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, message, hint="name fewer files in `files`"))
    if source.sha256 is not None:
        if len(found) != 1:
            message = f"{what}: `sha256` is for one file, `files` names {len(found)}"
            raise InvalidInput(Diagnostic(codes.FILE_KIND, message))
        if found[0].sha256 not in (None, source.sha256):
            raise _other(found[0].path, str(found[0].sha256), source.sha256, what)
    return found


def _other(path: str, found: str, wanted: str, what: str) -> MissingResource:
    message = f"{what}: `{path}` has sha256 {found}, the spec says {wanted}"
    return MissingResource(Diagnostic(codes.OTHER_FILE, message, hint="nothing of it was used"))


def subset(table: Table, block: Subset) -> Table:
    """The first ceil(rows / divisor) of numpy's `default_rng(seed).permutation(rows)`, in that order."""
    import numpy

    rows = len(table.rows)
    order = numpy.random.default_rng(block.seed).permutation(rows)
    return table.take(order[: -(-rows // block.divisor)].tolist())
