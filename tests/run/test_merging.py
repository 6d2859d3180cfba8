"""Merging: refusals, how far two models' answers lie apart, and the converter that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.cli.main import run
from ftbench.errors import MissingResource, RunFailed
from ftbench.result.documents import Answer, Sample
from ftbench.run import merging


def sample(before: list[float], after: list[float]) -> Sample:
    return Sample(
        index=0,
        item="0" * 64,
        prompt="?",
        options=[" a", " b"],
        target=0,
        untuned=Answer(loglikelihoods=before),
        tuned=Answer(loglikelihoods=after),
        references={},
    )


def test_the_furthest_log_likelihoods() -> None:
    paired = {"t": [sample([-1.0, -2.0], [-1.25, -2.0])], "u": [sample([-3.0, -4.0], [-3.0, -4.5])]}
    assert merging.furthest(paired) == 0.5
    assert merging.furthest({}) is None


def test_a_run_that_is_not_whole_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["merge", str(tmp_path)]) == 3
    assert "FTB501" in capsys.readouterr().err


def test_gguf_by_the_users_own_converter(tmp_path: Path) -> None:
    with pytest.raises(MissingResource):
        merging.to_gguf(tmp_path, tmp_path / "nowhere", tmp_path / "x.gguf")
    (tmp_path / merging.CONVERTER).write_text("import sys; sys.exit('no such architecture')")
    with pytest.raises(RunFailed, match="no such architecture"):
        merging.to_gguf(tmp_path, tmp_path, tmp_path / "x.gguf")
    (tmp_path / merging.CONVERTER).write_text("import sys; open(sys.argv[3], 'w').write('GGUF')")
    merging.to_gguf(tmp_path, tmp_path, tmp_path / "x.gguf")
    assert (tmp_path / "x.gguf").read_text() == "GGUF"


def test_gguf_is_whole_or_not_there(tmp_path: Path) -> None:
    old = tmp_path / "x.gguf"
    old.write_text("old")
    (tmp_path / merging.CONVERTER).write_text("import sys; open(sys.argv[3], 'w').write('GG'); sys.exit('no room')")
    with pytest.raises(RunFailed, match="no room"):
        merging.to_gguf(tmp_path, tmp_path, old)
    assert old.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([merging.CONVERTER, "x.gguf"])


def test_a_merge_that_was_stopped_while_it_was_scored_is_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "merged"
    out.mkdir()
    (out / merging.CARD).write_bytes(b"this one")
    assert not merging.is_ours(out, b"this one")
    (out / "model.safetensors").write_bytes(b"weights")
    assert merging.is_ours(out, b"this one")
    assert not merging.is_ours(out, b"another adapter, or another element type")
