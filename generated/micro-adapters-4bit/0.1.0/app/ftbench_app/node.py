"""What a node says of itself in its node config: where its store lies, its own rows, and where it keeps states.

A node of a simulation says nothing but its partition. A site names its own store (for the base model), and holds its
partition's rows and no others: either as a file that it names, or in its store under the digest that the plan's pins
give them. Then neither the whole data set nor the list of who holds what is needed there. A file with other rows is
refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import AppError
from .settings import Settings

SITES = "sites"
"""Kind of a source whose rows are at their sites: a digest is of the site's salt and its rows."""
SALT_BYTES = 32
REFUSE = "give the SuperNode the rows of its own partition: `ftbench partition SPEC --export DIR` writes them"


def applied(wanted: Settings, node: Mapping[str, Any]) -> Settings:
    """Settings as they hold at this node. Raises AppError for a node config that contradicts the benchmark."""
    number = node.get("num-partitions", wanted.clients)
    if number != wanted.clients:
        raise AppError(
            "FTB545",
            f"this node's num-partitions is {number}, the benchmark has {wanted.clients} clients",
            f'start the SuperNode with --node-config "partition-id=K num-partitions={wanted.clients}"',
        )
    roots = tuple(Path(part) for part in _text(node, "store").split(os.pathsep) if part)
    own = Path(_text(node, "data")) if _text(node, "data") else None
    states = _text(node, "state-dir")
    for path in (*roots, *([own] if own else []), *([Path(states)] if states else [])):
        if not path.is_absolute():
            raise AppError("FTB540", f"a path in the node config is not absolute: {path}", "give the whole path")
    return dataclasses.replace(wanted, roots=roots or wanted.roots, own_rows=own)


def find_rows(wanted: Settings, partition: int) -> Path | None:
    """Where a partition's own rows lie at this node, not yet checked; None: they are part of the whole data.

    Raises AppError where the node names a file that is not there.
    """
    if wanted.virtual or not 0 <= partition < wanted.clients:
        return None
    if wanted.own_rows is not None:
        if not wanted.own_rows.is_file():
            raise AppError("FTB546", f"the node's own rows are missing: there is no file {wanted.own_rows}", REFUSE)
        return wanted.own_rows
    name = f"data/{_digest(wanted, partition)}.jsonl"
    found = next((root / name for root in wanted.roots if (root / name).is_file()), None)
    if found is None and _at_sites(wanted):
        raise AppError("FTB546", f"the rows of partition {partition} are at their site, and not at this node", REFUSE)
    return found


def check_node(wanted: Settings, partition: int) -> bool:
    """Whether the node holds its own rows. Raises AppError where they are not the partition's."""
    path = find_rows(wanted, partition)
    if path is not None:
        _read(path, wanted, partition)
    return path is not None


def rows(wanted: Settings, partition: int) -> list[dict[str, Any]] | None:
    """The partition's own rows, in the partition's order; None where the node has only the whole data.

    Raises AppError where they are not the partition's.
    """
    path = find_rows(wanted, partition)
    if path is None:
        return None
    return [json.loads(line) for line in _read(path, wanted, partition).split(b"\n") if line]


def _read(path: Path, wanted: Settings, partition: int) -> bytes:
    data, expected = path.read_bytes(), _digest(wanted, partition)
    found = hashlib.sha256((_salt(path) if _at_sites(wanted) else b"") + data).hexdigest()
    if found != expected:
        raise AppError(
            "FTB546",
            f"{path} does not hold the rows of partition {partition}: its sha256 is {found[:12]}, "
            f"the benchmark's pins say {expected[:12]}",
            REFUSE,
        )
    return data


def _digest(wanted: Settings, partition: int) -> str:
    return str(wanted.pins["partition"]["digests"][partition])


def _at_sites(wanted: Settings) -> bool:
    return bool(wanted.spec["data"]["source"]["kind"] == SITES)


def _salt(path: Path) -> bytes:
    """What keeps a site's digest from telling whoever guesses the rows: a file beside them, in hexadecimal digits."""
    beside = path.with_suffix(".salt")
    try:
        salt = bytes.fromhex(beside.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise AppError("FTB546", f"the salt of this site's rows cannot be read: {beside}", REFUSE) from error
    if len(salt) != SALT_BYTES:
        raise AppError("FTB546", f"the salt of this site's rows is damaged: {beside}", REFUSE)
    return salt


def _text(node: Mapping[str, Any], key: str) -> str:
    value = node.get(key, "")
    if not isinstance(value, str):
        raise AppError("FTB540", f"`{key}` in the node config must be a path in quotes, not {value!r}")
    return value
