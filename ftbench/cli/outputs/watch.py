"""What `watch` prints with `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ftbench.spec.primitives import Block

if TYPE_CHECKING:
    from ftbench.run.progress import Progress


class RoundOutput(Block):
    """A committed round."""

    round: int
    """Counted from 1."""
    loss: float | None
    """Mean training loss over its clients; null where none replied."""
    validation_loss: float | None
    """Loss on the validation rows; null where the benchmark has none."""
    bytes: int
    """Adapter bytes in both directions, up to and with it."""


class WatchOutput(Block):
    """`ftbench watch`."""

    format: Literal["ftbench/output/watch/v1"] = "ftbench/output/watch/v1"
    """Format of this document."""
    name: str
    """Benchmark, entry and seed."""
    phase: Literal["prepare", "train", "references", "evaluate", "bundle", "done"]
    """What is being done."""
    rounds: int
    """Rounds in all."""
    history: list[RoundOutput]
    """The committed ones."""
    steps_done: int
    """Steps that the clients of the round under way have taken, as far as they tell."""
    steps_asked: int
    """Of how many."""
    answered: int
    """Requests of the evaluation that are answered."""
    asked: int
    """Of how many."""
    seconds: float
    """Since this start of the run began."""
    seconds_left: float | None
    """Estimate for the phase; null while there is nothing to go by."""
    silent_seconds: float
    """Since it last told of itself."""

    @classmethod
    def of(cls, progress: Progress, age: float) -> WatchOutput:
        """What is known of a run."""
        history = [
            RoundOutput(round=one.round, loss=one.loss, validation_loss=one.validation_loss, bytes=one.bytes)
            for one in progress.history
        ]
        return cls(
            name=progress.name,
            phase=progress.phase,
            rounds=progress.rounds,
            history=history,
            steps_done=progress.steps_done,
            steps_asked=progress.steps_asked,
            answered=progress.answered,
            asked=progress.asked,
            seconds=progress.seconds,
            seconds_left=progress.seconds_left,
            silent_seconds=age,
        )
