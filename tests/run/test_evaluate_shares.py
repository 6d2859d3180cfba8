"""Several evaluation workers: the same answers bit for bit, each computed once."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import evaluation_world
import pytest
import torch
from evaluation_world import World

from ftbench.data.store import Store
from ftbench.errors import MissingResource
from ftbench.run.evaluation import model, several
from ftbench.run.evaluation import process as eval_process
from ftbench.run.evaluation.cache import Cache
from ftbench.run.evaluation.evaluate import evaluate_run
from ftbench.run.evaluation.job import Job
from ftbench.run.evaluation.lm import scoring_lm
from ftbench.run.processes.peaks import Peak

PROMPTS = [f"{noun} {'and then ' * (n % 4)}{n}" for n in range(6) for noun in evaluation_world.NOUNS]
SETTINGS = {"until": [], "max_gen_toks": 4, "do_sample": False, "temperature": 0.0}


def quiet(phase: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return evaluation_world.make(tmp_path_factory.mktemp("shares"))


@pytest.fixture
def copies(world: World, tmp_path: Path) -> Iterator[Path]:
    """Two copies of the run, not evaluated."""
    for name in ("one", "two"):
        shutil.copytree(world.run, tmp_path / name)
    yield tmp_path


def lines(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_bytes().splitlines()]


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that workers are processes of their own; here each computes on the CPU all the same."""
    monkeypatch.setattr("ftbench.run.evaluation.evaluate.visible", lambda: ["0", "1"])


def test_processes_answer_as_one_does(world: World, copies: Path) -> None:
    one = evaluate_run(copies / "one", store=world.store, batch_size=8, workers=1, on_progress=quiet)
    two = evaluate_run(copies / "two", store=world.store, batch_size=8, workers=2, on_progress=quiet)
    assert one == two
    written = [sorted(lines(copies / name / "evaluation" / "cache.jsonl")) for name in ("one", "two")]
    assert written[0] == written[1]
    assert not list((copies / "two" / "evaluation").glob("cache-*.jsonl"))


@pytest.mark.slow
@pytest.mark.usefixtures("two_devices")
def test_two_workers_answer_as_one_does(world: World, copies: Path) -> None:
    one = evaluate_run(copies / "one", store=world.store, batch_size=8, workers=1, on_progress=quiet)
    told: list[tuple[str, int, int]] = []
    two = evaluate_run(
        copies / "two", store=world.store, batch_size=8, workers=2, on_progress=lambda *line: told.append(line)
    )
    assert one == two
    for task in one:
        name = f"evaluation/samples/{task}.jsonl.gz"
        assert (copies / "one" / name).read_bytes() == (copies / "two" / name).read_bytes()
    shares = [lines(copies / "two" / "evaluation" / f"cache-{number}.jsonl") for number in (0, 1)]
    assert all(shares)
    assert sorted(shares[0] + shares[1]) == sorted(lines(copies / "one" / "evaluation" / "cache.jsonl"))
    assert lines(copies / "two" / "evaluation" / "cache.jsonl") == []  # the last worker computed nothing
    assert told[-1][1] == told[-1][2]
    # Scored again by one worker: what the shares answered is found.
    assert evaluate_run(copies / "two", store=world.store, batch_size=8, on_progress=quiet) == one
    assert lines(copies / "two" / "evaluation" / "cache.jsonl") == []


@pytest.mark.slow
@pytest.mark.usefixtures("two_devices")
def test_an_error_of_one_share_is_told_and_ends_the_others(world: World, copies: Path) -> None:
    with pytest.raises(MissingResource):
        evaluate_run(copies / "one", store=Store([copies / "empty"]), workers=2, on_progress=quiet)
    (copies / "two" / "adapter" / "adapter_model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(Exception, match="FTB567"):
        evaluate_run(copies / "two", store=world.store, limit=1, workers=2, on_progress=quiet)


def test_shares_divide_generations_too(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    evaluation_world.make_model(tmp_path / "model", Store([tmp_path / "store"]))
    loaded = model.load_base(tmp_path / "model")

    def write(cache: Path, share: tuple[int, int], also: list[Path]) -> list[str]:
        with Cache(cache, also) as opened:
            lm = scoring_lm(
                *loaded, bos=True, batch_size=4, share=share, cache=opened, conditions={}, on_progress=lambda *_: None
            )
            return list(lm.generate_until([SimpleNamespace(args=(prompt, SETTINGS)) for prompt in PROMPTS]))

    whole = write(tmp_path / "whole", (0, 1), [])
    shares = [tmp_path / f"share-{number}" for number in range(3)]
    for number, path in enumerate(shares):
        assert "" in write(path, (number, 3), [])
    assert sum(len(lines(path)) for path in shares) == len(set(PROMPTS))
    assert write(tmp_path / "last", (0, 1), shares) == whole
    assert lines(tmp_path / "last") == []
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seen", "named", "expected"),
    [
        (["A", "B"], None, ["0", "1"]),
        (["A", "B"], "GPU-x,3", ["GPU-x", "3"]),
        ([], None, []),
        (["A"], "5", ["5"]),
    ],
)
def test_each_worker_sees_one_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seen: list[str], named: str | None, expected: list[str]
) -> None:
    monkeypatch.setattr("ftbench.run.engines.devices.found", lambda: seen)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert several.visible() == expected
    asked: list[Any] = []

    class Fake:
        def __init__(self, job: Job, _file: Path, _log: Path, more: dict[str, str]) -> None:
            asked.append((job.share, job.shares, more.get("CUDA_VISIBLE_DEVICES")))

        def follow(self, _told: object) -> Peak:
            return Peak(5, 3)

        def end(self) -> None:
            pass

    monkeypatch.setattr(several, "Worker", Fake)
    job = Job(
        compiled="c", stores=[], model="m", model_digest="0" * 64, phases=[], cache=str(tmp_path / "c"), answers="a"
    )
    assert several.work_shares(job, 3, tmp_path, tmp_path, quiet) == Peak(15, 3)
    turns = [expected[number % len(expected)] if expected else None for number in range(3)]
    assert asked == [(number, 3, turns[number]) for number in range(3)]


def test_a_worker_that_is_killed_in_the_middle_of_a_line_is_told_as_killed() -> None:
    told: list[int] = []
    lines = b'{"event": "progress", "phase": "tuned", "done": 1, "total": 2}\n{"event": "progr'
    process = cast(Any, SimpleNamespace(stdout=io.BytesIO(lines)))
    assert eval_process._follow(process, lambda phase, done, total: told.append(done)) == {}
    assert told == [1]
