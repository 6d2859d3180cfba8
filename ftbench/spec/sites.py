"""What a site hands out of its own rows: counts and a salted digest, and the key of its node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ftbench.spec.canonical import digest
from ftbench.spec.primitives import Block, Name, Sha256

if TYPE_CHECKING:
    from ftbench.spec.model import Spec


class SiteCounts(Block):
    """What a site counted of its rows when it locked them."""

    read: Annotated[int, Field(ge=1)]
    """Rows in the site's files."""
    rows: Annotated[int, Field(ge=1)]
    """Rows that it locked: those without the ones that it left out."""
    left_out: dict[Literal["repeated", "empty-answer", "equal-answers"], Annotated[int, Field(ge=1)]]
    """Why → rows that were not locked: the same row was there before, or there is nothing to learn from it."""
    in_tests: Annotated[int, Field(ge=0)] | None
    """Rows of which an item of a test set occurs word for word; null: the site had no test sets to look at."""


class SiteLock(Block):
    """`SITE.site.json`: all that leaves a site before a benchmark is compiled."""

    format: Literal["ftbench/site-lock/v1"] = "ftbench/site-lock/v1"
    """Format of this file."""
    site: Name
    """Which of the spec's sites this is."""
    inputs: Sha256
    """Digest of what the site was asked for (`site_inputs`); another value makes the lock stale."""
    digest: Sha256
    """sha256 of the site's salt, which stays there, and its canonical rows in order."""
    counts: SiteCounts
    """What it counted."""
    licence: Annotated[str, Field(min_length=1, max_length=100)]
    """Licence of its rows (SPDX expression where there is one)."""
    key: Annotated[str, Field(min_length=1, max_length=1000)]
    """Public key of the site's node, one line as OpenSSH writes it."""


def site_inputs(spec: Spec) -> str:
    """Digest of what decides which rows a site locks: the columns and templates, and the names of all sites."""
    data = spec.data.model_dump(mode="json", include={"source", "columns", "prompt", "completion", "rejected"})
    return digest(data)


def rows_digest(locks: list[SiteLock]) -> str:
    """What stands for the rows of all sites together: the digest of each site's name, number of rows and digest."""
    return digest([[one.site, one.counts.rows, one.digest] for one in locks])
