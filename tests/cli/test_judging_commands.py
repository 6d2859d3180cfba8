"""verify, leaderboard, pack: on forged bundles of two benchmarks, one bad among the good ones."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run
from ftbench.data.store import Store

Captured = pytest.CaptureFixture[str]


def test_verify_accepts(submitted: Any, capsys: Captured) -> None:
    assert run(["verify", submitted.good, *submitted.options]) == 0
    out = capsys.readouterr().out
    assert "RESCORED (accepted" in out
    assert "not checked" in out


def test_verify_refuses_below_the_level_required(submitted: Any, capsys: Captured, tmp_path: Path) -> None:
    tampered = str(submitted.bundles / "tampered")
    assert run(["verify", tampered, *submitted.options]) == 1
    assert "refused" in capsys.readouterr().out
    # A maintainer without data and weights, who has only made the base model known.
    light = Store([tmp_path])
    light.put_outline(submitted.world.store.outline(submitted.world.spec.model.base.revision))
    options = ["--store", str(tmp_path), *submitted.options[2:]]
    assert run(["verify", submitted.good, *options]) == 1
    assert run(["verify", submitted.good, "--require", "CONFORMS", *options]) == 0
    nothing = ["--store", "/nowhere", *submitted.options[2:]]
    assert run(["verify", submitted.good, "--require", "CONFORMS", *nothing]) == 1
    assert run(["verify", submitted.good, "--require", "INTACT", *nothing]) == 0


def test_verify_of_several_is_one_object(submitted: Any, capsys: Captured) -> None:
    both = [submitted.good, str(submitted.bundles / "tampered")]
    assert run(["verify", *both, "--format", "json", *submitted.options]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert [one["verdict"]["accepted"] for one in answer["bundles"]] == [True, False]
    assert answer["accepted"] is False


def test_verify_for_github(submitted: Any, capsys: Captured) -> None:
    assert run(["verify", str(submitted.bundles / "tampered"), "--format", "github", *submitted.options]) == 1
    out = capsys.readouterr().out
    assert all(line.startswith("::") for line in out.splitlines())
    assert "::error " in out


@pytest.mark.parametrize("name", ["b.zip", "b.ZIP", "b.tar.gz", "b.tgz", "b.tar"])
def test_the_archive_of_a_folder_is_the_bundle(submitted: Any, capsys: Captured, tmp_path: Path, name: str) -> None:
    """As a desktop's menu or `tar czf b.tar.gz mine-s1` makes it; with what macOS adds it is refused by that name."""
    folder = tmp_path / "mine-s1"
    shutil.copytree(submitted.good, folder)
    made = shutil.make_archive(str(tmp_path / "made"), _kind(name), tmp_path, "mine-s1")
    shutil.move(made, tmp_path / name)
    assert run(["verify", str(tmp_path / name), *submitted.options]) == 0
    assert "RESCORED (accepted" in capsys.readouterr().out
    (folder / ".DS_Store").write_bytes(b"x")
    made = shutil.make_archive(str(tmp_path / "made"), _kind(name), tmp_path, "mine-s1")
    shutil.move(made, tmp_path / name)
    assert run(["verify", str(tmp_path / name), *submitted.options]) == 1
    assert "`.DS_Store` is how macOS's Finder shows the folder: delete it" in capsys.readouterr().out
    assert run(["pack", str(folder), "--out", str(tmp_path / "packed.zip")]) == 0
    assert run(["verify", str(tmp_path / "packed.zip"), *submitted.options]) == 0


def _kind(name: str) -> str:
    return "zip" if name.casefold().endswith("zip") else "tar" if name.endswith(".tar") else "gztar"


def test_verify_where_there_is_nothing(tmp_path: Path, capsys: Captured) -> None:
    assert run(["verify", str(tmp_path / "none")]) == 3
    assert "FTB603" in capsys.readouterr().err


def board(submitted: Any, capsys: Captured, *more: str) -> dict[str, Any]:
    assert run(["leaderboard", str(submitted.bundles), *submitted.options, "--json", *more]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_leaderboard(submitted: Any, capsys: Captured) -> None:
    """Two hashes are two tables, three seeds one row, and the bad bundles stand apart."""
    answer = board(submitted, capsys)
    tables = answer["tables"]
    assert len({table["spec_hash"] for table in tables}) == 2
    rows = sorted((len(row["seeds"]), [one["path"] for one in row["bundles"]]) for t in tables for row in t["rows"])
    assert rows == [(1, ["elsewhere"]), (1, ["other.zip"]), (3, ["mine-s1", "mine-s2", "mine-s3"])]
    three = next(row for table in tables for row in table["rows"] if len(row["seeds"]) == 3)
    assert three["missing_seeds"] == [] and three["spread"] > 0
    assert {one["path"]: one["level"] for one in answer["refused"]} == {"tampered": "CONFORMS", "broken.zip": "NONE"}
    assert "prompts-compiled" in next(one["reason"] for one in answer["refused"] if one["path"] == "tampered")
    assert all(table["compared_by"] == "paired" for table in tables)


def test_leaderboard_formats(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    few = tmp_path / "few"
    for name in ("mine-s1", "tampered"):
        shutil.copytree(submitted.bundles / name, few / name)
    base = ["leaderboard", str(few), *submitted.options]
    assert run([*base, "--out", str(tmp_path / "t.md")]) == 0
    assert run([*base, "--out", str(tmp_path / "t.csv")]) == 0
    assert run([*base, "--format", "json", "--out", str(tmp_path / "t.json")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "t.md").read_text().startswith("# Leaderboard")
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [row["kind"] for row in rows].count("entry") == 1
    assert run([*base, "--json"]) == 0
    assert json.loads((tmp_path / "t.json").read_text()) == json.loads(capsys.readouterr().out)
    assert run(base) == 0
    shown = capsys.readouterr()
    assert "Not ranked" in shown.out and "tampered" in shown.out and "RESCORED" in shown.out
    assert "verifying mine-s1" in shown.err
    assert run([*base, "--format", "markdown"]) == 0
    assert capsys.readouterr().out == (tmp_path / "t.md").read_text()


def test_leaderboard_without_bundles(tmp_path: Path, capsys: Captured) -> None:
    assert run(["leaderboard", str(tmp_path)]) == 4
    assert "FTB701" in capsys.readouterr().err


def test_pack_then_verify(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    archive = tmp_path / "mine.zip"
    assert run(["pack", submitted.good, "--out", str(archive)]) == 0
    assert str(archive) in capsys.readouterr().out
    assert run(["verify", str(archive), *submitted.options]) == 0
    again = tmp_path / "again.zip"
    assert run(["pack", submitted.good, "--out", str(again)]) == 0
    assert again.read_bytes() == archive.read_bytes()


def test_compare(submitted: Any, tmp_path: Path, capsys: Captured) -> None:
    one, other = (str(submitted.bundles / name) for name in ("mine-s1", "mine-s2"))
    assert run(["compare", one, other, *submitted.options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "seed" in [condition["path"] for condition in answer["conditions"]]
    task = answer["tasks"][0]
    assert round(task["difference"] * task["items"]) == len(task["gained"]) - len(task["lost"])
    page = tmp_path / "new" / "pair.html"
    assert run(["compare", one, other, *submitted.options, "--html", str(page)]) == 0
    text = page.read_text("utf-8")
    assert "Conditions that differ" in text and "Items gained and lost" in text and "<script" not in text
    capsys.readouterr()
    assert run(["compare", one, str(submitted.bundles / "broken.zip"), *submitted.options]) == 3
    assert run(["compare", one, str(tmp_path), *submitted.options]) == 3
    assert run(["compare", str(tmp_path / "none.yaml"), one, *submitted.options]) == 3
    assert "FTB710" in capsys.readouterr().err
    assert run(["diff", one, other]) == 3
    assert "FTB709" in capsys.readouterr().err
