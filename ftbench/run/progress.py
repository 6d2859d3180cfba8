"""How far a run is: what a listener is told, and the follower that reads it from the run's files."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ftbench.compile.plan import Plan
from ftbench.result.budgets import MIB
from ftbench.result.documents import LedgerLine, Round, Started, Stopped
from ftbench.run.processes.tail import LedgerTail, StepTail
from ftbench.run.reference_progress import ReferenceTails

STEPS = "steps.jsonl"
"""What the app's clients write of their steps (`app/step_log.py`)."""
SMOKE_ITEMS = 8
"""Items of each task that a smoke run answers."""
SMOKE_STEPS = 2
"""Steps that a client takes in a smoke run."""

Phase = Literal["prepare", "train", "references", "evaluate", "bundle", "done"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A committed round, for a curve."""

    round: int
    loss: float | None
    """Mean training loss over its clients; None where none replied."""
    validation_loss: float | None
    learning_rate: float
    bytes: int
    """Adapter bytes in both directions, up to and with it."""
    excluded: int
    """Clients left out of it."""


@dataclass(slots=True)
class Progress:
    """One run at one moment."""

    name: str
    """Benchmark and version, entry, seed."""
    engine: str
    run_dir: Path
    phase: Phase = "prepare"
    rounds: int = 0
    """Rounds in all."""
    round: int = 0
    """Last committed round."""
    loss: float | None = None
    """Mean training loss of the last committed round, over its clients."""
    history: list[Seen] = field(default_factory=list)
    """Every committed round."""
    doing: str = ""
    """What a round asks for, in words."""
    steps_done: int = 0
    """Steps that the clients of the round under way have taken, as far as they tell."""
    steps_asked: int = 0
    """Steps of all its clients together."""
    round_seconds: float = 0.0
    """For how long the round that is under way has lasted."""
    bytes_spent: int = 0
    """Adapter bytes in both directions so far."""
    bytes_budget: int = 0
    excluded: int = 0
    """Clients left out so far."""
    waiting: str = ""
    """What is being started and what is waited for, until the app has begun."""
    started: bool = False
    """Whether the app has begun (before that the engine starts up)."""
    seconds: float = 0.0
    """Since this start of the run began."""
    seconds_left: float | None = None
    """Estimate for the phase, None while there is nothing to go by."""
    reference: str = ""
    """Which reference is being trained."""
    references: int = 0
    """How many references are trained in all."""
    references_done: int = 0
    """How many of them are whole."""
    reference_round: int = 0
    """Last committed round of the one that is being trained."""
    scoring: str = ""
    """Which model is being scored."""
    answered: int = 0
    asked: int = 0
    """Requests of the evaluation, answered and in all."""


class Listener(Protocol):
    """Who wants to know."""

    def show(self, progress: Progress) -> None:
        """Called several times a second, always with the same object."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line of its own."""
        ...


class Silent:
    """A listener that does nothing."""

    def show(self, progress: Progress) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Follower:
    """Keeps a Progress up to date from the ledger and from the evaluation's calls."""

    def __init__(self, progress: Progress, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self.progress = progress
        self._listener = listener
        self._clock = clock
        self._ledger = LedgerTail(progress.run_dir / "ledger.jsonl")
        self._steps = StepTail(progress.run_dir / STEPS)
        self._began = clock()
        self._round_times: list[float] = []
        self._round_began = clock()
        self._scoring_began = (0, clock())
        self._references: ReferenceTails | None = None
        for line in self._ledger.read():  # an earlier start's rounds say nothing about this one's speed
            self._take(line)

    def say(self, text: str) -> None:
        """Tell at once what is being started and waited for."""
        self.progress.waiting = text
        self.tick()

    def phase(self, phase: Phase) -> None:
        """Enter the next phase."""
        self.progress.phase = phase
        self.progress.seconds_left = None
        self._round_began = self._clock()
        self.tick()

    def references(self, names: Sequence[str]) -> None:
        """Enter the phase in which these references are trained; rounds of an earlier start are taken in at once."""
        self._references = ReferenceTails(self.progress.run_dir, names)
        self._references.read()
        self._round_times = []
        self.phase("references")

    def tick(self) -> None:
        """Read what is new and tell the listener."""
        progress, now = self.progress, self._clock()
        for line in self._ledger.read():
            if self._take(line):
                self._round_times.append(now)
            self._round_began = now
        progress.seconds = now - self._began
        progress.round_seconds = now - self._round_began
        progress.steps_done = self._steps.read(progress.round + 1)
        if progress.phase == "train":
            progress.seconds_left = self._left(now, progress.rounds - progress.round)
        elif progress.phase == "references" and self._references is not None:
            self._take_references(self._references, now)
        self._listener.show(progress)

    def scored(self, phase: str, done: int, total: int) -> None:
        """`evaluate_run`'s progress."""
        progress, now = self.progress, self._clock()
        if phase != progress.scoring:
            self._scoring_began = (done, now)
            progress.seconds_left = None  # the last model's "0 s left" says nothing of this one
        progress.scoring, progress.answered, progress.asked = phase, done, total
        first, began = self._scoring_began
        if done > first:
            progress.seconds_left = (now - began) / (done - first) * (total - done)
        self.tick()

    def _take_references(self, tails: ReferenceTails, now: float) -> None:
        progress = self.progress
        if tails.read():
            self._round_times.append(now)
        progress.reference, progress.references = tails.name, len(tails.names)
        progress.references_done, progress.reference_round = tails.at, tails.round
        rounds = tails.rounds or progress.rounds
        progress.seconds_left = self._left(now, len(tails.names) * rounds - tails.committed)

    def _left(self, now: float, to_go: int) -> float | None:
        """Mean time of this start's rounds, the first left out because engines warm up in it, times rounds to go."""
        times = self._round_times
        if len(times) < 2:
            return None
        mean = (times[-1] - times[0]) / (len(times) - 1)
        return max(0.0, mean * to_go - (now - times[-1]))

    def _take(self, line: LedgerLine) -> bool:
        """Take one event in; whether it was a committed round."""
        progress, body = self.progress, line.body
        if isinstance(body, Started):
            progress.rounds, progress.started = body.rounds, True
        elif isinstance(body, Round):
            progress.round = body.round
            progress.loss = sum(reply.loss for reply in body.replies) / len(body.replies) if body.replies else None
            progress.bytes_spent += body.bytes_down + body.bytes_up
            progress.excluded += len(body.excluded)
            progress.history.append(
                Seen(
                    round=body.round,
                    loss=progress.loss,
                    validation_loss=body.validation_loss,
                    learning_rate=body.learning_rate,
                    bytes=progress.bytes_spent,
                    excluded=len(body.excluded),
                )
            )
            for one in body.excluded:
                self._listener.note(f"round {body.round}: client {one.partition} left out ({one.reason}) {one.detail}")
            return True
        elif isinstance(body, Stopped):
            self._listener.note(f"stopped in round {body.round}: {body.reason} {body.detail}".rstrip())
        return False


def begin(plan: Plan, entry: str, seed: int, engine: str, run_dir: Path, *, smoke: bool) -> Progress:
    """The Progress of a run that is about to begin or to go on."""
    spec = plan.typed_spec()
    asked = max(1, math.floor(spec.federation.sampling.fraction * spec.federation.clients + 0.5))
    steps = SMOKE_STEPS if smoke else spec.training.local_steps
    doing = f"{asked} of {spec.federation.clients} clients train {steps} step{'s' * (steps != 1)} each"
    return Progress(
        name=f"{plan.metadata.name} {plan.metadata.version}, {entry}, seed {seed}",
        engine=engine,
        run_dir=run_dir,
        rounds=1 if smoke else spec.federation.rounds,
        doing=doing,
        steps_asked=asked * steps,
        bytes_budget=int(spec.budget.communication_mib * MIB),
    )
