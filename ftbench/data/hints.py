"""What is known of a data set's rows from elsewhere than the hub: kept beside the pins, in no plan and no hash.

`NAME.hints.json` has, for a source, how many rows a public copy came to and what each was, by digest and in no order.
It says nothing of what the hub must hold; `lock` tells where the two differ, so that a person can look.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ftbench import codes
from ftbench.data.digests import row_line
from ftbench.data.store import Store
from ftbench.data.table import Row
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.spec.pins import Pins
from ftbench.spec.primitives import Block, Count, Sha256

SHORT = 4
"""Bytes of a row's digest that are kept, to tell which rows differ."""
SHOWN = 3


class Hint(Block):
    """One source's rows in our columns, as a copy had them."""

    inputs: Sha256
    """The pins' digest of the `source` and `columns` that it is about: it says nothing of others."""
    rows: Count
    """How many."""
    unordered: Sha256
    """sha256 of the rows' sha256 digests, sorted and joined: the same in whatever order the rows stand."""
    digests: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
    """Base64 of the first four bytes of each row's digest, sorted and joined."""
    origin: str
    """Which copy that was."""


class Hints(Block):
    """`NAME.hints.json`."""

    format: Literal["ftbench/hints/v1"] = "ftbench/hints/v1"
    """Format of this file."""
    sources: dict[str, Hint]
    """`task:NAME` → its hint."""


def hints_path(spec: Path) -> Path:
    """`x.hints.json` beside `x.yaml`."""
    return spec.with_name(f"{spec.stem}.hints.json")


def read(spec: Path) -> Hints:
    """The hints beside a spec; none where there are none. Raises InvalidInput (FTB317) for a file that is none."""
    places = [hints_path(spec), hints_path(spec.parent.parent / spec.name)]  # a track's are its domain's
    path = next((one for one in places if one.is_file()), None)
    if path is None:
        return Hints(sources={})
    try:
        return Hints.model_validate_json(path.read_bytes())
    except ValidationError as error:
        message = f"these are no hints: {error.errors()[0]['msg']}"
        raise InvalidInput(
            Diagnostic(codes.HINT, message, Place(str(path)), "delete the file: nothing needs it")
        ) from error


def make(rows: Iterable[Row], inputs: str, origin: str) -> Hint:
    """The hint that rows in our columns give."""
    every = sorted(hashlib.sha256(row_line(row)).digest() for row in rows)
    short = b"".join(one[:SHORT] for one in every)
    return Hint(
        inputs=inputs,
        rows=len(every),
        unordered=hashlib.sha256(b"".join(every)).hexdigest(),
        digests=base64.b64encode(short).decode(),
        origin=origin,
    )


def report(hints: Hints, pins: Pins, store: Store) -> list[Diagnostic]:
    """A warning (FTB317) for each source whose pinned rows are not those of its hint, with the first that are not."""
    found = []
    for key, hint in sorted(hints.sources.items()):
        pin = pins.sources.get(key)
        if pin is None or pin.digest is None or pin.inputs != hint.inputs or not store.has_rows(pin.digest):
            continue
        rows = store.rows(pin.digest)
        now = make(rows, hint.inputs, hint.origin)
        if now.unordered != hint.unordered:
            found.append(_differs(key, hint, rows))
    return found


def _differs(key: str, hint: Hint, rows: list[Row]) -> Diagnostic:
    data = base64.b64decode(hint.digests)
    left = Counter(data[at : at + SHORT] for at in range(0, len(data), SHORT))
    other = []
    for number, row in enumerate(rows):
        short = hashlib.sha256(row_line(row)).digest()[:SHORT]
        if left[short]:
            left[short] -= 1
        else:
            other.append((number, row))
    some = "; ".join(f"row {number}: {str(row)[:100]}" for number, row in other[:SHOWN])
    lacking = sum(left.values())
    message = (
        f"`{key}`: the hub's {len(rows):,} rows are not the {hint.rows:,} of {hint.origin}: {len(other):,} are not "
        f"among those, {lacking:,} of those are not among the hub's" + (f"; {some}" if some else "")
    )
    hint_text = "the hub decides, and these pins are good; look whether it is the data set that the spec means"
    return Diagnostic(codes.HINT, message, hint=hint_text, severity="warning")
