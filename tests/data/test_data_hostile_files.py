"""Files that say they hold far more than they are: refused before anything is made of it."""

from __future__ import annotations

import hashlib
import tarfile
import time
from pathlib import Path

import pytest

from ftbench.atomic import write_file
from ftbench.data.archive import take
from ftbench.data.formats.base import MAX_ROWS, DataFile
from ftbench.data.formats.parquet import read
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource

CLAIMED = 2**26
"""Bytes that the sparse file says it has; its digest is that of as many zeros."""


def test_a_sparse_file_in_an_archive_of_rows(tmp_path: Path) -> None:
    """Some kilobytes that unpack to as many zeros as they like, under the right digest."""
    archive = tmp_path / "rows.tar"
    digest = hashlib.sha256(bytes(CLAIMED)).hexdigest()
    index = tarfile.TarInfo("ftbench-data.json")
    body = tmp_path / "index"
    body.write_bytes(b'{"format": "ftbench/data-archive/v1", "sources": {}}')
    index.size = body.stat().st_size
    sparse = tarfile.TarInfo(f"data/{digest}.jsonl")
    sparse.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(CLAIMED)}
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as made, body.open("rb") as file:
        made.addfile(index, file)
        made.addfile(sparse)
    assert archive.stat().st_size < 2**15
    with tarfile.open(archive) as read_back:
        assert read_back.getmembers()[1].size == CLAIMED, "the attack is none"
    with pytest.raises(InvalidInput, match="FTB314"):
        take(archive, Store([tmp_path / "store"]))
    assert not (tmp_path / "store" / "data").exists()


def test_more_rows_of_parquet_than_are_read(tmp_path: Path) -> None:
    """One value, told once, for each of them."""
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "bomb.parquet"
    parquet.write_table(pyarrow.table({"x": pyarrow.nulls(MAX_ROWS + 1)}), path)
    assert path.stat().st_size < 2**20
    began = time.process_time()
    with pytest.raises(MissingResource, match="FTB335"):
        read(DataFile(path, "bomb.parquet"))
    assert time.process_time() - began < 5


def test_a_pipe_where_a_killed_writer_might_have_left_a_file(tmp_path: Path) -> None:
    """Whoever else may write to a folder puts one there, and nobody ever writes to it."""
    import os

    pipe = tmp_path / ".made.json.ftb-x"
    os.mkfifo(pipe)
    write_file(tmp_path / "made.json", b"{}")
    assert (tmp_path / "made.json").read_bytes() == b"{}"
