"""Parquet: the file's schema says every value's type. Nothing of a schema's metadata is read."""

from __future__ import annotations

from typing import Any

from ftbench.data.formats.base import DataFile
from ftbench.data.table import Row, Spot, Table

BATCH = 10_000
"""Rows that are turned into Python's values at a time."""


class Unkept:
    """Stands for a value of a type that JSON does not have, so that it is refused only where it is used."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"a value of type {self.kind}"


def read(file: DataFile) -> Table:
    """All rows. Raises MissingResource: FTB332 for what is no parquet file, or damaged where it has checksums; FTB335
    for more rows than are read, which a file of some kilobytes can hold, one value being told once."""
    import pyarrow
    from pyarrow import parquet

    rows: list[Row] = []
    try:
        with file.path.open("rb") as opened:
            found = parquet.ParquetFile(opened, page_checksum_verification=True)
            kinds = {field.name: field.type for field in found.schema_arrow}
            if len(kinds) != len(found.schema_arrow.names):
                raise file.refused("its schema names a column twice")
            kept = [name for name, kind in kinds.items() if _plain(kind)]
            other = {name: Unkept(str(kind)) for name, kind in kinds.items() if name not in kept}
            count = found.metadata.num_rows
            file.counted(count)
            if kept:
                columns = [name for name in found.schema_arrow.names if name in kept]
                for batch in found.iter_batches(BATCH, columns=columns):
                    rows += [
                        {**row, **other} if other else row for row in _rows(file, batch.select(columns), len(rows))
                    ]
            else:
                rows = [dict(other) for _ in range(count)]
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise file.refused(" ".join(str(error).split())[:300] or type(error).__name__) from error
    except OSError as error:  # pyarrow tells damage so, too
        if error.errno is not None:
            raise
        raise file.refused(" ".join(str(error).split())[:300]) from error
    if len(rows) != count:
        raise file.refused(f"it holds {len(rows)} rows and says that it has {count}")
    return Table(rows, [Spot(file.name, 0, 0, number) for number in range(len(rows))])


def _rows(file: DataFile, batch: Any, before: int) -> list[Row]:
    """A batch's rows as Python's values. Raises MissingResource (FTB332) with row and column of what is damaged, or a
    date that no calendar has."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError) as error:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for number in range(len(column)):
                try:
                    column[number].as_py()
                except (ValueError, OverflowError) as found:
                    where = f"row {before + number} (from 0), column `{name}`"
                    detail = " ".join(str(found).split())[:200]
                    raise file.refused(f"{where}: {detail}", hint="mend the value, or leave its column out") from error
        raise


def _plain(kind: Any) -> bool:
    """Whether values of an Arrow type have a form of their own in JSON, or are dates."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    if any(test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list)):
        return _plain(kind.value_type)
    if types.is_struct(kind):
        return all(_plain(kind.field(number).type) for number in range(kind.num_fields))
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    numbers = (types.is_integer, types.is_float32, types.is_float64)
    return any(test(kind) for test in (*texts, *numbers, types.is_boolean, types.is_null, types.is_date))
