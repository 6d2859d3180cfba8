"""A result bundle to look into: what it claims, without a word on whether that is true. `ftbench.verify` says that."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.api.frames import Rows, frame
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.result import ledger, names, samples
from ftbench.result.documents import LedgerLine, Result, Round, Sample
from ftbench.result.opening import open_bundle
from ftbench.result.safejson import parse_model


class Bundle:
    """One bundle, opened without trusting it: nothing of it is imported, unpickled or written anywhere.

    `scores`, `samples` and `rounds` are pandas DataFrames where pandas is installed, else lists of dicts.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a folder or an archive. Raises InvalidInput where there is no bundle, or it cannot be read."""
        self.path = Path(path)
        self._opened = open_bundle(self.path)
        if self._opened.problems:
            raise InvalidInput(
                [Diagnostic(codes.NO_BUNDLE, str(one), Place(str(self.path))) for one in self._opened.problems]
            )

    def _file(self, name: str) -> bytes:
        found = self._opened.files.get(name)
        if found is None:
            raise InvalidInput(Diagnostic(codes.NO_BUNDLE, f"the bundle lacks `{name}`", Place(str(self.path))))
        return found

    @cached_property
    def result(self) -> Result:
        """`result.json`. Raises InvalidInput."""
        return parse_model(self._file(names.RESULT), Result, names.RESULT)

    @cached_property
    def ledger(self) -> list[LedgerLine]:
        """Every line of the run's record. Raises InvalidInput."""
        return ledger.parse(self._file(names.LEDGER), names.LEDGER)

    @property
    def tasks(self) -> list[str]:
        """Names of the test sets."""
        return list(self.result.scores.tasks)

    @property
    def scores(self) -> Any:
        """A row for each task, scoring and model: `task`, `scoring`, `ranks`, `model`, `correct`, `items`, `value`,
        `low`, `high`, `unparsable`."""
        return frame(list(self._scores()))

    def _scores(self) -> Iterator[dict[str, Any]]:
        for task, found in self.result.scores.tasks.items():
            for scoring, one in {found.scoring: found, **found.also}.items():
                models = {"untuned": one.untuned, "tuned": one.tuned}
                models |= found.references if scoring == found.scoring else {}
                for model, score in models.items():
                    yield {
                        "task": task,
                        "scoring": scoring,
                        "ranks": scoring == found.scoring,
                        "model": model,
                        "correct": score.correct,
                        "items": score.items,
                        "value": score.value,
                        "low": score.interval.low,
                        "high": score.interval.high,
                        "unparsable": score.unparsable,
                    }

    def items(self, task: str) -> list[Sample]:
        """The answers to one test set, item by item. Raises InvalidInput for a task that the bundle has not."""
        if task not in self.result.scores.tasks:
            hint = did_you_mean(task, self.tasks) or f"its tasks: {', '.join(self.tasks)}"
            raise InvalidInput(
                Diagnostic(codes.NO_TASK, f"the bundle has no task `{task}`", Place(str(self.path)), hint)
            )
        name = names.samples_name(task)
        return samples.parse(self._file(name), name)

    def samples(self, task: str) -> Any:
        """A row for each item and model: `index`, `prompt`, `options`, `target`, `model`, `choice`, `text`, `passed`.

        `choice`: index of the option with the highest log-likelihood. A text that may not be passed on is None.
        """
        return frame([row for sample in self.items(task) for row in _answers(sample)])

    @property
    def rounds(self) -> Any:
        """A row for each committed round of the ledger: `round`, `learning_rate`, `loss`, `clients`, `excluded`,
        `bytes` of both directions, `validation_loss`."""
        return frame([_round(line.body) for line in self.ledger if isinstance(line.body, Round)])


def _answers(sample: Sample) -> Rows:
    plain = isinstance(sample.prompt, str)
    rows = []
    for model, answer in {"untuned": sample.untuned, "tuned": sample.tuned, **sample.references}.items():
        likely = answer.loglikelihoods
        rows.append(
            {
                "index": sample.index,
                "prompt": sample.prompt if plain else None,
                "options": [one if isinstance(one, str) else None for one in sample.options],
                "target": sample.target,
                "model": model,
                "choice": None if not likely else max(range(len(likely)), key=likely.__getitem__),
                "text": answer.text,
                "passed": answer.passed,
            }
        )
    return rows


def _round(body: Round) -> dict[str, Any]:
    losses = [reply.loss for reply in body.replies]
    return {
        "round": body.round,
        "learning_rate": body.learning_rate,
        "loss": sum(losses) / len(losses) if losses else None,
        "clients": len(body.replies),
        "excluded": len(body.excluded),
        "bytes": body.bytes_down + body.bytes_up,
        "validation_loss": body.validation_loss,
    }
