"""The whole line as a user walks it, through the command line: compile, run, verify, pack, rank."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.data.store import Store
from ftbench.replay.spot import above
from ftbench.result.opening import open_bundle
from ftbench.verify.verifier import verify

pytestmark = pytest.mark.e2e


def ftbench(*arguments: str | Path, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def said(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(ftbench(*arguments, "--json", code=code)))


def adapter(bundle: Path) -> str:
    return str(json.loads((bundle / "result.json").read_bytes())["adapter"])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def bundle(runs: Path) -> Path:
    """One real run of the quickstart on the default engine: Flower's Simulation Engine."""
    return Path(said("run", "quickstart", "--out", runs)["bundle"])


def test_it_learns_and_is_believed(bundle: Path) -> None:
    verdict = said("verify", bundle)
    result = json.loads((bundle / "result.json").read_bytes())
    assert result["engine"] == "flower-simulation"
    assert result["scores"]["difference"]["interval"]["low"] > 0.2
    assert result["scores"]["untuned"]["value"] < 0.35
    assert "RESCORED" in json.dumps(verdict)


def test_the_inline_engine_gives_the_same_digest(bundle: Path, runs: Path) -> None:
    again = Path(said("run", "quickstart", "--engine", "inline", "--out", runs)["bundle"])
    assert adapter(again) == adapter(bundle)


def test_a_packed_bundle_is_verified_and_ranked(bundle: Path, runs: Path, tmp_path: Path) -> None:
    packed = tmp_path / "entry.zip"
    ftbench("pack", bundle, "--out", packed)
    ftbench("verify", packed, "--require", "RESCORED")
    table = ftbench("leaderboard", runs, "--format", "markdown")
    assert "RESCORED" in table


def test_an_edited_score_is_refused(bundle: Path, tmp_path: Path) -> None:
    import shutil

    cheat = tmp_path / "cheat"
    shutil.copytree(bundle, cheat)
    text = (cheat / "result.json").read_text()
    result = json.loads(text)
    result["scores"]["tuned"]["value"] = 0.999
    (cheat / "result.json").write_text(json.dumps(result))
    ftbench("verify", cheat, code=1)


@pytest.mark.slow
def test_part_of_it_is_done_again(bundle: Path, tmp_path: Path) -> None:
    """What Flower's engine trained comes out again by the compiled app alone; without the archive it stays RESCORED."""
    made = tmp_path / "spot.json"
    nonce = ("--nonce", "5a" * 16)
    told = said("verify", bundle, "--spec", "quickstart", "--spot", "--evidence", made, *nonce)
    checks = {one["check"]: one for one in told["bundles"][0]["verdict"]["checks"]}
    assert told["bundles"][0]["verdict"]["level"] == "SPOT-RUN", checks
    assert "1 to the last bit" in checks["spot-clients"]["evidence"]
    read = said("verify", bundle, "--spec", "quickstart", "--evidence", made)
    verdict = read["bundles"][0]["verdict"]
    assert verdict["level"] == "SPOT-RUN" and any("read from a file" in one for one in verdict["not_checked"])
    alone = shutil.copytree(bundle, tmp_path / "alone")
    lacking = said("verify", alone, "--spec", "quickstart", "--spot", *nonce, code=1)["bundles"][0]["verdict"]
    outcomes = {one["check"]: one["outcome"] for one in lacking["checks"]}
    assert lacking["level"] == "RESCORED"
    assert (outcomes["spot-items"], outcomes["spot-clients"], outcomes["spot-aggregations"]) == (
        "passed",
        "not-run",
        "not-run",
    )


@pytest.mark.slow
def test_whoever_works_off_submissions_does_part_of_them_again(bundle: Path, tmp_path: Path) -> None:
    """`decide --pending --spot` takes the archive by the digest that the bundle names it with."""
    archive = bundle.parent / "archive"
    named = json.loads((bundle / "result.json").read_bytes())["archive"]
    shutil.copytree(archive, tmp_path / "archives" / named)
    store, spec = Store.default(None), builtin.specs()["quickstart"]
    before = verify(bundle, spec=spec, store=store)
    again = above(store=store, benchmarks=(), spec=spec, archives=tmp_path / "archives", threads=1, say=lambda _: None)
    assert again(open_bundle(bundle), before).level == "SPOT-RUN"
    for file in (tmp_path / "archives" / named / "state").iterdir():  # one bit of every file
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    damaged = again(open_bundle(bundle), before)
    assert damaged.level == "RESCORED"
    assert {one.outcome for one in damaged.checks if one.check in {"spot-clients", "spot-aggregations"}} == {"not-run"}


@pytest.mark.slow
def test_decide_does_part_of_what_waits_again(bundle: Path, tmp_path: Path) -> None:
    """The whole way of a submission: handed in, received, worked off with a spot-run, told to a reader."""
    results, archives = tmp_path / "results", tmp_path / "archives"
    named = json.loads((bundle / "result.json").read_bytes())["archive"]
    shutil.copytree(bundle.parent / "archive", archives / named)
    held = ("--results", results)
    ftbench("submit", "new", "mine-s1", "--bundle", bundle, *held)
    ftbench("submit", "receive", "--verifier", "val@example.org", *held)
    told = said("decide", "--pending", "--spot", "--archives", archives, "--verifier", "val@example.org", *held)
    [line] = told["written"]
    assert (line["body"]["event"], line["body"]["level"]) == ("accepted", "SPOT-RUN"), line
    assert told["pending"] == []
    verdict = results / "verdicts" / f"{line['body']['verdict']}.json"
    assert json.loads(verdict.read_bytes())["level"] == "SPOT-RUN"
    ftbench("decide", "--spot", *held, code=2)


@pytest.mark.slow
def test_a_smoke_run_cannot_be_submitted(tmp_path: Path) -> None:
    smoke = said("run", "quickstart", "--smoke", "--engine", "inline", "--out", tmp_path)
    if smoke.get("bundle"):
        ftbench("verify", smoke["bundle"], code=1)
