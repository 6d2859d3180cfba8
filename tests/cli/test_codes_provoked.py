"""Diagnostics that no other test names, each provoked once: by its command line or by the one function that says it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ftbench import builtin, codes
from ftbench.board import published, rank, versus
from ftbench.cli.main import run
from ftbench.compile import fab
from ftbench.compile.compiler import make_plan
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.export import hf
from ftbench.replay import spot
from ftbench.result import adapter, archive, bundle, programs, samples
from ftbench.run import conclude, noise
from ftbench.run.engines import flower_commands, flower_link
from ftbench.run.engines.engine import TrainJob
from ftbench.run.evaluation import answers
from ftbench.run.rundir import RunDir
from ftbench.spec.load import load_pins, load_spec
from ftbench.verify import evidence, filled

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


def _no_superlink(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Flower's command is there and never answers."""
    monkeypatch.setattr(flower_link, "Guarded", lambda *_, **__: SimpleNamespace(stop=list))
    monkeypatch.setattr(flower_link.SuperLink, "_answers", lambda _: False)
    flower_link.SuperLink(TrainJob(path, {}, path, path, 2, marker="provoked-test"), lambda: None)


def _leftovers(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    link = object.__new__(flower_link.SuperLink)
    link._guarded = SimpleNamespace(stop=lambda: [17])  # type: ignore[assignment]
    link.stop()


def _not_pinned(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    pins = SimpleNamespace(sources={"task:jars": SimpleNamespace(digest=None)})
    filled._rows("jars", SimpleNamespace(pins=pins), Store([path]))  # type: ignore[arg-type]


def _other_marks(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    task = load_spec(QUICK).spec.evaluation.tasks[0]
    item = {"index": 0, "item": "0" * 64, "options": [" one", " two"], "target": 0}
    sample = {
        "doc": item,
        "arguments": [("Q", " one"), ("Q", " two")],
        "filtered_resps": [(-2.0, False), (-1.0, False)],
    }
    answers.read(task, {"samples": {task.name: [sample]}, "results": {task.name: {"acc,none": 1.0}}})


def _run_without_files(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    result = SimpleNamespace(scores=SimpleNamespace(tasks={}, exposure=None))
    bundle.assemble(path, result, SimpleNamespace())  # type: ignore[arg-type]


def _broken_sandbox(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    (path / "sandbox.py").write_text("raise SystemExit(3)")
    programs.outcomes(path / "sandbox.py", [{}])


def _two_hashes(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(versus, "_side", lambda side: SimpleNamespace(spec_hash=side.name * 64))
    versus.versus(path / "a", path / "b", benchmarks=[], store=Store([path]))


def _none_of_the_hub(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    plan = make_plan(load_spec(QUICK).spec, load_pins(QUICK))
    hf.records(SimpleNamespace(plan=plan, result=SimpleNamespace(name="quickstart")), "")  # type: ignore[arg-type]


def _open_entry(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    context = SimpleNamespace(entry=SimpleNamespace(open=object()), bundle=SimpleNamespace(path=path))
    spot.spot_run(context, archive=None, nonce="", threads=1, say=print)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "provoke"),
    [
        (codes.NO_SUPERLINK, _no_superlink),
        (codes.LEFTOVERS, _leftovers),
        (codes.ITEMS_UNFIT, _not_pinned),
        (codes.HARNESS_DISAGREES, _other_marks),
        (codes.BROKEN, _broken_sandbox),
        (codes.NOT_COMPARABLE, _two_hashes),
        (codes.NOTHING_FOR_THE_HUB, _none_of_the_hub),
        (codes.REPLAY_FAILED, _open_entry),
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


def test_a_run_without_its_files_names_every_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FtbenchError) as caught:
        _run_without_files(monkeypatch, tmp_path)
    assert {one.code for one in caught.value.diagnostics} == {codes.RUN_LACKS_FILE}
    assert len(caught.value.diagnostics) == len(bundle.COPIED)


def test_a_bundle_whose_documents_cannot_be_read_is_no_row() -> None:
    verdict = SimpleNamespace(level="RESCORED", result=None, bundle=None, spec_hash=None)
    refused = rank.why_not(SimpleNamespace(path="x", verdict=verdict, entry=None), "RESCORED")  # type: ignore[arg-type]
    assert refused is not None and refused.code == codes.NO_RESULT


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
