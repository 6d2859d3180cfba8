"""What a listener is told and what is printed."""

from __future__ import annotations

import io
import json
from pathlib import Path

from ftbench.run import views
from ftbench.run.progress import Follower, Progress

DIGEST = "0" * 64


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.shown = 0

    def show(self, progress: Progress) -> None:
        self.shown += 1

    def note(self, text: str) -> None:
        self.notes.append(text)


def write(run_dir: Path, *bodies: dict[str, object]) -> None:
    path = run_dir / "ledger.jsonl"
    with path.open("a") as file:
        for body in bodies:
            file.write(json.dumps({"seq": 0, "prev": DIGEST, "body": body}) + "\n")


def round_body(number: int, *, loss: float = 2.0, excluded: int = 0) -> dict[str, object]:
    return {
        "event": "round",
        "round": number,
        "learning_rate": 0.01,
        "sampled": [0, 1],
        "replies": [{"partition": 0, "examples": 4, "steps": 2, "loss": loss, "update": DIGEST}],
        "excluded": [{"partition": 1, "reason": "error", "detail": "boom"}] * excluded,
        "bytes_down": 1000,
        "bytes_up": 500,
        "adapter": DIGEST,
        "strategy_state": None,
        "client_states": {},
    }


STARTED = {
    "event": "started",
    "spec_hash": DIGEST,
    "entry": DIGEST,
    "base_model": DIGEST,
    "seed": 1,
    "clients": 4,
    "rounds": 5,
    "trainable_parameters": 10,
    "adapter": DIGEST,
}


def follower(tmp_path: Path) -> tuple[Follower, Clock, Recorder]:
    clock, recorder = Clock(), Recorder()
    progress = Progress("bench 1.0.0, mine, seed 1", "inline", tmp_path, bytes_budget=2**20)
    return Follower(progress, recorder, clock), clock, recorder


def test_progress_comes_from_the_ledger(tmp_path: Path) -> None:
    follow, clock, recorder = follower(tmp_path)
    follow.phase("train")
    assert not follow.progress.started
    write(tmp_path, STARTED, round_body(1, loss=3.0, excluded=1))
    clock.now += 30
    follow.tick()
    progress = follow.progress
    assert (progress.started, progress.rounds, progress.round, progress.loss) == (True, 5, 1, 3.0)
    assert (progress.bytes_spent, progress.excluded, progress.seconds) == (1500, 1, 30.0)
    assert progress.seconds_left is None  # the first round tells of the start-up, not of the speed
    assert recorder.notes == ["round 1: client 1 left out (error) boom"]
    write(tmp_path, round_body(2))
    clock.now += 10
    follow.tick()
    assert progress.seconds_left == 30.0
    clock.now += 4
    follow.tick()
    assert progress.seconds_left == 26.0


def test_rounds_of_an_earlier_start_count_but_say_nothing_about_speed(tmp_path: Path) -> None:
    write(tmp_path, STARTED, round_body(1), round_body(2))
    follow, _, _ = follower(tmp_path)
    follow.phase("train")
    assert (follow.progress.round, follow.progress.bytes_spent) == (2, 3000)
    assert follow.progress.seconds_left is None


def test_evaluation_says_how_long_it_takes(tmp_path: Path) -> None:
    follow, clock, _ = follower(tmp_path)
    follow.phase("evaluate")
    follow.scored("untuned", 20, 100)  # a resumed evaluation begins with what it had
    assert follow.progress.seconds_left is None
    clock.now += 10
    follow.scored("untuned", 40, 100)
    assert follow.progress.seconds_left == 30.0
    assert views.line(follow.progress) == "evaluating untuned, 40/100, 30 s left"


def test_plain_view_prints_a_line_for_what_changed(tmp_path: Path) -> None:
    stream = io.StringIO()
    view = views.PlainView(stream)
    progress = Progress("bench", "inline", tmp_path, phase="train", rounds=2, bytes_budget=2**20)
    for _ in range(3):
        view.show(progress)
    progress.started, progress.round, progress.loss, progress.bytes_spent = True, 1, 0.5, 2**19
    view.show(progress)
    view.note("a\nforged line \x1b[31m")
    assert stream.getvalue().splitlines() == [
        "[0 s] starting inline",
        "[0 s] training, round 1/2, loss 0.5000, 0.5 of 1.0 MiB (50 %)",
        "a\\nforged line \\x1b[31m",
    ]


def test_no_terminal_means_plain_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    with views.view(stream) as listener:
        assert isinstance(listener, views.PlainView)


def test_the_live_view_draws(tmp_path: Path) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120)
    progress = Progress("bench [red]", "inline", tmp_path, phase="train", started=True, round=1, rounds=4, loss=1.0)
    console.print(views.table(progress))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "bench [red]" in text
    assert "round 1/4" in text


def test_durations_and_sizes() -> None:
    assert [views.duration(s) for s in (0.2, 59.4, 61, 3599, 7620)] == [
        "0 s",
        "59 s",
        "1 min 01 s",
        "59 min 59 s",
        "2 h 07 min",
    ]
    assert [views.size(n) for n in (12, 2048, 3 * 2**20, 2**31)] == ["12 B", "2.0 KiB", "3.0 MiB", "2.0 GiB"]


def test_no_phase_shows_what_the_last_one_had_left(tmp_path: Path) -> None:
    follow, clock, _ = follower(tmp_path)
    write(tmp_path, STARTED)
    follow.phase("train")
    for number in (1, 2, 3, 4, 5):
        clock.now += 10
        write(tmp_path, round_body(number))
        follow.tick()
    # While the app ends, and starts up what scores, nothing is left of the rounds: no time of theirs is told.
    assert follow.progress.seconds_left == 0 and "left" not in views.line(follow.progress)
    assert views.under_way(follow.progress) == "ending the training, whose 5 rounds are committed"
    finished = {"event": "finished", "rounds": 5, "round": 5, "adapter": DIGEST, "bytes_down": 1, "bytes_up": 1}
    write(tmp_path, finished)
    follow.phase("evaluate")
    assert "left" not in views.line(follow.progress)
    follow.scored("untuned", 0, 10)
    clock.now += 10
    follow.scored("untuned", 10, 10)
    assert views.line(follow.progress) == "evaluating untuned, 10/10"
    follow.scored("tuned", 0, 10)
    assert views.line(follow.progress) == "evaluating tuned, 0/10"
