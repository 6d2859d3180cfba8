"""What is released: a wheel with all that it needs, the same bytes wherever it is built, and words that agree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from pages import ROOT

import ftbench
from ftbench.compile.stack import STACK

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def copy(folder: Path) -> Path:
    """What is committed, and what is about to be."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    return folder


def build(folder: Path, out: Path, **env: str) -> dict[str, Path]:
    code = f"import os; from hatchling import build as b; b.build_wheel({str(out)!r}); b.build_sdist({str(out)!r})"
    out.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, env={**os.environ, **env}, capture_output=True)
    return {path.suffix: path for path in out.iterdir()}


@pytest.mark.slow
def test_wheel_and_sdist_are_the_same_bytes_in_two_places(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        first = build(copy(tmp_path / "a"), tmp_path / "out-a", TZ="UTC", LANG="C", PYTHONHASHSEED="1")
    finally:
        os.umask(old)
    second = build(
        copy(tmp_path / "elsewhere" / "b"), tmp_path / "out-b", TZ="Asia/Tokyo", LANG="C.UTF-8", PYTHONHASHSEED="2"
    )
    assert set(first) == set(second) == {".whl", ".gz"}
    for suffix, path in first.items():
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(second[suffix].read_bytes()).digest(), (
            suffix
        )
    with zipfile.ZipFile(first[".whl"]) as wheel:
        names = set(wheel.namelist())
    parts = ("specs/quickstart.yaml", "specs/quickstart.pins.json", "entries/quickstart.yaml")
    for part in (*parts, "schemas/spec.v1.schema.json", "generated/quickstart/0.1.0/ftbench.lock"):
        assert f"ftbench/_builtin/{part}" in names
    assert {"ftbench/explained.toml", "ftbench/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_the_version_is_one() -> None:
    version = PROJECT["project"]["version"]
    assert ftbench.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
    for page in (ROOT / "docs" / "ci.md", ROOT / "actions/specs/action.yml", ROOT / "actions/results/action.yml"):
        assert set(re.findall(r"@v(\d+\.\d+\.\d+)", page.read_text())) == {version}, page


def test_the_container_has_the_stack() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert f"torch=={STACK['torch']}" in text
    assert "--constraint constraints.txt" in text


def test_the_matrix_asks_for_what_the_metadata_promises() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/matrix.yml").read_text())["jobs"]
    asked = jobs["light"]["strategy"]["matrix"]
    assert {"ubuntu-latest", "macos-latest", "windows-latest"} == set(asked["os"])
    least = PROJECT["project"]["requires-python"].removeprefix(">=")
    promised = {one.rpartition(" :: ")[2] for one in PROJECT["project"]["classifiers"] if " :: 3." in one}
    assert set(asked["python"]) == promised and least in promised
