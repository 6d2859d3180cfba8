"""Diagnostics that no other test names, each provoked once: by its command line or by the one function that says it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftbench import builtin, codes
from ftbench.board import published
from ftbench.cli.main import run
from ftbench.compile import fab
from ftbench.compile.compiler import make_plan
from ftbench.errors import FtbenchError
from ftbench.result import adapter, archive, samples
from ftbench.run import conclude, noise
from ftbench.run.engines import flower_commands
from ftbench.run.rundir import RunDir
from ftbench.spec.load import load_pins, load_spec
from ftbench.verify import evidence

QUICK = builtin.specs()["quickstart"]


def _no_flower(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(path / "python"))
    flower_commands.commands()


def _refuses(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    fab.fab_hash({"app/pyproject.toml": b"[project]\n"})


def _other_flower(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(fab, "flower", lambda: "1.0.0")
    fab.fab_hash({})


def _ledger(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    conclude._ends(RunDir(path), [])


def _damaged(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    (path / archive.LIST).write_text("{}")
    archive.read(path, "0" * 64)


def _noise(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    plan = make_plan(load_spec(QUICK).spec, load_pins(QUICK))
    noise.keeping(plan, 0, "inline", asked=True)


def _published(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    (path / "table.csv").write_text("benchmark,name,score\nfinance,x,101,more\n")
    published.load_published(path / "table.csv")


@pytest.mark.parametrize(
    ("code", "provoke"),
    [
        (codes.FAB_REFUSED, _refuses),
        (codes.OTHER_FLOWER, _other_flower),
        (codes.LEDGER_BROKEN, _ledger),
        (codes.NO_FLOWER, _no_flower),
        (codes.BAD_ADAPTER, lambda _, __: adapter.read_header(b"\xff" * 40, "adapter")),
        (codes.BAD_SAMPLES, lambda _, __: samples.parse(b"no gzip", "samples")),
        (codes.BAD_PUBLISHED, _published),
        (codes.ARCHIVE_MISSING, lambda _, path: archive.read(path, "0" * 64)),
        (codes.ARCHIVE_OTHER, _damaged),
        (codes.EVIDENCE_OTHER, lambda _, path: evidence.read(path / "none.json")),
        (codes.NO_OS_NOISE, _noise),
    ],
)
def test_a_function_says_it(
    code: str, provoke: Callable[[pytest.MonkeyPatch, Path], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(FtbenchError) as caught:
        provoke(monkeypatch, tmp_path)
    assert [one.code for one in caught.value.diagnostics] == [code]


def _claims(head: str, *rows: str) -> Callable[[Path], list[str]]:
    def made(path: Path) -> list[str]:
        (path / "t.csv").write_text("\n".join([f"name,{head}", *rows, ""]))
        return ["verify", "--claims", str(path / "t.csv"), "--spec", "finance", "--column", "fpb=FPB"]

    return made


def _compiled(path: Path) -> list[str]:
    for name in ("quickstart.yaml", "quickstart.pins.json"):
        shutil.copy(QUICK.with_name(name), path / name)
    line = ["compile", str(path / "quickstart.yaml"), "--out", str(path / "out")]
    assert run(line) == 0
    next((path / "out").rglob("ledger.py")).write_text("")
    return [*line, "--check"]


def _in_the_way(path: Path) -> list[str]:
    (path / "quickstart").mkdir()
    (path / "quickstart" / load_spec(QUICK).spec.metadata.version).write_text("")
    return ["compile", "quickstart", "--out", str(path)]


def _policy(path: Path) -> list[str]:
    for name in ("p.yaml", "signers"):
        (path / name).write_text("[]\n")
    (path / "other").mkdir()
    told = ["--policy", str(path / "p.yaml"), "--signers", str(path / "signers")]
    return ["leaderboard", str(path / "other"), *told]


def _leak(path: Path) -> list[str]:
    rows = "".join(f'{{"clause": "Clause {n}.", "answer": "{"yes" if n % 3 else "no"}"}}\n' for n in range(30))
    (path / "rows.jsonl").write_text(rows)
    (path / "again.jsonl").write_text(rows)
    spec, store = str(path / "legal.yaml"), str(path / "store")
    files = ["--train", str(path / "rows.jsonl"), "--test", str(path / "again.jsonl"), "--out", spec]
    assert run(["new", "legal", *files]) == 0
    return ["lock", spec, "--store", store]


def _adapter(path: Path) -> list[str]:
    return ["evaluate", str(path)]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (codes.NOT_A_FOLDER, _in_the_way),
        (codes.DRIFT, _compiled),
        (codes.OPTION_NEEDS_OTHER, _adapter),
        (codes.SCHEMAS_DRIFTED, lambda path: ["schema", "--check", str(path)]),
        (codes.BAD_POLICY, _policy),
        (codes.OVERLAP, _leak),
        (codes.SYSTEM_REFUSED, lambda _: ["data", "list", "--store", "a" * 300]),
        (codes.CLAIM_OUT_OF_RANGE, _claims("FPB", "a,120.00")),
        (codes.CLAIM_SCALE, _claims("FPB,FIQA", "a,0.50,50.00", "b,62.13,50.00", "c,61.22,25.00")),
    ],
)
def test_a_command_says_it(
    code: str, line: Callable[[Path], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line(tmp_path)) in {0, 1, 3, 4}
    told = capsys.readouterr()
    assert code in told.out + told.err
