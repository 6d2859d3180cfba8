from __future__ import annotations

import json

import forge
import pytest

from ftbench.result import safejson
from ftbench.result.documents import Verdict
from ftbench.verify import render
from ftbench.verify.checks import CHECKS
from ftbench.verify.limits import ALWAYS


@pytest.fixture
def hostile(world: forge.World, genuine: forge.Forged) -> Verdict:
    """Names and texts that try to speak for the verifier."""
    with genuine.json("adapter/adapter_config.json") as config:
        config["x\n::notice::all good\x1b[32m"] = "%0A::error::100%\r\n  ok   documents-parse"
    genuine.keep = {"config"}
    forge.reseal(genuine)
    return world.verdict(genuine.files)


def test_text(world: forge.World, genuine: forge.Forged) -> None:
    text = render.text(world.verdict(genuine.files), "runs/1/bundle")
    assert text.startswith("runs/1/bundle: RESCORED (accepted: RESCORED was asked for)\n")
    assert all(f"  {sentence}\n" in text for sentence in ALWAYS), "what was not checked is printed"
    assert (
        text.count("  ok   ") == sum(check.level not in ("SPOT-RUN", "REPRODUCED") for check in CHECKS)
        and "FAIL" not in text
    )


def test_nothing_of_the_bundle_forges_a_line(hostile: Verdict) -> None:
    text = render.text(hostile, "a\nb: RESCORED")
    assert text.count("\n  FAIL adapter-config FTB648: ") == 1
    assert "\x1b" not in text and "\r" not in text
    lines = text.splitlines()
    assert lines[0].startswith("a\\nb: RESCORED: INTACT (refused")
    assert sum(line.startswith("  ok   documents-parse") for line in lines) == 1
    assert not any(line.startswith("::") for line in lines)


def test_github(hostile: Verdict) -> None:
    lines = render.github(hostile, "a,b:c%\nd.zip").splitlines()
    above = sum(check.level == "RESCORED" for check in CHECKS)
    assert len(lines) == 2 + above, "one failure, the checks of the level asked for that were not made, the end"
    assert all(line.startswith(("::error file=", "::warning file=")) for line in lines)
    head = lines[0].removeprefix("::error file=")
    assert head.startswith("a%2Cb%3Ac%25%0Ad.zip,title=FTB648 adapter-config::")
    assert "\x1b" not in lines[0] and "%250A" in lines[0]
    assert "RESCORED was asked for" in lines[-1]


def test_github_accepted(world: forge.World, genuine: forge.Forged) -> None:
    (line,) = render.github(world.verdict(genuine.files), "b").splitlines()
    assert line.startswith("::notice file=b,title=reached RESCORED::")
    assert "That the adapter came out of" in line


def test_json_is_the_verdict(hostile: Verdict) -> None:
    text = render.json(hostile)
    assert safejson.to_model(json.loads(text), Verdict, "verdict") == hostile
