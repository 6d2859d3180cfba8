"""Who looks at a run from outside sees what the run tells; who logs it gets every round once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftbench.errors import InvalidInput, MissingResource
from ftbench.run import loggers, views
from ftbench.run.progress import Progress, Seen, Silent
from ftbench.run.progress_file import NAME, Keeping, Watched
from ftbench.spec.canonical import canonical

DIGEST = "0" * 64
DOING = "2 of 4 clients train"


def seen(number: int, loss: float | None = 1.0) -> Seen:
    return Seen(number, loss, None, 0.01, 100 * number, 0)


def body(number: int, losses: list[float]) -> bytes:
    reply = {"examples": 1, "steps": 1, "update": DIGEST, "used": 1}
    replies = [{**reply, "partition": place, "loss": loss} for place, loss in enumerate(losses)]
    told = {"event": "round", "round": number, "learning_rate": 0.5, "sampled": [0], "replies": replies, "excluded": []}
    told |= {"bytes_down": 60, "bytes_up": 40, "adapter": DIGEST, "strategy_state": None, "client_states": {}}
    return canonical({"seq": number, "prev": DIGEST, "body": told}) + b"\n"


def test_a_run_is_seen_from_outside(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        Watched(tmp_path)
    assert refused.value.diagnostics[0].code == "FTB501"
    now = [0.0]
    keeping = Keeping(Silent(), lambda: now[0])
    progress = Progress("bench", "inline", tmp_path, phase="train", rounds=3, started=True, doing=DOING)
    keeping.show(progress)
    watched = Watched(tmp_path)
    assert watched.read()[0].doing == "2 of 4 clients train"
    (tmp_path / "ledger.jsonl").write_bytes(body(1, [2.0, 4.0]) + body(2, [1.0]))
    progress.round = 2
    now[0] += 0.5
    keeping.show(progress)
    assert watched.read()[0].round == 0, "not more often than once a second"
    now[0] += 0.6
    keeping.show(progress)
    found, age = watched.read()
    assert (found.round, age < 60) == (2, True)
    assert [(one.round, one.loss, one.bytes) for one in found.history] == [(1, 3.0, 100), (2, 1.0, 200)]
    progress.phase = "evaluate"
    keeping.show(progress)
    assert watched.read()[0].phase == "evaluate", "a new phase is told at once"
    os.utime(tmp_path / NAME, (0, 0))
    assert watched.read()[1] > 1e6


def test_what_is_no_progress_is_refused(tmp_path: Path) -> None:
    for text in ("", "[]", json.dumps({"name": "x", "unknown": 1})):
        (tmp_path / NAME).write_text(text)
        with pytest.raises(InvalidInput):
            Watched(tmp_path)


def test_a_curve_in_a_terminal(tmp_path: Path) -> None:
    progress = Progress("bench", "inline", tmp_path, phase="train", started=True, rounds=4, round=1)
    assert views.curve(progress) == ""
    progress.history = [seen(1, 2.0), seen(2, None), seen(3, 1.0), seen(4, 1.5)]
    assert views.curve(progress) == "loss 2 █▁▅ 1.5"
    progress.history = [seen(number, 1.0) for number in range(100)]
    assert views.curve(progress) == f"loss 1 {'▁' * views.CURVE} 1"


def test_a_round_that_takes_long_is_told_again(tmp_path: Path) -> None:
    import io

    stream = io.StringIO()
    view = views.PlainView(stream)
    progress = Progress("bench", "inline", tmp_path, phase="train", started=True, rounds=2, doing=DOING)
    for second in range(0, 40, 2):
        progress.seconds = progress.round_seconds = float(second)
        view.show(progress)
    assert stream.getvalue().splitlines() == [
        "[0 s] training, round 1/2 under way, 2 of 4 clients train, once they have loaded the model",
        "[16 s] still in round 1/2 for 16 s: 2 of 4 clients train, once they have loaded the model",
        "[32 s] still in round 1/2 for 32 s: 2 of 4 clients train, once they have loaded the model",
    ]


class Kept:
    def __init__(self) -> None:
        self.steps: list[tuple[int, Mapping[str, float]]] = []
        self.closed = False

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self.steps.append((step, figures))

    def close(self) -> None:
        self.closed = True


def test_every_round_is_logged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    monkeypatch.setattr(loggers, "check", lambda tool: None)
    monkeypatch.setattr(loggers, "_sink", lambda *args: kept)
    logging = loggers.Logging(Silent(), "tensorboard")
    progress = Progress("bench", "inline", tmp_path)
    logging.show(progress)
    progress.history = [seen(1), seen(2, None)]
    logging.show(progress)
    logging.show(progress)
    logging.close()
    assert [step for step, _ in kept.steps] == [1, 2] and kept.closed
    first = {"train/learning_rate": 0.01, "traffic/bytes": 100, "clients/left_out": 0, "train/loss": 1.0}
    assert kept.steps[0][1] == first
    assert "train/loss" not in kept.steps[1][1]


def test_a_tool_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingResource) as refused:
        loggers.Logging(Silent(), "wandb")
    assert "ftbench[wandb]" in refused.value.diagnostics[0].hint


def test_the_command_says_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ftbench.cli.main import run

    assert run(["watch", str(tmp_path)]) == 3
    capsys.readouterr()
    progress = Progress("bench", "inline", tmp_path, phase="train", rounds=3, round=1, started=True, doing=DOING)
    Keeping(Silent()).show(progress)
    (tmp_path / "ledger.jsonl").write_bytes(body(1, [2.0]))
    assert run(["watch", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["phase"], told["rounds"], told["history"][0]["loss"]) == ("train", 3, 2.0)
    os.utime(tmp_path / NAME, (0, 0))
    assert run(["watch", str(tmp_path), "--once"]) == 0
    assert "ftbench run --resume" in capsys.readouterr().out
    progress.phase = "done"
    Keeping(Silent()).show(progress)
    assert run(["watch", str(tmp_path)]) == 0
    assert "report.html" in capsys.readouterr().err
