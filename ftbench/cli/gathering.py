"""Which benchmarks a board knows, those compiled and a spec that is given; and whose decisions it takes over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench.board.decided import Decided
    from ftbench.board.submission import Submission
    from ftbench.board.withdrawn import Withdrawal
    from ftbench.compile.plan import Plan
    from ftbench.data.store import Store
    from ftbench.result.documents import Verdict
    from ftbench.signing.keygen import Signers
    from ftbench.verify.policy import Policy

results_option = click.option(
    "--results",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take over what verifiers on the list of --signers decided there: levels, refusals, and carried results.",
)


class Decisions:
    """What verifiers of the reader's choice decided in a folder; nothing where none is named."""

    def __init__(self, ui: Ui, results: Path | None, trusted: Signers | None) -> None:
        """Raises UsageError where only one of the two is given, InvalidInput for decisions that do not hold."""
        if (results is None) != (trusted is None):
            raise click.UsageError("--results goes with --signers: whose decisions count is the reader's choice")
        self._ui, self._results, self._trusted = ui, results, trusted
        self.told: list[Decided] = []
        if results is not None and trusted is not None:
            from ftbench.submit.rows import history

            self.told = history(results, trusted)

    def add(self, found: Sequence[Submission]) -> list[Submission]:
        """The submissions with levels and carried results."""
        if self._results is None or self._trusted is None:
            return list(found)
        from ftbench.submit.rows import with_decisions

        made, told = with_decisions(found, self._results, self._trusted)
        for sentence in told:
            self._ui.note(sentence, "warning")
        return made

    @property
    def taken_back(self) -> list[Withdrawal]:
        """What they refused or withdrew."""
        from ftbench.submit.rows import taken_back

        return taken_back(self.told) if self.told else []


@dataclass(frozen=True)
class Others:
    """Whose whole runs raise a row, by the reader's policy."""

    folders: Sequence[Path]
    store: Store
    benchmarks: list[Path]
    spec: Path | None
    signers: Signers | None
    policy: Policy

    def add(self, found: Sequence[Submission]) -> list[Submission]:
        """The submissions, those REPRODUCED that another signer's run gave that level."""
        from ftbench.board.collect import find_submissions
        from ftbench.board.reproduced import with_reproductions
        from ftbench.verify.policy import By
        from ftbench.verify.verifier import verify

        def hold(one: Path, other: Path) -> Verdict:
            return verify(
                one,
                by=By(other, self.policy),
                store=self.store,
                benchmarks=self.benchmarks,
                spec=self.spec,
                signers=self.signers,
            )

        return with_reproductions(found, {name: path for path, name in find_submissions(self.folders)}, hold)


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
