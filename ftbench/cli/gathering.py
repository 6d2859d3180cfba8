"""Which benchmarks a board knows: those compiled, and a spec that is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.compile.plan import Plan


def known(ui: Ui, benchmarks: tuple[Path, ...], spec: str | None) -> tuple[list[Path], dict[str, Plan], Path | None]:
    """Folders of compiled benchmarks, spec hash → plan, and the spec's path. Raises as `compiled`."""
    from ftbench.board.collect import known_plans
    from ftbench.cli.benchmark import benchmark_folders, compiled
    from ftbench.spec.load import find_spec

    folders = benchmark_folders(benchmarks)
    plans = known_plans(folders)
    path = find_spec(spec) if spec else None
    if path is not None:
        made = compiled(ui, str(path))[1]
        plans = {made.lock.spec_hash: made.plan, **plans}
    return folders, plans, path
