"""The site of a folder of results: what was decided, by whom and why, and what it does to a place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import forge
import keys
import pytest
from test_decide import hand_in, lied

from ftbench.cli.main import run
from ftbench.compile.compiler import compile_spec
from ftbench.compile.folder import write
from ftbench.spec.model import Spec
from ftbench.submit.carry import carry
from ftbench.submit.decide import note_carried, receive, say, work_off
from ftbench.submit.judge import Judge
from ftbench.submit.place import bring

VAL = "val@example.org"


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1", reason="programs are run again")
def test_refused_withdrawn_and_carried_have_their_reasons(
    tmp_path: Path, world: forge.World, judge: Judge, signed: dict[int, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    val, eve = keys.make_key(tmp_path, "val"), keys.make_key(tmp_path, "eve")
    listed, strangers = tmp_path / "signers", tmp_path / "strangers"
    keys.signers(listed, (VAL, "", val))
    keys.signers(strangers, ("eve", "", eve))
    results = tmp_path / "results"
    hand_in(results, "stays", signed[1])
    hand_in(results, "leaves", signed[2])
    hand_in(results, "lied", lied(world))
    list(receive(results, judge, VAL, val))
    list(work_off(results, judge, VAL, val))
    say(results, "leaves", "withdrawn", "its author <b>asked</b> for it", verifier=VAL, key=val)
    value = world.spec.model_dump(mode="json")
    for task in value["evaluation"]["tasks"][:2]:
        task["scoring"] = ["generated", "likelihood"]
    new = compile_spec(
        Spec.model_validate(value | {"metadata": value["metadata"] | {"version": "0.3.0"}}), world.compiled.plan.pins
    )
    write(new, tmp_path / "benchmarks")
    note_carried(
        results,
        "stays",
        carry(bring(results / "submissions" / "stays.json"), new, judge, VAL, None),
        verifier=VAL,
        key=val,
    )

    words = ["site", "build", str(results), "--store", str(world.root / "store"), "--results", str(results)]
    words += ["--benchmarks", str(world.root / "benchmarks"), "--benchmarks", str(tmp_path / "benchmarks")]
    assert run([*words, "--signers", str(listed), "--out", str(tmp_path / "site")]) == 0
    site = tmp_path / "site"
    told = (site / "decisions.html").read_text("utf-8")
    for what in ("received", "accepted", "refused", "withdrawn", "carried", "prompts-compiled", VAL):
        assert what in told, what
    assert "its author &lt;b&gt;asked&lt;/b&gt; for it" in told and "counts for nothing" not in told
    refused = (site / "refused.html").read_text("utf-8")
    assert "asked" in refused and "withdrawn 20" in refused and "all that was decided of it" in refused
    carried = next(site.glob(f"tables/*-{new.lock.spec_hash[:8]}/entries/*/index.html")).read_text("utf-8")
    assert f"carried from {world.compiled.lock.spec_hash[:12]} by {VAL}" in carried and "decisions.html#b" in carried
    (row,) = site.glob(f"tables/*-{world.compiled.lock.spec_hash[:8]}/entries/*")
    assert list(row.glob("s1-*")) and not list(row.glob("s2-*")), "what was withdrawn holds no place"

    # Of verifiers whom the reader does not name nothing counts, and the page says so.
    assert run([*words, "--signers", str(strangers), "--out", str(tmp_path / "other")]) == 0
    assert "counts for nothing" in (tmp_path / "other" / "decisions.html").read_text("utf-8")
    assert list((tmp_path / "other").glob("tables/*/entries/*/s2-*"))
    capsys.readouterr()
    assert run([*words, "--out", str(tmp_path / "none")]) == 2
    assert "--signers" in capsys.readouterr().err
