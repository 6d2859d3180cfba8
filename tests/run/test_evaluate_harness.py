"""The compiled tasks through lm-eval's own model, without any of ours: the same accuracy comes out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import evaluation_world
import pytest
from evaluation_world import World

from ftbench.compile.emit_tasks import GROUP, lm_eval_command
from ftbench.result.documents import Scores
from ftbench.result.score import score
from ftbench.run.evaluation.evaluate import evaluate_adapter, evaluate_run

BOTH = pytest.mark.parametrize(
    "scored",
    [pytest.param(True, id="bos"), pytest.param(False, id="no-bos", marks=pytest.mark.slow)],
    indirect=True,
)


@pytest.fixture(scope="module")
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Scores]:
    world = evaluation_world.make(tmp_path_factory.mktemp("harness"), items=60, bos=request.param)
    found = evaluate_run(world.run, store=world.store, on_progress=lambda *_: None)
    return world, score(found, world.plan.typed_spec().evaluation)


@BOTH
def test_in_process(scored: tuple[World, Scores], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(1)
    world, scores = scored
    monkeypatch.setenv("FTBENCH_STORE", str(world.store.roots[0]))
    monkeypatch.chdir("/")
    model = str(world.store.model_path(world.base.revision))
    tasks = TaskManager(include_path=str(world.compiled / "tasks"), include_defaults=False).load([GROUP])
    for adapter, mean, which in ((None, scores.untuned, "untuned"), (str(world.adapter), scores.tuned, "tuned")):
        lm = HFLM(
            pretrained=model,
            peft=adapter,
            dtype="float32",
            device="cpu",
            batch_size=7,
            add_bos_token=world.plan.typed_spec().data.bos,
        )
        for task in tasks["tasks"].values():
            task._instances = None
        results = evaluate(lm, tasks, bootstrap_iters=0, log_samples=False)["results"]
        for name, task_scores in scores.tasks.items():
            assert results[name]["acc,none"] == getattr(task_scores, which).value
        assert results[GROUP]["acc,none"] == pytest.approx(mean.value)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1", reason="no sandbox")
def test_what_is_written_is_marked_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness's own generation and the hook's own marks, programs run one by one, against ours."""
    import torch
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(1)
    world = evaluation_world.make(tmp_path, items=6, tasks=evaluation_world.RICH)
    ours = evaluate_adapter(
        world.compiled, world.adapter, world.base, store=world.store, out=tmp_path / "out", on_progress=lambda *_: None
    )
    monkeypatch.setenv("FTBENCH_STORE", str(world.store.roots[0]))
    names = ["colours", "colours-generated", "places-generated", "sums"]
    tasks = TaskManager(include_path=str(world.compiled / "tasks"), include_defaults=False).load(names)
    model = str(world.store.model_path(world.base.revision))
    lm = HFLM(
        pretrained=model, peft=str(world.adapter), dtype="float32", device="cpu", batch_size=4, add_bos_token=True
    )
    results = evaluate(lm, tasks, bootstrap_iters=0, log_samples=False)["results"]
    written = ours.also["colours"]
    assert results["colours"]["acc,none"] == ours.tasks["colours"].value
    assert results["colours-generated"]["acc,none"] == written["generated"].value
    assert results["colours-generated"]["unparsable,none"] == written["generated"].unparsable / 6
    assert results["colours-generated"]["flowertune,none"] == written["flowertune"].value
    assert results["places-generated"]["acc,none"] == ours.tasks["places"].value
    assert results["sums"]["acc,none"] == ours.tasks["sums"].value


@pytest.mark.slow
@BOTH
def test_on_the_command_line_without_ftbench(scored: tuple[World, Scores], tmp_path: Path) -> None:
    world, scores = scored
    (tmp_path / "block" / "ftbench").mkdir(parents=True)
    (tmp_path / "block" / "ftbench" / "__init__.py").write_text("raise ImportError('no ftbench here')")
    environment = {
        **os.environ,
        "FTBENCH_STORE": str(world.store.roots[0]),
        "PYTHONPATH": str(tmp_path / "block"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HF_HUB_OFFLINE": "1",
    }
    for adapter, which in ((None, "untuned"), ("../adapter", "tuned")):
        command = f"{lm_eval_command(world.plan, adapter)} --output_path {tmp_path / which}"
        done = subprocess.run(
            ["sh", "-c", command], cwd=world.compiled, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        (found,) = (tmp_path / which).rglob("results_*.json")
        results = json.loads(found.read_bytes())["results"]
        for name, task_scores in scores.tasks.items():
            assert results[name]["acc,none"] == getattr(task_scores, which).value
        assert re.search(GROUP, done.stdout)
