"""Files of the hub, through the real client: what goes wrong is told, and nothing half-written stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.data import hub as hub_module
from ftbench.data import scratch
from ftbench.data.hub import Hub, RemoteFile, match
from ftbench.data.hub_errors import LONGEST_WAIT, wait
from ftbench.errors import MissingResource

Connect = Callable[[], Hub]

SMALL = b"a,b\n1,2\n"
LARGE = bytes(n % 251 for n in range(200_000))
FILES = {"data/small.csv": SMALL, "data/large.csv": LARGE, "README.md": b"# data\n"}


@pytest.fixture
def commit(hub: Any) -> str:
    found: str = hub.add("dataset", "some/data", FILES, "cc-by-4.0")
    return found


def get(connection: Hub, into: Path, path: str = "", commit: str | None = None) -> list[Path]:
    """All that `ftbench` asks of a hub for a source."""
    found = connection.commit("dataset", "some/data", commit)
    files = [file for file in connection.files("dataset", "some/data", found) if path in file.path]
    return connection.download("dataset", "some/data", found, files, into)


def code(error: pytest.ExceptionInfo[MissingResource]) -> str:
    return error.value.diagnostics[0].code


def left(folder: Path) -> list[str]:
    """Data that lies there, whatever it is called; `huggingface_hub` keeps empty locks beside downloads."""
    return [path.name for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0]


def test_files_come_whole_and_the_commit_is_told(connect: Connect, commit: str, tmp_path: Path, waits: Any) -> None:
    told: list[str] = []
    connection = connect()
    connection.tell = told.append
    paths = get(connection, tmp_path / "into")
    assert {path.relative_to(tmp_path / "into").as_posix(): path.read_bytes() for path in paths} == FILES
    assert any(commit in line for line in told)
    assert connection.licence("dataset", "some/data", commit) == "CC-BY-4.0"
    assert waits == []


def test_main_is_asked_for_once(hub: Any, connect: Connect, commit: str) -> None:
    connection = connect()
    assert connection.commit("dataset", "some/data") == commit
    hub.add("dataset", "some/data", {"other.csv": b"x"})
    assert connection.commit("dataset", "some/data") == commit


def test_what_is_there_and_whole_is_not_fetched_again(hub: Any, connect: Connect, commit: str, tmp_path: Path) -> None:
    get(connect(), tmp_path / "into")
    before = hub.asked("GET", "/resolve/") + hub.asked("GET", "/cdn/")
    (tmp_path / "into/data/small.csv").write_bytes(b"a,b\n9,9\n")
    get(connect(), tmp_path / "into")
    assert hub.asked("GET", "/resolve/") + hub.asked("GET", "/cdn/") == before + 1
    assert (tmp_path / "into/data/small.csv").read_bytes() == SMALL


def test_the_token_goes_to_the_hub_only(
    hub: Any, connect: Connect, commit: str, tmp_path: Path, monkeypatch: Any
) -> None:
    get(connect(), tmp_path / "a")
    assert hub.tokens == set()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    get(connect(), tmp_path / "b")
    assert hub.tokens == {("127.0.0.1", "Bearer hf_secret")}


@pytest.mark.parametrize("path", ["small", "large"])
def test_other_bytes_are_refused(hub: Any, connect: Connect, commit: str, tmp_path: Path, path: str) -> None:
    hub.fail("wrong")
    with pytest.raises(MissingResource) as error:
        get(connect(), tmp_path / "into", path)
    assert code(error) == "FTB346"
    assert not list((tmp_path / "into").rglob("*.csv"))


def test_a_cut_connection_goes_on(hub: Any, connect: Connect, commit: str, tmp_path: Path) -> None:
    hub.fail("cut", times=1)
    (path,) = get(connect(), tmp_path / "into", "large")
    assert path.read_bytes() == LARGE


def test_a_connection_that_is_always_cut_leaves_nothing(
    hub: Any, connect: Connect, commit: str, tmp_path: Path, waits: list[float]
) -> None:
    hub.fail("cut")
    with pytest.raises(MissingResource) as error, scratch.folder(tmp_path / "tmp") as folder:
        get(connect(), folder, "large")
    assert code(error) in {"FTB340", "FTB346"}
    assert left(tmp_path / "tmp") == []
    assert waits


@pytest.mark.parametrize(
    ("fault", "wanted", "hint"),
    [
        ("gated", "FTB343", "HF_TOKEN"),
        ("forbidden", "FTB343", "conditions"),
        ("401", "FTB341", ""),
        ("403", "FTB341", ""),
    ],
)
@pytest.mark.parametrize("path", ["/api/", "/resolve/"])
def test_a_closed_repository_is_told_at_once(
    hub: Any, connect: Connect, commit: str, tmp_path: Path, waits: Any, fault: str, wanted: str, hint: str, path: str
) -> None:
    hub.fail(fault, path)
    with pytest.raises(MissingResource) as error:
        get(connect(), tmp_path / "into")
    assert code(error) == wanted
    assert hint in error.value.diagnostics[0].hint
    assert waits == []


def test_a_commit_that_is_gone(hub: Any, connect: Connect, commit: str, tmp_path: Path, waits: Any) -> None:
    hub.add("dataset", "some/data", {"other.csv": b"x"})
    hub.drop("dataset", "some/data", commit)
    with pytest.raises(MissingResource) as error:
        get(connect(), tmp_path / "into", commit=commit)
    assert code(error) == "FTB342"
    assert waits == []


def test_a_repository_that_is_not_there(connect: Connect) -> None:
    with pytest.raises(MissingResource) as error:
        connect().commit("dataset", "some/other")
    assert code(error) == "FTB341"


def test_a_rate_limit_is_waited_for(hub: Any, connect: Connect, commit: str, tmp_path: Path, waits: Any) -> None:
    hub.fail("429", "/revision/", times=2, Retry_After="7")
    assert len(get(connect(), tmp_path / "into")) == 3
    assert waits == [7, 7]


def test_a_rate_limit_while_files_come(hub: Any, connect: Connect, commit: str, tmp_path: Path, waits: Any) -> None:
    for path in ("/tree/", "/resolve/", "/cdn/"):
        hub.fail("429", path, times=1, Retry_After="3")
    assert len(get(connect(), tmp_path / "into")) == 3
    assert waits and max(waits) <= 4


def test_a_rate_limit_without_end(hub: Any, connect: Connect, commit: str, waits: Any) -> None:
    hub.fail("429", Retry_After="100000")
    with pytest.raises(MissingResource) as error:
        connect().commit("dataset", "some/data")
    assert code(error) == "FTB344"
    assert waits == [LONGEST_WAIT] * 4


def test_a_server_in_trouble(hub: Any, connect: Connect, commit: str, tmp_path: Path, waits: Any) -> None:
    hub.fail("503", "/revision/", times=3)
    assert len(get(connect(), tmp_path / "into")) == 3
    assert waits == [1, 2, 4]
    hub.fail("500", "/revision/")
    with pytest.raises(MissingResource) as error:
        connect().commit("dataset", "some/data")
    assert code(error) == "FTB345"


def test_no_hub_at_all(tmp_path: Path, waits: list[float]) -> None:
    connection = Hub(tmp_path, endpoint="http://127.0.0.1:9", sleep=waits.append)
    with pytest.raises(MissingResource) as error:
        connection.commit("dataset", "some/data")
    assert code(error) == "FTB340"
    assert waits == [1, 2, 4, 8]


def test_told_to_stay_offline(hub: Any, connect: Connect, commit: str, monkeypatch: Any, waits: Any) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingResource, match=r"FTB340.*HF_HUB_OFFLINE"):
        connect().commit("dataset", "some/data")
    assert waits == [] and hub.requests == []


def test_an_address_without_a_scheme(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"FTB340.*https://"):
        Hub(tmp_path, endpoint="huggingface.co")


def test_waits_are_bounded() -> None:
    assert [wait(n) for n in (1, 2, 3, 20)] == [1, 2, 4, LONGEST_WAIT]
    assert wait(1, "30") == 30
    assert wait(1, "Wed, 21 Oct 2015 07:28:00 GMT") == 1


def test_a_disk_without_room(connect: Connect, commit: str, tmp_path: Path, monkeypatch: Any, hub: Any) -> None:
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(MissingResource) as error:
        get(connect(), tmp_path / "into")
    assert code(error) == "FTB347"
    assert hub.asked("GET", "/resolve/") == 0


def test_a_disk_that_fills_up(hub: Any, commit: str, tmp_path: Path) -> None:
    """A process that may write files of 100 kB only meets the error in the middle of a download."""
    script = (
        "import resource, signal, sys; from pathlib import Path; from ftbench.data.hub import Hub;"
        "from ftbench.data import scratch; from ftbench.errors import MissingResource\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2)\n"
        "hub = Hub(Path(sys.argv[1]), sleep=lambda seconds: None)\n"
        "try:\n"
        "    with scratch.folder(hub.scratch) as folder:\n"
        "        what = ('dataset', 'some/data', sys.argv[2]); hub.download(*what, hub.files(*what), folder)\n"
        "except MissingResource as error: print(error.diagnostics[0].code)\n"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "tmp"), commit]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "FTB347"
    assert left(tmp_path / "tmp") == []


@pytest.mark.parametrize("path", ["../evil.csv", "/evil.csv", "a/../../evil.csv", "a\\evil.csv", "a\n.csv", ".cache/x"])
def test_paths_that_leave_the_folder_are_refused(connect: Connect, commit: str, tmp_path: Path, path: str) -> None:
    files = [RemoteFile(path, 1, None, "0" * 40)]
    with pytest.raises(MissingResource) as error:
        connect().download("dataset", "some/data", commit, files, tmp_path / "into")
    assert code(error) == "FTB331"


def test_patterns() -> None:
    files = [RemoteFile(path, 1, None, "") for path in ("a/x.csv", "a/y.csv", "a/b/z.csv", "a/[w].csv", "w.csv")]

    def names(pattern: str) -> list[str]:
        return [file.path for file in match(files, pattern, "it")]

    assert names("a/*.csv") == ["a/x.csv", "a/y.csv", "a/[w].csv"]
    assert names("a/?.csv") == ["a/x.csv", "a/y.csv"]
    assert names("a/[w].csv") == ["a/[w].csv"]
    assert names("*/*/z.csv") == ["a/b/z.csv"]
    with pytest.raises(MissingResource, match="FTB330"):
        match(files, "a/q*.csv", "it")


def test_a_folder_that_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from ftbench.data import scratch\n"
        "with scratch.folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_text('x'); os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert left(tmp_path) == ["half"]
    with scratch.folder(tmp_path) as mine, scratch.folder(tmp_path) as other:
        assert left(tmp_path) == []
        assert mine.is_dir() and other.is_dir()
    assert list(tmp_path.iterdir()) == []
