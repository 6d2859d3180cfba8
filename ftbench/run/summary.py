"""What a run ends with: the figures, where the bundle lies, and the command that verifies it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from ftbench.diagnostics import printable
from ftbench.result.documents import Cost, Result, Score, Scores, TaskScores
from ftbench.result.exposure import exposed
from ftbench.result.options import is_constant, is_constant_mean
from ftbench.result.references import LOCAL
from ftbench.run.views import duration, size
from ftbench.spec.budgets import WITHIN, plain, within_name


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A run that came to its end."""

    run_dir: Path
    bundle: Path | None
    """The bundle's folder."""
    result: Result
    spec: str = ""
    """How the spec was named, where that is known: a draft is verified against it."""

    @property
    def scores(self) -> Scores:
        """All scores."""
        return self.result.scores

    @property
    def cost(self) -> Cost:
        """Bytes, time, memory."""
        return self.result.cost

    @property
    def verify_command(self) -> str:
        """The command that verifies the bundle; empty where there is none to verify."""
        if self.bundle is None:
            return ""
        words = ["ftbench", "verify", _short(self.bundle)]
        if self.spec and Path(self.spec).is_dir():  # a compiled benchmark: ROOT/NAME/VERSION
            words += ["--benchmarks", _short(Path(self.spec).absolute().parent.parent)]
        elif self.spec:
            words += ["--spec", _short(Path(self.spec)) if Path(self.spec).is_absolute() else self.spec]
        return shlex.join(words)


def rows(outcome: RunOutcome) -> list[tuple[str, str]]:
    """The end summary: what, and its value in words."""
    result, scores, cost = outcome.result, outcome.scores, outcome.cost
    found = [("benchmark", f"{result.name} {result.version} ({result.spec_hash[:12]})")]
    found += [("model", f"{result.model.name}, seed {result.seed}")]
    if len(scores.tasks) > 1:
        found.append(("mean", f"{_percent(scores.untuned.value)} → {_percent(scores.tuned.value)} {_gain(scores)}"))
    for name, task in scores.tasks.items():
        found += task_rows(name, task)
    found += _elsewhere(scores)
    found += _references(scores)
    if scores.robustness is not None:
        against = scores.robustness
        change = _signed(against.value, against.interval.low, against.interval.high)
        found.append(("under faults", f"{change} against the same run without"))
    if scores.exposure is not None:
        found.append(("canaries", exposed(scores.exposure)))
    if result.checkpoint_round != cost.rounds:
        found.append(("round", f"{result.checkpoint_round} of {cost.rounds}, chosen on the validation rows"))
    found += _budgets(result)
    if cost.rows_held is not None and cost.rows_used is not None:
        rest = cost.rows_held - cost.rows_used
        why = f"; {rest:,} taught nothing: logs/ says which, and why" if rest else ""
        found.append(("rows", f"{cost.rows_used:,} of {cost.rows_held:,} learnt from{why}"))
    both = f"{size(cost.bytes_down)} down and {size(cost.bytes_up)} up"
    found.append(
        ("communication", f"{size(cost.bytes_down + cost.bytes_up)} in {_count(cost.rounds, 'round')}: {both}")
    )
    found.append(("peak memory", size(cost.peak_memory_bytes) if cost.peak_memory_bytes else "not measured"))
    if cost.peak_device_bytes:
        found.append(("peak device memory", size(cost.peak_device_bytes)))
    compared = "" if cost.references_seconds is None else f"{_time(cost.references_seconds)} references, "
    times = f"{_time(cost.train_seconds)} training, {compared}{_time(cost.evaluate_seconds)} evaluation"
    found.append(("time", times))
    if (privacy := result.privacy) is not None:
        told = f"epsilon {privacy.epsilon:.3g} of {privacy.limit:g} spent at delta {privacy.delta:g}, {privacy.kind}"
        found.append(("privacy", told + "; against those who do not know the seed"))
    if result.exclusions:
        found.append(("left out", f"{_count(result.exclusions, 'client')}, summed over rounds"))
    if result.planned_exclusions:
        found.append(("struck", f"{_count(result.planned_exclusions, 'client')} left out by the spec's faults"))
    found.append(("adapter", result.adapter))
    found += [("note", text) for text in _notes(result)]
    if outcome.bundle is not None:
        found.append(("bundle", _short(outcome.bundle)))
        if not result.smoke:
            found.append(("verify with", outcome.verify_command))
    return found


def task_rows(name: str, task: TaskScores) -> list[tuple[str, str]]:
    """One task: its scores, what options they are made of, and whether a constant answer gets as much."""
    change = _signed(task.difference.value, task.difference.interval.low, task.difference.interval.high)
    best, constant = task.majority, is_constant(task.tuned, task.majority)
    shown = f"difference {change}: no gain, see constant" if constant else change
    found = [(name, f"{_score(task.untuned)} → {_score(task.tuned)}, {shown}")]
    before, after = task.untuned.options, task.tuned.options
    if before and after:
        chosen = ", ".join(f"{r} of {c}" for r, c in zip(after.right, after.chosen, strict=True))
        means = f"macro-F1 {_percent(before.macro_f1)} → {_percent(after.macro_f1)}"
        means += f", balanced accuracy {_percent(before.balanced)} → {_percent(after.balanced)}"
        found.append(("  options", f"{means}; right of chosen: {chosen}"))
    if best is not None:
        said = f"option {best.option + 1}" if best.text is None else f"“{printable(best.text)}”"
        mark = "; the tuned model is not above it" if constant else ""
        found.append(("  constant", f"always {said} gets {_percent(best.value)}{mark}"))
    for scoring, other in task.also.items():
        silent = f", {other.tuned.unparsable} unparsable" if other.tuned.unparsable else ""
        silent += ", not above the constant" if is_constant(other.tuned, best) else ""
        found.append((f"  {scoring}", f"{_percent(other.untuned.value)} → {_percent(other.tuned.value)}{silent}"))
    if task.written is not None and task.written.option is None:
        times = f"{task.written.count} of {task.untuned.items} items"
        told = f"untuned most often “{printable(task.written.text)}” ({times}), which is no option letter for letter"
        found.append(("  written", f"{told}: part of a difference may be form"))
    return found


def _notes(result: Result) -> list[str]:
    """What a reader must know beside the figures."""
    found = []
    if not result.bit_reproducible:
        found.append("trained on an accelerator: not bit-reproducible")
    if result.smoke:
        found.append("a smoke run: it shows that everything works; its result cannot be submitted")
    if result.sandbox == "none":
        found.append("programs were run without a sandbox; the result says so")
    if (one := result.selection) is not None:
        found.append(f"chosen as the best of {one.trials} trials by loss on the validation cut, seed {one.seed}")
    if result.unpinned:
        found.append("other package versions than the plan's: the result will not pass CONFORMS")
    return found


def _elsewhere(scores: Scores) -> list[tuple[str, str]]:
    """Another domain's tasks, a line each."""
    found = []
    for domain, one in scores.also.items():
        change = one.difference
        told = f"{_percent(one.untuned.value)} → {_percent(one.tuned.value)}, "
        told += _signed(change.value, change.interval.low, change.interval.high)
        found.append((f"in {domain}", f"{told}; unranked"))
    return found


def _references(scores: Scores) -> list[tuple[str, str]]:
    """Local-only models as one line: their number may be large."""
    found = [
        (name, f"{_percent(mean.value)} [{_percent(mean.interval.low)}, {_percent(mean.interval.high)}]")
        for name, mean in scores.references.items()
        if not name.startswith((LOCAL, WITHIN))
    ]
    if scores.local is not None:
        one = scores.local
        apart = f"{_percent(one.least)} to {_percent(one.most)}, standard deviation {100 * one.deviation:.1f} points"
        found.append(("local only", f"{_percent(one.mean)} over {_count(one.models, 'client')}, {apart}"))
    return found


def _budgets(result: Result) -> list[tuple[str, str]]:
    """Scores within smaller budgets, and what the target cost."""
    found = []
    for one in result.within:
        score = result.scores.references[within_name(one.communication_mib)]
        at = f"round {one.round}, {size(one.bytes)} sent" if one.round else "not even the first round fits: untuned"
        shown = f"{_percent(score.value)} [{_percent(score.interval.low)}, {_percent(score.interval.high)}]"
        found.append((f"within {plain(one.communication_mib)} MiB", f"{shown}, {at}"))
    if (target := result.cost_to_target) is not None:
        loss = f"validation loss {target.validation_loss:g}"
        if target.round is None or target.bytes is None:
            found.append(("to target", f"{loss} was not reached"))
        else:
            times = [] if target.seconds is None else [duration(target.seconds)]
            if target.simulated_seconds is not None:
                times.append(f"{duration(target.simulated_seconds)} simulated")
            cost = ", ".join([size(target.bytes), *times])
            found.append(("to target", f"{loss} reached in round {target.round}, after {cost}"))
    return found


def as_json(outcome: RunOutcome) -> dict[str, object]:
    """The same for machines: the result as it stands in the bundle, and where things lie."""
    return {
        "run_dir": str(outcome.run_dir),
        "bundle": None if outcome.bundle is None else str(outcome.bundle),
        "verify": outcome.verify_command or None,
        "result": outcome.result.model_dump(mode="json"),
    }


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _score(score: Score) -> str:
    low, high = _percent(score.interval.low), _percent(score.interval.high)
    return f"{_percent(score.value)} [{low}, {high}]"


def _gain(scores: Scores) -> str:
    interval = scores.difference.interval
    change = _signed(scores.difference.value, interval.low, interval.high)
    if is_constant_mean(scores):
        return f"(difference {change}: no gain, constant answers get {_percent(scores.majority or 0.0)})"
    return f"({change})"


def _signed(value: float, low: float, high: float) -> str:
    return f"{100 * value:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _time(seconds: float | None) -> str:
    return "unmeasured" if seconds is None else duration(seconds)


def _short(path: Path) -> str:
    """The path as seen from here, if it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
