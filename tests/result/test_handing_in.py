"""Handing in: the same honest bundle in the forms that people and their desktops make of it."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from ftbench.cli.main import run
from ftbench.diagnostics import printable
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.result.files import Bundle
from ftbench.result.opening import open_bundle
from ftbench.result.pack import pack, to_zip

FILES = {name: name.encode() for name in (*names.FIXED, "samples/jars.jsonl.gz")}
Contents = dict[str, bytes]


def zipped(path: Path, files: Contents, comment: bytes = b"", folders: tuple[str, ...] = ()) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name in folders:
            archive.writestr(name, b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: Contents, mode: str = "w:gz", folders: tuple[str, ...] = ()) -> Path:
    with tarfile.open(path, mode) as archive:
        for name in folders:
            made = tarfile.TarInfo(name)
            made.type = tarfile.DIRTYPE
            archive.addfile(made)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def below(prefix: str, files: Contents = FILES) -> Contents:
    return {prefix + name: content for name, content in files.items()}


def laid(folder: Path, files: Contents = FILES) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def whys(bundle: Bundle) -> dict[str, str]:
    return {problem.name: problem.why for problem in bundle.problems}


@pytest.mark.parametrize("top", ["bundle/", "my run of May/", "Ordner-ü/", "run_1.bundle/"])
@pytest.mark.parametrize("entries", [False, True])
def test_one_top_folder_is_taken_off(tmp_path: Path, top: str, entries: bool) -> None:
    folders = (top, f"{top}adapter/", f"{top}samples/") if entries else ()
    for path in (
        zipped(tmp_path / "b.zip", below(top), folders=folders),
        tarred(tmp_path / "b.tar.gz", below(top), folders=folders),
        tarred(tmp_path / "b.tar", below(f"./{top}"), "w", folders=("./", *folders)),
    ):
        bundle = open_bundle(path)
        assert (bundle.problems, bundle.files) == ([], FILES), path.name


@pytest.mark.parametrize("name", ["b.ZIP", "b.Zip"])
def test_endings_in_any_case(tmp_path: Path, name: str) -> None:
    assert open_bundle(zipped(tmp_path / name, FILES)).files == FILES
    assert open_bundle(tarred(tmp_path / "b.TAR.GZ", FILES)).files == FILES


def test_what_macos_adds_is_named(tmp_path: Path) -> None:
    more = {"bundle/.DS_Store": b"x", "__MACOSX/bundle/._ledger.jsonl": b"y", "__MACOSX/._bundle": b"z"}
    bundle = open_bundle(zipped(tmp_path / "b.zip", {**below("bundle/"), **more}, folders=("__MACOSX/",)))
    assert bundle.files == FILES
    told = whys(bundle)
    assert set(told) == {".DS_Store", "__MACOSX"} and len(bundle.problems) == 2
    assert "Finder" in told[".DS_Store"] and "macOS" in told["__MACOSX"]
    assert all("`ftbench pack`" in why and "safe name" not in why for why in told.values())


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "thumbs.db", "samples/desktop.ini", "._result.json", "adapter/.DS_Store"]
)
def test_desktop_files_are_named_in_a_folder_and_left_out_when_packed(tmp_path: Path, name: str) -> None:
    folder = laid(tmp_path / "bundle", {**FILES, name: b"x"})
    bundle = open_bundle(folder)
    assert bundle.files == FILES and "delete it" in whys(bundle)[name]
    told: list[str] = []
    assert pack(folder, tmp_path / "b.zip", told.append).read_bytes() == to_zip(FILES)
    assert told == [f"left out: {printable(name)}"]


def test_a_zip_comment_and_a_hard_link_are_named(tmp_path: Path) -> None:
    commented = open_bundle(zipped(tmp_path / "b.zip", FILES, b"made on my laptop"))
    assert not commented.files and "comment" in whys(commented)[""]
    source = laid(tmp_path / "bundle")
    os.link(source / "ledger.jsonl", source / "result2.json")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.add(source, "bundle")
    assert any("--hard-dereference" in why for why in whys(open_bundle(tmp_path / "b.tar.gz")).values())
    (source / "result2.json").unlink()
    copy = tmp_path / "copy"
    for name in FILES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(source / name, copy / name)
    assert open_bundle(copy).files == FILES and not open_bundle(copy).problems


@pytest.mark.parametrize("prefix", ["", "my-run/", "bundle/"])
def test_the_archive_of_a_runs_folder_says_what_to_hand_in(tmp_path: Path, prefix: str) -> None:
    files = {**below(f"{prefix}bundle/"), f"{prefix}run.json": b"{}", f"{prefix}state/a.safetensors": b"x"}
    for path in (zipped(tmp_path / "b.zip", files), tarred(tmp_path / "b.tgz", files)):
        bundle = open_bundle(path)
        assert not bundle.files
        assert "run's whole folder" in whys(bundle)[""] and "`bundle/` alone" in whys(bundle)[""]


def test_a_runs_folder_says_which_folder_to_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    laid(tmp_path / "run", {**below("bundle/"), "run.json": b"{}"})
    with pytest.raises(InvalidInput, match="FTB603") as error:
        open_bundle(tmp_path / "run")
    assert f"give {tmp_path / 'run' / 'bundle'}" in str(error.value)
    assert run(["verify", str(tmp_path / "run")]) == 3
    assert f"give {tmp_path / 'run' / 'bundle'}" in capsys.readouterr().err
    laid(tmp_path / "young", {"run.json": b"{}"})
    with pytest.raises(InvalidInput, match=r"no bundle yet(.|\n)*--resume"):
        open_bundle(tmp_path / "young")


@pytest.mark.parametrize("top", ["../", "/", "adapter/", "samples/"])
def test_other_folders_are_not_taken_off(tmp_path: Path, top: str) -> None:
    bundle = open_bundle(zipped(tmp_path / "b.zip", below(top, {"result.json": b"x", "entry.yaml": b"y"})))
    assert "result.json" not in bundle.files


def test_two_top_folders_are_not_taken_off(tmp_path: Path) -> None:
    files = {**below("a/"), "b/result.json": b"other"}
    assert not open_bundle(zipped(tmp_path / "b.zip", files)).files.keys() & FILES.keys()


MISSING = [
    ["validate", "{none}.yaml"],
    ["validate", "quickstart", "--entry", "{none}.yaml"],
    ["hash", "{none}.yaml"],
    ["lock", "{none}.yaml"],
    ["compile", "{none}.yaml", "--out", "{out}"],
    ["run", "{none}.yaml", "--out", "{out}"],
    ["run", "quickstart", "--entry", "{none}.yaml", "--out", "{out}"],
    ["run", "--resume", "{none}"],
    ["evaluate", "{none}"],
    ["verify", "{none}"],
    ["verify", "{none}.zip"],
    ["verify", "{none}", "--benchmarks", "{none}"],
    ["pack", "{none}"],
    ["leaderboard", "{none}"],
    ["leaderboard", "{none}", "--benchmarks", "{none}"],
    ["diff", "quickstart", "{none}.yaml"],
    ["explain", "{none}.yaml"],
    ["estimate", "{none}.yaml"],
    ["estimate", "quickstart", "--entry", "{none}.yaml"],
    ["estimate", "quickstart", "--model", "{none}/config.json"],
    ["models", "{none}/config.json"],
    ["partition", "{none}.yaml"],
    ["privacy", "{none}.yaml"],
    ["publish", "{none}.yaml", "--out", "{out}"],
    ["sweep", "{none}.yaml", "--vary", "adapter.rank=1,2", "--out", "{out}"],
    ["data", "fetch", "{none}.yaml"],
    ["data", "overlap", "{none}.yaml"],
]


@pytest.mark.parametrize("argv", MISSING, ids=" ".join)
def test_a_missing_path_has_one_exit_code(tmp_path: Path, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = [word.format(none=tmp_path / "none", out=tmp_path / "out") for word in argv]
    assert run(words) == 3, capsys.readouterr().err
    assert "none" in capsys.readouterr().err
