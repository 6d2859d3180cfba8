"""A run's curve in tools of others: TensorBoard and Weights & Biases, through their own packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.result.documents import Result
from ftbench.run.progress import Listener, Progress, Seen

Tool = Literal["tensorboard", "wandb"]
TOOLS: tuple[Tool, ...] = ("tensorboard", "wandb")
PROJECT = "ftbench"
"""Project in Weights & Biases, where WANDB_PROJECT names none."""


class Sink(Protocol):
    """Where figures go."""

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Figures by name, at a round."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class Logging:
    """Passes on what a run tells, and sends each round, once, to a tool."""

    def __init__(self, listener: Listener, tool: Tool) -> None:
        """Raises MissingResource (FTB904) where the tool's package is not installed."""
        check(tool)
        self._listener = listener
        self._tool = tool
        self._sink: Sink | None = None
        self._sent = 0

    def show(self, progress: Progress) -> None:
        """Send what is new, and pass it on."""
        for one in progress.history[self._sent :]:
            if self._sink is None:
                self._sink = _sink(self._tool, progress.run_dir, progress.name)
            self._sink.log(figures_of(one), one.round)
            self._sent += 1
        self._listener.show(progress)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._listener.note(text)

    def finished(self, result: Result) -> None:
        """Send the scores, at the round that they are of."""
        if self._sink is not None:
            self._sink.log(scores_of(result), result.checkpoint_round)

    def close(self) -> None:
        """Nothing more will come, whether the run is done or was stopped."""
        if self._sink is not None:
            self._sink.close()


def figures_of(seen: Seen) -> dict[str, float]:
    """A round's figures by the names that they get."""
    found = {"train/learning_rate": seen.learning_rate, "traffic/bytes": seen.bytes, "clients/left_out": seen.excluded}
    found |= {} if seen.loss is None else {"train/loss": seen.loss}
    return found if seen.validation_loss is None else {**found, "validation/loss": seen.validation_loss}


def scores_of(result: Result) -> dict[str, float]:
    """A result's scores by the names that they get."""
    scores = result.scores
    found = {"score/tuned": scores.tuned.value, "score/untuned": scores.untuned.value}
    for name, task in scores.tasks.items():
        found |= {f"score/{name}/tuned": task.tuned.value, f"score/{name}/untuned": task.untuned.value}
    return found


def check(tool: Tool) -> None:
    """Raises MissingResource (FTB904) where a tool's package is not installed."""
    from importlib.util import find_spec

    if find_spec(tool) is None:
        message = f"the package `{tool}` is not installed"
        raise MissingResource(Diagnostic(codes.NO_PACKAGE, message, hint=f"pip install 'ftbench[{tool}]'"))


def _sink(tool: Tool, run_dir: Path, name: str) -> Sink:
    return _TensorBoard(run_dir) if tool == "tensorboard" else _Wandb(run_dir, name)


class _TensorBoard:
    """Event files in `tensorboard/` of the run's folder."""

    def __init__(self, run_dir: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(log_dir=str(run_dir / "tensorboard"))

    def log(self, figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    """A run of the project that WANDB_PROJECT names; where it goes is Weights & Biases' own setting (WANDB_MODE)."""

    def __init__(self, run_dir: Path, name: str) -> None:
        import os

        import wandb

        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=name, dir=str(run_dir), config={"run": run_dir.name}
        )

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self._run.log({**figures, "round": step})

    def close(self) -> None:
        self._run.finish()
