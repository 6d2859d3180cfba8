"""Each client's own rows as a file of its own: what a site needs, and all that it needs, of the training data."""

from __future__ import annotations

from pathlib import Path

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.data import digests, sources
from ftbench.data.loaded import describe
from ftbench.data.sources import TRAIN
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource
from ftbench.spec.canonical import sha256
from ftbench.spec.model import SitesSource, Spec
from ftbench.spec.pins import Pins

COMMAND = "ftbench data fetch SPEC"


def export(spec: Spec, pins: Pins, store: Store, folder: Path) -> list[Path]:
    """Write `client-K.jsonl` for every client K into `folder`; its sha256 is the client's digest in the pins.

    The pins must be resolved. Raises MissingResource (FTB301, FTB303, FTB310, FTB348).
    """
    train, pin = pins.sources[TRAIN], pins.partition
    assert train.digest is not None and pin is not None
    if isinstance(spec.data.source, SitesSource):
        sources.load(spec.data.source, spec.data.columns)  # which raises: they are at their sites
    rows = store.rows(train.digest, describe(spec.data.source, train.revision), COMMAND)
    shares = store.partition(pin.digest, "the partition of the training rows", COMMAND)
    paths = []
    for number, (share, expected) in enumerate(zip(shares, pin.digests, strict=True)):
        data = digests.rows_bytes([rows[one] for one in share])
        assert sha256(data) == expected, f"client {number}'s pin is not of these rows"
        path = folder / f"client-{number}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_file(path, data)
        except OSError as error:
            message = f"cannot write the rows of client {number}: {error.strerror}"
            raise MissingResource(Diagnostic(codes.NOT_WRITABLE, message, Place(str(path)))) from error
        paths.append(path)
    return paths
