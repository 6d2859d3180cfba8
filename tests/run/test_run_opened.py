"""The app of an open entry in a run's folder: whole, of the entry's own modules, made anew when it was touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.compile import open_division
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.errors import InvalidInput
from ftbench.run import open_division as opened
from ftbench.spec.canonical import sha256
from ftbench.spec.entries import resolve_entry
from ftbench.spec.entry import OpenCode, ResolvedEntry
from ftbench.spec.load import load_pins, load_spec

MODULES = {"strategy": b"x = 1\n"}


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    path = builtin.specs()["quickstart"]
    return compile_spec(load_spec(path).spec, load_pins(path))


@pytest.fixture
def entry(compiled: Compiled) -> ResolvedEntry:
    own = OpenCode(strategy=sha256(MODULES["strategy"]))
    return resolve_entry(compiled.plan.typed_spec(), None).model_copy(update={"open": own})


@pytest.fixture
def run(tmp_path: Path, compiled: Compiled) -> Path:
    for name, data in compiled.files.items():
        target = tmp_path / "compiled" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    opened.keep(tmp_path, MODULES)
    return tmp_path


def test_the_frozen_app_and_the_module(run: Path, compiled: Compiled, entry: ResolvedEntry) -> None:
    folder, fab = opened.prepare(run, run / "compiled", entry)
    assert fab == open_division.fab(compiled.files, MODULES) != compiled.lock.fab_hash
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == open_division.files(compiled.files, MODULES)
    assert (run / "open" / "strategy.py").read_bytes() == MODULES["strategy"]
    (folder / "app" / "ftbench_app" / "rounds.py").write_text("")
    (folder / "app" / "ftbench_app" / "more.py").write_text("")
    again, _ = opened.prepare(run, run / "compiled", entry)
    assert found == {p.relative_to(again).as_posix(): p.read_bytes() for p in again.rglob("*") if p.is_file()}


def test_modules_that_were_changed_are_refused(run: Path, entry: ResolvedEntry) -> None:
    (run / "open" / "strategy.py").write_bytes(b"x = 2\n")
    with pytest.raises(InvalidInput, match="FTB535"):
        opened.prepare(run, run / "compiled", entry)
    (run / "open" / "strategy.py").unlink()
    with pytest.raises(InvalidInput, match="FTB535"):
        opened.kept(run, entry)


def test_modules_and_entry_belong_together(entry: ResolvedEntry) -> None:
    closed = entry.model_copy(update={"open": None})
    opened.check_modules(closed, {})
    opened.check_modules(entry, MODULES)
    for one, modules in ((closed, MODULES), (entry, {}), (entry, {"client": MODULES["strategy"]})):
        with pytest.raises(InvalidInput, match="FTB535"):
            opened.check_modules(one, modules)


def test_the_run_config_names_both_kinds(entry: ResolvedEntry) -> None:
    told = opened.setting(entry)
    assert told == f'{{"client":null,"strategy":"{sha256(MODULES["strategy"])}"}}'
    assert not opened.setting(entry.model_copy(update={"open": None}))
