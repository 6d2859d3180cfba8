"""Noise by the operator's switch: normal, another every time, and in nothing that a run leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from ftbench.app.privacy import clipping, noise, server
from ftbench.errors import InvalidInput
from ftbench.run import noise as switch
from ftbench.run.keep import AUTO
from ftbench.spec.privacy import OS_NOISE

BLOCK: dict[str, Any] = {"noise_multiplier": 1.0, "clipping": "fixed", "clip": 0.5}
BASE = {"a": numpy.zeros((200, 300), numpy.float32)}
REPLIES = [(1.0, {"a": numpy.full((200, 300), 1e-3, numpy.float32)})]


def released() -> Any:
    [(_, made)], _ = server.release(BLOCK, (1, 1), REPLIES, base=BASE, sampled=2, state=None)
    return made["a"].astype(numpy.float64)


def test_the_two_sides_name_one_variable() -> None:
    assert noise.SWITCH == OS_NOISE


def test_it_is_normal_and_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = released()
    assert (released() == seeded).all()
    monkeypatch.setenv(noise.SWITCH, "1")
    one, two = released(), released()
    assert not (one == two).any() and not (one == seeded).any()
    mean = 1e-3 * clipping.factor(clipping.length(BASE, REPLIES[0][1]), 0.5) / 2
    for found, due in ((one - mean, 0.25), (one - two, 0.25 * 2**0.5)):
        assert found.std() == pytest.approx(due, rel=0.01) and abs(found.mean()) < 0.01
    tails = numpy.abs(noise.OperatingSystem().standard_normal((400_000,)))
    for sigmas, share in ((1, 0.3173), (2, 0.0455), (3, 0.0027)):
        assert (tails > sigmas).mean() == pytest.approx(share, rel=0.1)
    assert isinstance(noise.one(1.0, noise.generator(1, 1, noise.COUNT)), float)


@pytest.mark.slow
def test_a_run_s_folder_cannot_make_it_again(tmp_path: Path) -> None:
    """Two runs of one entry end apart; neither keeps a reply; the spot-run says why no round can be aggregated."""
    spec = private(tmp_path)
    found = []
    for name in ("one", "two"):
        told = said("run", spec, "--engine", "inline", "--os-noise", "--out", tmp_path / name)
        run, result = Path(told["run_dir"]), told["result"]
        found.append(result["adapter"])
        assert result["privacy"]["noise"] == "operating-system" and not result["bit_reproducible"]
        assert result["privacy"]["epsilon"] > 0 and not list((run / "archive").glob("state/*"))
        updates = {reply["update"] for line in lines(run) for reply in line["body"].get("replies", [])}
        kept = {path.stem for path in run.rglob("*.safetensors")}
        assert updates and not updates & kept, "a reply and what it was released as tell the noise"
    assert found[0] != found[1]
    verdict = said("verify", tmp_path / "one" / run.name / "bundle", "--spec", spec, "--spot", code=1)
    [one] = verdict["bundles"]
    assert one["verdict"]["level"] == "RESCORED"
    assert any("written nowhere" in sentence for sentence in one["verdict"]["not_checked"])


def private(folder: Path) -> Path:
    from ftbench import builtin

    source = builtin.specs()["quickstart"]
    text = source.read_text().replace("name: quickstart", "name: quickstart-noise", 1)
    text = text.replace("  rounds: 8", "  rounds: 2").replace("local_steps: 16", "local_steps: 2")
    block = "{kind: central, epsilon: 400, delta: 1e-3, noise_multiplier: 0.2, clipping: fixed, clip: 1.0}"
    text = text.replace("strategy: {kind: fedavg}", f"strategy: {{kind: fedavg}}\nprivacy: {block}")
    path = folder / "quickstart-noise.yaml"
    path.write_text(text)
    path.with_name("quickstart-noise.pins.json").write_bytes(source.with_name("quickstart.pins.json").read_bytes())
    return path


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "ledger.jsonl").read_bytes().splitlines()]


def said(*words: str | Path, code: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "ftbench", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_where_it_does_not_go(tmp_path: Path) -> None:
    from ftbench.compile.compiler import compile_spec
    from ftbench.spec.load import load_pins, load_spec

    path = private(tmp_path)
    plan = compile_spec(load_spec(path).spec, load_pins(path)).plan
    assert switch.keeping(plan, AUTO, "inline", asked=True) == 0
    assert switch.keeping(plan, 3, "inline", asked=False) == 3
    for keep, engine in ((1, "inline"), (AUTO, "flower-deployment")):
        with pytest.raises(InvalidInput, match="operating system"):
            switch.keeping(plan, keep, engine, asked=True)
    spec = dict(plan.spec)
    adaptive = {"clipping": "adaptive", "quantile": 0.5, "clip_learning_rate": 0.2, "count_noise_multiplier": 5.0}
    for block in (None, spec["privacy"] | adaptive):
        other = plan.model_copy(
            update={"spec": {k: v for k, v in (spec | {"privacy": block}).items() if v is not None}}
        )
        with pytest.raises(InvalidInput, match="operating system"):
            switch.keeping(other, AUTO, "inline", asked=True)
