"""`ftbench sweep --select validation`: the same number of trials for each setting, the test set read for the best."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import runner_world
from runner_world import World

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.compile.compiler import compile_spec
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed
from ftbench.result.documents import Result
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec

Captured = pytest.CaptureFixture[str]
SPEC = "micro/strategies-iid"
ASKED = (
    *("sweep", SPEC, "--vary", "strategy.kind=fedavg,fedprox", "--out", "out"),
    *("--tune", "training.schedule.learning_rate=0.005,0.01,0.02", "--tune", "strategy.mu=0.1,1"),
    *("--select", "validation", "--trials", "3", "--seeds", "2"),
)
RATE = "training.schedule.learning_rate"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The higher the learning rate, the less the validation loss."""
    path = builtin.specs()[SPEC]
    compiled = compile_spec(load_spec(path).spec, load_pins(path))
    made = World(tmp_path, compiled, resolve_entry(compiled.plan.typed_spec(), None))
    made.put_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    plain, train, rate = runner_world.round_line, made.engine.train, [1.0]

    def trained(job: Any, on_tick: Callable[[], None]) -> None:
        rate[0] = float(job.run_config[RATE])
        train(job, on_tick)

    monkeypatch.setattr(
        runner_world, "round_line", lambda number: plain(number) | {"validation_loss": 0.001 / rate[0] / number}
    )
    made.engine.train = trained  # type: ignore[method-assign]
    return made


def results() -> dict[str, Result]:
    return {
        path.parent.parent.name: Result.model_validate_json(path.read_bytes())
        for path in sorted(Path("out").glob("*/bundle/result.json"))
    }


def test_the_winner_alone_is_scored(world: World, capsys: Captured) -> None:
    assert run([*ASKED]) == 0, capsys.readouterr().err
    document = json.loads(Path("out/sweep.json").read_bytes())
    assert len(document["trials"]) == 6 and [one["chosen"] for one in document["trials"]].count(True) == 2
    assert len(world.evaluations) == 4  # two winners, two seeds
    assert len(world.engine.jobs) == 6 + 2  # the winners' first seeds go on from their trials
    bundles = results()
    assert len(bundles) == 4
    for one in bundles.values():
        assert one.selection is not None and one.selection.trials == 3 == len(one.selection.losses)
        assert one.selection.tuned == [RATE, "strategy.mu"] and one.selection.seed == 1
    rates = [row["values"][RATE] for row in document["rows"]]
    for trials, rate in zip((document["trials"][:3], document["trials"][3:]), rates, strict=True):
        assert min(one["loss"] for one in trials) == 0.001 / rate / 2
    assert [row["trials"] for row in document["rows"]] == [3, 3]
    table = Path("out/table.md").read_text()
    assert "the best of 3 trials a setting by loss on the validation cut; `least`, `greatest`: of the values" in table
    # The loss falls with the rate: more of it might be better still, and whoever reads the table is told.
    assert [row["ends"][RATE] for row in document["rows"]] == ["greatest", "greatest"]
    assert f"`{rates[0]} (greatest)`" in table
    assert "that was tried; a better one may lie beyond" in capsys.readouterr().err


def test_given_again_it_does_nothing_twice(world: World) -> None:
    assert run([*ASKED]) == 0
    jobs, table = len(world.engine.jobs), Path("out/table.md").read_bytes()
    assert run([*ASKED]) == 0
    assert len(world.engine.jobs) == jobs and Path("out/table.md").read_bytes() == table


def test_a_failed_trial_counts_and_cannot_win(world: World, capsys: Captured) -> None:
    train = world.engine.train

    def wrapped(job: Any, on_tick: Callable[[], None]) -> None:
        if job.run_config[RATE] == 0.02:
            raise RunFailed(Diagnostic("FTB525", "it diverged"))
        train(job, on_tick)

    world.engine.train = wrapped  # type: ignore[method-assign]
    assert run([*ASKED]) == 0, capsys.readouterr().err
    for one in results().values():
        assert one.selection is not None and one.selection.trials == 3
    document = json.loads(Path("out/sweep.json").read_bytes())
    assert all(row["values"][RATE] != 0.02 for row in document["rows"])
    assert {one["code"] for one in document["trials"] if one["loss"] is None} == {"FTB525"}


def test_every_setting_has_the_same_number_or_nothing_begins(world: World, capsys: Captured) -> None:
    assert run([*ASKED[:-3], "4", "--seeds", "1"]) == 3
    shown = capsys.readouterr().err
    assert "FTB918" in shown and "strategy.kind=fedavg has 3 candidates" in shown
    assert not Path("out").exists()


def test_without_a_validation_cut_it_is_refused(world: World, capsys: Captured) -> None:
    asked = ("sweep", "quickstart", "--vary", "adapter.rank=2,4", "--tune", "adapter.alpha=2,4")
    assert run([*asked, "--select", "validation", "--trials", "2"]) == 3
    assert "sets no validation rows aside" in capsys.readouterr().err
    assert run([*asked]) == 2


def test_a_dry_run_lists_trials(world: World, capsys: Captured) -> None:
    assert run([*ASKED, "--dry-run"]) == 0
    assert capsys.readouterr().out.count("to-do") == 6
    assert not Path("out").exists()


def test_a_dry_run_answers_with_its_trials(world: World, capsys: Captured) -> None:
    assert run([*ASKED, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["trials"]) == 6 and told["runs"] == [] and {one["loss"] for one in told["trials"]} == {None}


def test_one_run_alone_waits_for_the_trials_and_knows_the_winners(world: World, capsys: Captured) -> None:
    """Processes that carry out single runs must see the same winners, so none of them makes a trial."""
    for more in (("--cell", "1"), ("--emit", "slurm")):
        assert run([*ASKED, *more]) == 3
        assert "FTB918" in (told := capsys.readouterr().err) and "have not begun" in told
    assert results() == {}
    assert run(list(ASKED)) == 0
    capsys.readouterr()
    assert run([*ASKED, "--cell", "4"]) == 0 and len(results()) == 4
    capsys.readouterr()
    assert run([*ASKED, "--cell", "5"]) == 2
    assert "the sweep has 4 runs" in capsys.readouterr().err


def test_a_file_of_several_specs_has_no_one_object(world: World, capsys: Captured) -> None:
    assert run(["sweep", "paper/strategies", "--json"]) == 2
    assert "sweep.json" in capsys.readouterr().err
