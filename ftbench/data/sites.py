"""From what the sites hand out to pins: who holds what is the partition, and nobody else has seen a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ftbench import codes
from ftbench.data import digests
from ftbench.data.partitions.sites import shares
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place, because
from ftbench.errors import InvalidInput
from ftbench.spec.canonical import sha256
from ftbench.spec.model import SitesSource, Spec
from ftbench.spec.pins import PartitionPin, SourcePin, partition_inputs, source_inputs
from ftbench.spec.sites import SiteLock, rows_digest, site_inputs

AGAIN = "the site runs `ftbench site-kit join` again, with this spec"


def read(path: Path) -> SiteLock:
    """What a site handed out. Raises InvalidInput (FTB349)."""
    try:
        return SiteLock.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidInput(Diagnostic(codes.SITE_LOCKS, error.strerror or "unreadable", Place(str(path)))) from error
    except ValidationError as error:
        message = f"this is nothing that a site hands out: {because(error)}"
        raise InvalidInput(Diagnostic(codes.SITE_LOCKS, message, Place(str(path)))) from error


def pin(spec: Spec, locks: Sequence[SiteLock], store: Store | None = None) -> tuple[SourcePin, PartitionPin]:
    """The pins of training rows and partition. The partition's file goes into the store where one is given.

    Raises InvalidInput (FTB349) with every site that is missing, there twice, stale, unknown, or has another's rows.
    """
    source = spec.data.source
    assert isinstance(source, SitesSource)
    found = list(_faults(spec, source.sites, locks))
    if found:
        raise InvalidInput([Diagnostic(codes.SITE_LOCKS, message, hint=hint) for message, hint in found])
    by_name = {one.site: one for one in locks}
    ordered = [by_name[name] for name in source.sites]
    sizes = [one.counts.rows for one in ordered]
    licences = sorted({one.licence for one in ordered})
    train = SourcePin(
        inputs=source_inputs(source, spec.data.columns),
        digest=rows_digest(ordered),
        rows=sum(sizes),
        licence=licences[0] if len(licences) == 1 else " AND ".join(licences),
        sites={one.site: one.counts for one in ordered},
    )
    assert train.digest is not None
    parts = shares(sizes)
    if store is not None:
        store.put_partition(parts)
    partition = PartitionPin(
        inputs=partition_inputs(train.digest, spec.federation, spec.seeds.partition),
        digest=sha256(digests.partition_bytes(parts)),
        sizes=sizes,
        digests=[one.digest for one in ordered],
    )
    return train, partition


def _faults(spec: Spec, names: Sequence[str], locks: Sequence[SiteLock]) -> list[tuple[str, str]]:
    given = [one.site for one in locks]
    wanted, found = site_inputs(spec), []
    found += [(f"site `{name}` is missing", "it runs `ftbench site-kit join`") for name in names if name not in given]
    found += [(f"site `{name}` is there more than once", "") for name in sorted(set(given)) if given.count(name) > 1]
    found += [(f"the spec has no site `{name}`", "") for name in sorted(set(given) - set(names))]
    found += [
        (f"site `{one.site}` locked its rows for another source, columns or templates than the spec's", AGAIN)
        for one in locks
        if one.site in names and one.inputs != wanted
    ]
    keys = [one.key.split()[1:2] for one in locks]
    found += [
        (f"sites `{locks[keys.index(key)].site}` and `{one.site}` have one key", "each site makes its own")
        for number, (one, key) in enumerate(zip(locks, keys, strict=True))
        if key in keys[:number]
    ]
    return found
