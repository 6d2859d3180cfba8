"""What commands of sites print with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.run.evaluation.trial import Report
from ftbench.spec.primitives import Block, Sha256
from ftbench.spec.sites import SiteLock


class Opened(Block):
    """What the organiser has after `site-kit open`."""

    organiser: str
    """Folder with certificates, secret and scripts."""
    kit: str
    """Folder that every site gets."""
    pins_file: str
    """Where the pins were written."""
    spec_hash: Sha256
    """What results will be pinned to."""
    fab_hash: Sha256
    """Digest of the app that sites are asked to run."""


class Joined(Block):
    """What a site has after `site-kit join`."""

    folder: str
    """The site's own folder."""
    handed_out: str
    """The file that goes to the organiser."""
    lock: SiteLock
    """What it holds."""
    learnt: Report | None = None
    """What the base model's tokenizer leaves of the locked rows; it stays here. null: the model is not here."""


class SiteKitOutput(Block):
    """`ftbench site-kit --json`."""

    format: Literal["ftbench/site-kit-output/v1"] = "ftbench/site-kit-output/v1"
    """Format of this output."""
    joined: Joined | None = None
    """Of `join`; null: it was `open`."""
    opened: Opened | None = None
    """Of `open`; null: it was `join`."""


class Runnable(Block):
    """An app that a site runs."""

    name: str
    """The benchmark's name."""
    version: str
    """The benchmark's version."""
    fab_hash: Sha256
    """Digest of its app."""
    signer: str | None
    """Who signed its lock; null: the site asks for no signature."""


class NodeOutput(Block):
    """`ftbench node --look --json`."""

    format: Literal["ftbench/node-output/v1"] = "ftbench/node-output/v1"
    """Format of this output."""
    superlink: str
    """Where it would connect to."""
    partition: int
    """Which client it is."""
    clients: int
    """Of so many."""
    sealed: bool
    """Whether apps run in a sandbox without a network."""
    apps: list[Runnable]
    """What it runs; any other app is refused."""
