"""How far the training of a run's references is, read from their own ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftbench.result.documents import Finished, Round, Started
from ftbench.run.processes.tail import LedgerTail
from ftbench.run.references import folder_of


class ReferenceTails:
    """The ledgers of the references, trained in this order one after another."""

    def __init__(self, run_dir: Path, names: Sequence[str]) -> None:
        self.names = list(names)
        self._tails = [LedgerTail(folder_of(run_dir, name) / "ledger.jsonl") for name in names]
        self.at = 0
        """How many are whole."""
        self.round = 0
        """Last committed round of the one that is being trained; of the last one when all are whole."""
        self.rounds = 0
        """Rounds of each, 0 until the first has begun."""
        self.committed = 0
        """Rounds of all of them together."""

    @property
    def name(self) -> str:
        """The reference that is being trained; the last one when all are whole."""
        return self.names[min(self.at, len(self.names) - 1)]

    def read(self) -> bool:
        """Take in what is new; whether a round was committed."""
        before = self.committed
        while self.at < len(self.names) and self._read_one():
            self.at += 1
            if self.at < len(self.names):
                self.round = 0
        return self.committed > before

    def _read_one(self) -> bool:
        """Read on in the ledger of the one that is being trained; whether it is whole."""
        for line in self._tails[self.at].read():
            if isinstance(line.body, Started):
                self.rounds = line.body.rounds
            elif isinstance(line.body, Round):
                self.round = line.body.round
                self.committed += 1
            elif isinstance(line.body, Finished):
                return True
        return False
