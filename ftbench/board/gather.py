"""Everything that stands behind a board: bundles found and verified, their plans and clusters, and the board itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftbench.board.clusters import Clustering, clustering
from ftbench.board.collect import collect, find_submissions, verifier
from ftbench.board.model import Board
from ftbench.board.rank import build
from ftbench.board.submission import Submission
from ftbench.board.withdrawn import Withdrawal, withdraw
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.result.documents import Level


@dataclass(frozen=True)
class Gathered:
    """A board with what it was made from."""

    board: Board
    submissions: Mapping[tuple[str, str], Submission]
    """Digest of a bundle and its name in tables → it, of those that stand in a table or could."""
    paths: Mapping[str, Path]
    """Name in tables → where the bundle lies."""
    plans: Mapping[str, Plan]
    """Spec hash → the benchmark, where known."""
    clusters: Mapping[str, Clustering]
    """Spec hash → the clusters of its items, where its spec names some and a bundle is of it."""
    store: Store


def gather(
    folders: Sequence[Path],
    *,
    store: Store,
    benchmarks: Sequence[Path],
    plans: Mapping[str, Plan],
    required: Level,
    spec: Path | None = None,
    withdrawn: Sequence[Withdrawal] = (),
    progress: Callable[[str], None] = lambda name: None,
    decided: Callable[[Sequence[Submission]], list[Submission]] = list,
) -> Gathered:
    """Verify every bundle below `folders` and rank what reaches `required`. Raises as `collect`.

    `decided` adds what verifiers decided elsewhere: levels, and carried results."""
    verify = verifier(store=store, benchmarks=benchmarks, spec=spec, required=required)
    found = collect(folders, verify, progress, plans=plans, store=store)
    kept, gone = withdraw(decided(found.submissions), withdrawn)
    ranked = {one.verdict.result.spec_hash for one in kept if one.verdict.result is not None}
    clusters = {
        spec_hash: clustering(plan, store)
        for spec_hash, plan in plans.items()
        if spec_hash in ranked and plan.reporting is not None and plan.reporting.clusters is not None
    }
    board = build(kept, [*found.refused, *gone], plans=plans, required=required, clusters=clusters)
    return Gathered(
        board=board,
        submissions={(one.verdict.bundle, one.path): one for one in kept if one.verdict.bundle},
        paths={name: path for path, name in find_submissions(folders)},
        plans=plans,
        clusters=clusters,
        store=store,
    )
