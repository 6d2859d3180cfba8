"""What loading a source takes and gives, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftbench.data.table import Row, Table
from ftbench.spec.model import BuiltinSource, FileSource, SitesSource
from ftbench.spec.sources import AnySource, CanarySource

if TYPE_CHECKING:
    from ftbench.data.hub import Hub


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one source."""

    table: Table
    licence: str
    revision: str | None = None
    """Commit that was loaded; None for what is not on the hub."""
    files: dict[str, str] | None = None
    """Of a `file` source: path relative to the spec → sha256 of the file that was read."""

    @property
    def rows(self) -> list[Row]:
        """The rows alone."""
        return self.table.rows


@dataclass(frozen=True, slots=True)
class Request:
    """How a source is to be loaded."""

    hub: Callable[[], Hub] | None = None
    """Gives the connection to the hub; None: offline."""
    revision: str | None = None
    """Commit to load; None: the source's own, or else that of the main branch today."""
    beside: Beside | None = None
    """Where the paths of a `file` source begin; None: unknown."""
    planted: Sequence[Mapping[str, str]] = ()
    """Canaries to be planted after the rows: what their columns are that templates name."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The folder of the file that names local files, and the tree that they may not leave."""

    folder: Path
    tree: Path


def describe(source: AnySource, revision: str | None = None) -> str:
    """The source in a few words, for messages."""
    if isinstance(source, BuiltinSource):
        return f"builtin data set {source.name}, split {source.split}"
    if isinstance(source, FileSource):
        return f"local data {', '.join(source.files)}"
    if isinstance(source, CanarySource):
        return f"the secrets of {source.count} canaries"
    if isinstance(source, SitesSource):
        return f"rows at the sites {', '.join(source.sites[:3])}{', …' * (len(source.sites) > 3)}"
    commit = revision or source.revision
    return f"hub data set {source.repo}@{commit[:12] if commit else 'main'}"
