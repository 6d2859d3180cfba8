"""From a source's files to its rows: read, normalised, cut to its subset and counted, wherever the files came from."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench import codes
from ftbench.data import columns, normalise, reading
from ftbench.data.formats.base import DataFile
from ftbench.data.table import Table
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import FileSource, HubSource
from ftbench.spec.sources import Subset

MAX_FILE = 4 * 2**30
"""Most bytes of one file."""
MAX_TOTAL = 8 * 2**30
"""Most bytes of all files of a source."""


def check_files(source: HubSource | FileSource, sizes: dict[str, int], what: str) -> None:
    """Raise FTB331 for a file whose name has no ending of the format, or `sha256` beside several; FTB335 for files that
    are too large. `sizes`: path → bytes."""
    endings = reading.ENDINGS[source.format]
    for path in sizes:
        if not path.endswith(endings):
            message = f"{what}: `{path}` is not loaded as {source.format}: its name ends in none of {endings}"
            raise InvalidInput(Diagnostic(codes.FILE_KIND, message, hint="name data files in `files`"))
    size = sum(sizes.values())
    if size > MAX_TOTAL or any(one > MAX_FILE for one in sizes.values()):
        message = f"{what}: {size:,} bytes in {len(sizes)} file{'s' * (len(sizes) != 1)} is more than a source may have"
        hint = f"name fewer files in `files`; {MAX_FILE:,} bytes a file and {MAX_TOTAL:,} in all is the most"
        raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, message, hint=hint))
    if source.sha256 is not None and len(sizes) != 1:
        message = f"{what}: `sha256` is for one file, `files` names {len(sizes)}"
        raise InvalidInput(Diagnostic(codes.FILE_KIND, message))


def shape(source: HubSource | FileSource, files: Sequence[DataFile], what: str) -> Table:
    """Rows with the normaliser's columns, of the subset. Raises as `reading.read`, FTB333, FTB334, FTB336, FTB339."""
    normaliser = normalise.get(source.normalise)
    table = reading.read(source, files, what)
    table = normaliser.apply(columns.typed(table, normaliser.types), what)
    if source.subset is not None:
        table = subset(table, source.subset)
    if source.rows is not None and len(table.rows) != source.rows:
        message = f"{what} comes to {len(table.rows)} rows, the spec says {source.rows}"
        raise InvalidInput(Diagnostic(codes.OTHER_COUNT, message, hint="look at `files`, `normalise` and `subset`"))
    return table


def subset(table: Table, block: Subset) -> Table:
    """The first ceil(rows / divisor) of numpy's `default_rng(seed).permutation(rows)`, in that order."""
    import numpy

    rows = len(table.rows)
    order = numpy.random.default_rng(block.seed).permutation(rows)
    return table.take(order[: -(-rows // block.divisor)].tolist())
