"""A leaderboard from folders of bundles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftbench.api.frames import frame
from ftbench.api.judging import Level, known_benchmarks
from ftbench.api.specs import AnySpec, compile, load_spec
from ftbench.api.telling import Tell, silent
from ftbench.board.model import Board as Document


class Board:
    """Verified results of a folder, ranked: one table for each spec hash."""

    def __init__(
        self,
        *folders: str | Path,
        spec: AnySpec | None = None,
        require: Level = "RESCORED",
        store: str | Path | None = None,
        benchmarks: Sequence[str | Path] = (),
        tell: Tell = silent,
    ) -> None:
        """Verify every bundle below `folders` and rank what reaches `require`. Raises as `ftbench.verify`."""
        from ftbench.board.collect import known_plans
        from ftbench.board.gather import gather
        from ftbench.data.store import Store

        known = known_benchmarks([Path(one) for one in benchmarks])
        plans = known_plans(known)
        path = None
        if spec is not None:
            loaded = load_spec(spec)
            made = compile(loaded, tell=tell)
            path, plans = loaded.path, {made.lock.spec_hash: made.plan, **plans}
        self.document: Document = gather(
            [Path(folder) for folder in folders],
            store=Store.default(None if store is None else str(store)),
            benchmarks=known,
            plans=plans,
            required=require,
            spec=path,
            progress=lambda name: tell(f"verifying {name}"),
        ).board
        """Everything, as `ftbench leaderboard --json` prints it."""

    @property
    def rows(self) -> Any:
        """A row for each entry of each table: `benchmark`, `spec_hash`, `best_rank`, `worst_rank`, `entry`, `level`,
        `value`, `low`, `high`.
        A DataFrame where pandas is installed, else a list of dicts."""
        return frame(
            [
                {
                    "benchmark": table.name,
                    "spec_hash": table.spec_hash,
                    "best_rank": row.rank.best,
                    "worst_rank": row.rank.worst,
                    "entry": row.label or ", ".join(row.names),
                    "level": row.level,
                    "value": row.score.value,
                    "low": row.score.interval.low,
                    "high": row.score.interval.high,
                }
                for table in self.document.tables
                for row in table.rows
            ]
        )

    def __str__(self) -> str:
        """As `ftbench leaderboard` prints it."""
        from ftbench.board.terminal import plain

        return plain(self.document)

    def markdown(self) -> str:
        """The tables as Markdown."""
        from ftbench.board.render import markdown

        return markdown(self.document)
