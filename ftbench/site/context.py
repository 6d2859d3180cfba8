"""What every page is made from: the board, what stands behind it, and each bundle read again when its page is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ftbench.analysis.documents import Analysis
from ftbench.board.clusters import Clustering
from ftbench.board.decided import Decided
from ftbench.board.gather import Gathered
from ftbench.board.model import Board, BundleRef, Compared, Reference, Row, Table
from ftbench.board.published import Published
from ftbench.board.submission import Submission
from ftbench.compile.plan import Plan
from ftbench.result.opening import open_bundle
from ftbench.site import links
from ftbench.verify.documents import Documents, read

DIVISIONS = {"closed": "closed", "open": "open"}


@dataclass(frozen=True)
class Context:
    """Everything that the pages say comes from here."""

    gathered: Gathered
    title: str
    published: Sequence[Published] = ()
    sources: Sequence[str] = ()
    """The folders as the reader of a command would name them."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Base model's name → its parameters, where known."""
    analysis: Analysis | None = None
    """What `ftbench analyse` found, where it is given."""
    decisions: Sequence[Decided] = ()
    """Every decision of the folder whose decisions are taken over."""

    @property
    def board(self) -> Board:
        """The board."""
        return self.gathered.board

    @cached_property
    def pages(self) -> list[tuple[str, str]]:
        """Names of the navigation and where they lead."""
        more = [("Published elsewhere", links.PUBLISHED)] if self.published else []
        more = [("Analysis", links.ANALYSIS), *more] if self.analysis else more
        if self.decisions:
            more.insert(0, ("Decisions", links.DECISIONS))
        refused = f"Not ranked ({len(self.board.refused)})"
        return [("Overview", links.OVERVIEW), ("Resources", links.RESOURCES), (refused, links.REFUSED), *more]

    @cached_property
    def bundles(self) -> int:
        """How many bundles stand behind the tables."""
        return sum(len(row.bundles) for table in self.board.tables for row in table.rows)

    def plan(self, table: Table) -> Plan | None:
        """A table's benchmark, where it is known."""
        return self.gathered.plans.get(table.spec_hash)

    def clusters(self, table: Table) -> Clustering:
        """The clusters of a table's items."""
        return self.gathered.clusters.get(table.spec_hash, Clustering())

    def submission(self, bundle: BundleRef) -> Submission:
        """The verified bundle."""
        return self.gathered.submissions[bundle.bundle, bundle.path]

    def documents(self, bundle: BundleRef) -> Documents:
        """Its documents, read again; empty where any byte of it is no longer the one that was verified."""
        path = self.gathered.paths.get(bundle.path)
        if path is None:
            return Documents()
        found = open_bundle(path)
        return read(found, known=True) if found.content() == self.submission(bundle).content else Documents()

    def pair(self, table: Table, a: Row, b: Row) -> Compared | None:
        """What the table's test said of two rows."""
        return self._pairs[table.spec_hash, table.division].get(frozenset({label(a), label(b)}))

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], dict[frozenset[str], Compared]]:
        return {
            (table.spec_hash, table.division): {frozenset({one.a, one.b}): one for one in reversed(table.comparisons)}
            for table in self.board.tables
        }

    def folder(self, bundle: BundleRef) -> str:
        """The bundle as a command names it, from the folder above those that were given."""
        below = len(self.sources) == 1 and bundle.path != self.sources[0]
        return f"{self.sources[0]}/{bundle.path}" if below else bundle.path


def label(row: Row) -> str:
    """What a row is called."""
    return row.label or ", ".join(row.names)


def untuned(table: Table, model: str) -> Reference | None:
    """The untuned reference of a base model."""
    return next(
        (one for one in table.references if one.kind == "untuned" and one.model and one.model.name == model), None
    )


def marks(table: Table, model: str | None = None) -> list[tuple[float, str]]:
    """Upright lines in a column of scores: the untuned model's, where the table has it."""
    found = [
        one
        for one in table.references
        if one.kind == "untuned" and (model is None or (one.model and one.model.name == model))
    ]
    return [(found[0].score.value, "untuned")] if len(found) == 1 else []
