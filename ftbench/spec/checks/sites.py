"""Training rows that stay at their sites: who holds what is the partition, and nobody can pool or cut them."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.model import SitesSource, Spec
from ftbench.spec.partitions import SitesPartition
from ftbench.spec.problems import Problem


def sites(spec: Spec) -> Iterator[Problem]:
    """Source, partition, clients, validation and references that can hold together."""
    source, partition = spec.data.source, spec.federation.partition
    at_sites, by_site = isinstance(source, SitesSource), isinstance(partition, SitesPartition)
    if by_site and not at_sites:
        message = "`federation.partition: {kind: sites}` is for rows that stay at their sites, and `data.source` is not"
        hint = "write `data.source: {kind: sites, sites: […]}`, or another partition"
        yield Problem(codes.CONTRADICTION, ("federation", "partition", "kind"), message, hint)
    if not isinstance(source, SitesSource):
        return
    if not by_site:
        message = f"rows of `data.source: {{kind: sites}}` cannot be dealt by `{partition.kind}`: each site has its own"
        yield Problem(codes.CONTRADICTION, ("federation", "partition", "kind"), message, "write `kind: sites`")
    names = source.sites
    if again := sorted({name for name in names if names.count(name) > 1}):
        message = f"`{again[0]}` is there more than once"
        yield Problem(codes.CONTRADICTION, ("data", "source", "sites"), message, "each site is one client")
    if spec.federation.clients != len(names):
        message = f"`federation.clients` is {spec.federation.clients}, and `data.source` names {len(names)} sites"
        yield Problem(codes.CONTRADICTION, ("federation", "clients"), message, f"write `clients: {len(names)}`")
    if spec.data.validation is not None:
        message = "`data.validation` cuts rows off the training data, which nobody has in one place"
        hint = "leave it out and score the last round (`evaluation.checkpoint: last`)"
        yield Problem(codes.CONTRADICTION, ("data", "validation"), message, hint)
    for name in ("local", "centralised", "fault_free"):
        if getattr(spec.evaluation.references, name, None):
            message = f"`evaluation.references.{name}` trains in one place on rows that nobody but their sites have"
            yield Problem(codes.CONTRADICTION, ("evaluation", "references", name), message, "leave it out")
