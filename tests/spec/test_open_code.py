"""Entries in the open division: modules read from beside the entry, by digest, never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.errors import InvalidInput
from ftbench.spec.canonical import sha256
from ftbench.spec.entries import (
    check_entry,
    dump_resolved,
    entry_digest,
    load_entry,
    open_modules,
    parse_resolved,
    resolve_entry,
)
from ftbench.spec.entry import OpenCode, ResolvedEntry
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec

HOSTILE = b"import os\nos._exit(3)\n"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(builtin.specs()["quickstart"]).spec


def entry_file(folder: Path, block: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"ftbench: entry/v1\nmetadata: {{name: mine}}\nopen: {block}\n")
    return path


def resolved(spec: Spec, path: Path) -> ResolvedEntry:
    return resolve_entry(spec, load_entry(path))


def test_digests_stand_in_the_resolved_entry(spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "server.py").write_bytes(HOSTILE)
    (tmp_path / "client.py").write_bytes(b"# client\n")
    path = entry_file(tmp_path, "{strategy: code/server.py, client: client.py}")
    made = resolved(spec, path)
    assert made.open == OpenCode(strategy=sha256(HOSTILE), client=sha256(b"# client\n"))
    assert open_modules(load_entry(path)) == {"strategy": HOSTILE, "client": b"# client\n"}
    assert parse_resolved(dump_resolved(made)) == made
    assert check_entry(spec, made) == []
    (tmp_path / "client.py").write_bytes(b"# other\n")
    assert entry_digest(resolved(spec, path)) != entry_digest(made)


def test_a_closed_entry_says_nothing_of_it(spec: Spec) -> None:
    made = resolve_entry(spec, None)
    assert b"open" not in dump_resolved(made)
    assert parse_resolved(dump_resolved(made)) == made
    assert open_modules(None) == {}
    own = made.model_copy(update={"open": OpenCode(client="0" * 64)})
    assert entry_digest(own) != entry_digest(made)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("{}", "names neither a strategy nor a client"),
        ("{strategy: null}", "names neither"),
        ("{strategy: /etc/passwd.py}", "relative path of a .py file"),
        ("{strategy: ../server.py}", "relative path of a .py file"),
        ("{strategy: 'a\\server.py'}", "relative path of a .py file"),
        ("{client: server.txt}", "relative path of a .py file"),
        ("{client: missing.py}", "No such file"),
        ("{client: folder.py}", "Is a directory"),
        ("{client: link.py}", "leads out of the entry's folder"),
        ("{client: large.py}", "at most 262144"),
        ("{client: latin.py}", "not UTF-8"),
        ("{client: nul.py}", "NUL"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(spec: Spec, tmp_path: Path, block: str, words: str) -> None:
    folder = tmp_path / "entries"
    folder.mkdir()
    (tmp_path / "server.py").write_bytes(b"")
    (folder / "folder.py").mkdir()
    (folder / "link.py").symlink_to(tmp_path / "server.py")
    (folder / "large.py").write_bytes(b"#" * (2**18 + 1))
    (folder / "latin.py").write_bytes("# ä".encode("latin-1"))
    (folder / "nul.py").write_bytes(b"#\0")
    with pytest.raises(InvalidInput, match="FTB230") as caught:
        resolved(spec, entry_file(folder, block))
    (problem,) = caught.value.diagnostics
    assert words in problem.message
    assert problem.place is not None and problem.place.line == 3


def test_every_problem_is_told_at_once(spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolved(spec, entry_file(tmp_path, "{strategy: a.py, client: b.py}"))
    assert len(caught.value.diagnostics) == 2


def test_an_open_entry_without_code_is_no_entry(spec: Spec) -> None:
    made = resolve_entry(spec, None).model_copy(update={"open": OpenCode()})
    assert ["brings a strategy or a client" in problem.message for problem in check_entry(spec, made)] == [True]


def test_the_example_resolves(spec: Spec) -> None:
    made = resolved(spec, builtin.entries() / "quickstart-open.yaml")
    assert made.open == OpenCode(strategy=sha256((builtin.entries() / "open" / "agreement.py").read_bytes()))
