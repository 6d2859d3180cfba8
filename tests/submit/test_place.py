"""Bringing bundles from an address: by digest, within limits, with or without the adapter."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import forge
import pytest

from ftbench.errors import FtbenchError
from ftbench.result import manifest, names
from ftbench.result.files import Limits
from ftbench.spec.canonical import pretty, sha256
from ftbench.submit import place
from ftbench.submit.judge import Judge
from ftbench.submit.place import bring, from_address
from ftbench.verify import render

NEED_SHAPES = {"bytes-counted", "budget-kept"}
"""They count what is sent by the adapter's arrays."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if "/away/" in self.path:
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif "/inside/" in self.path:
            self.send_response(302)
            name = self.path.partition("/inside/")[2]
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/b/{name}")
            self.end_headers()
        elif "/drip/" in self.path:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if "/body" in self.path else b"X: "))
            with contextlib.suppress(OSError):
                for _ in range(200):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
        else:
            super().do_GET()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def submission(root: Path, digest: str, place: str) -> Path:
    path = root / "results" / "submissions" / "mine.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pretty({"format": "ftbench/submission/v1", "bundle": digest, "place": place}))
    return path


def refused(code: str, call: object) -> str:
    assert callable(call)
    with pytest.raises(FtbenchError) as error:
        call()
    assert error.value.diagnostics[0].code == code, error.value.diagnostics
    return error.value.diagnostics[0].message


def test_whole(served: tuple[Path, str], signed: dict[int, dict[str, bytes]], judge: Judge) -> None:
    root, address = served
    forge.write_folder(signed[1], root / "b")
    digest = sha256(signed[1][names.MANIFEST])
    found = from_address(f"{address}/b/", digest)
    assert found.files == signed[1] and not found.problems
    verdict = judge.verdict(found)
    assert verdict.accepted and verdict.signature is not None and verdict.left_out == []
    unsigned = {name: data for name, data in signed[2].items() if name != names.SIGNATURE}
    forge.write_folder(unsigned, root / "c")
    assert from_address(f"{address}/c", None).files == unsigned


def test_without_the_adapter(
    served: tuple[Path, str], signed: dict[int, dict[str, bytes]], judge: Judge, world: forge.World
) -> None:
    """The level is told, and that nothing is known of the adapter; a lie elsewhere is caught all the same."""
    root, address = served
    files = {name: data for name, data in signed[1].items() if name != names.ADAPTER}
    forge.write_folder(files, root / "b")
    found = from_address(f"{address}/b", sha256(files[names.MANIFEST]), adapter=False)
    verdict = judge.verdict(found)
    assert verdict.level == "RESCORED" and verdict.left_out == [names.ADAPTER]
    undone = {check.check for check in verdict.checks if check.outcome == "not-run"}
    assert undone == {f"adapter-{what}" for what in ("config", "digest", "shape", "trained")} | NEED_SHAPES
    assert sum(names.ADAPTER in sentence for sentence in verdict.not_checked) == len(undone)
    assert f"RESCORED without {names.ADAPTER} (accepted" in render.text(verdict, "x")
    lie = forge.Forged(world, dict(signed[1]), {"scores"})
    with lie.result() as result:
        result["scores"]["tuned"]["value"] += 0.01
    forge.reseal(lie)
    forge.write_folder(lie.files, root / "l")
    assert judge.verdict(from_address(f"{address}/l", None, adapter=False)).level == "NONE"


def test_what_is_not_what_was_handed_in(served: tuple[Path, str], signed: dict[int, dict[str, bytes]]) -> None:
    root, address = served
    digest = sha256(signed[1][names.MANIFEST])
    forge.write_folder(signed[2], root / "other")
    assert "manifest" in refused("FTB781", lambda: from_address(f"{address}/other", digest))
    swapped = {**signed[1], names.LEDGER: signed[2][names.LEDGER]}
    forge.write_folder(swapped, root / "swapped")
    assert names.LEDGER in refused("FTB781", lambda: from_address(f"{address}/swapped", digest))
    longer = {**signed[1], names.ENTRY: signed[1][names.ENTRY] + b"\n"}
    forge.write_folder(longer, root / "longer")
    assert "more than" in refused("FTB781", lambda: from_address(f"{address}/longer", digest))
    refused("FTB782", lambda: from_address(f"{address}/none", digest))
    refused("FTB782", lambda: from_address(f"{address}/away/x", digest))
    refused("FTB782", lambda: from_address("http://127.0.0.1:9/x", digest))
    (root / "big").mkdir()
    (root / "big" / names.MANIFEST).write_bytes(b" " * (2**20 + 1))
    refused("FTB781", lambda: from_address(f"{address}/big", None))


def test_names_and_sizes_that_a_manifest_may_not_have(served: tuple[Path, str]) -> None:
    root, address = served
    files = {"../x": b"1", "a/b": b"2", names.ENTRY: b"3" * 100, "samples/x.jsonl.gz": b"4"}
    (root / "b").mkdir()
    (root / "b" / names.MANIFEST).write_bytes(manifest.to_bytes(manifest.make(files)))
    forge.write_folder({"samples/x.jsonl.gz": b"4", names.ENTRY: b"3" * 100}, root / "b")
    found = from_address(f"{address}/b", None, limits=Limits(total_bytes=1, file_bytes=1))
    assert set(found.files) <= {"samples/x.jsonl.gz"} and found.problems


def test_a_server_that_drips_is_left(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte comes later than the socket's own limit, and the bundle would take years."""
    _, address = served
    monkeypatch.setattr(place, "PATIENCE", 1)
    began = time.monotonic()
    for what in ("headers", "body"):
        assert "time" in refused("FTB782", lambda what=what: from_address(f"{address}/drip/{what}", None))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("where", ["http://127.0.0.1:1/x", "http://example.org/x", "file:///etc/passwd", "ftp://a/b"])
def test_a_submission_asks_no_server_but_by_https(tmp_path: Path, where: str) -> None:
    """Not what listens on the verifier's own machine."""
    assert "https" in refused("FTB781", lambda: bring(submission(tmp_path, "0" * 64, where)))


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "[::1]", "10.0.0.1", "[::ffff:169.254.169.254]", "0"])
def test_a_submission_asks_no_private_server(tmp_path: Path, host: str) -> None:
    assert "private" in refused("FTB782", lambda: bring(submission(tmp_path, "0" * 64, f"https://{host}/x")))


def test_a_server_out_there_leads_to_nothing_inside(
    served: tuple[Path, str], signed: dict[int, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that somebody named on this machine leads to others here; one in the internet does not."""
    root, address = served
    forge.write_folder(signed[1], root / "b")
    assert from_address(f"{address}/inside", None).files == signed[1]
    monkeypatch.setattr(place, "private", lambda host: host == "127.0.0.1")
    outside = address.replace("127.0.0.1", "localhost")
    assert from_address(f"{outside}/b", None).files == signed[1]
    assert "private" in refused("FTB782", lambda: from_address(f"{outside}/inside", None))


@pytest.mark.parametrize(
    "host",
    ["64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1", "::ffff:0:10.0.0.1", "fec0::1", "224.0.0.1"],
)
def test_addresses_that_stand_for_private_ones(host: str) -> None:
    """A gateway that translates (NAT64, 6to4, SIIT) carries what is sent there into the private network."""
    assert place.private(host)


def test_public_addresses() -> None:
    assert not place.private("64:ff9b::5db8:d822") and not place.private("::ffff:93.184.216.34")
    assert not place.private("93.184.216.34") and not place.private("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize("where", ["bundles/x\0", "x" * 900])
def test_a_place_that_is_no_path(tmp_path: Path, where: str) -> None:
    refused("FTB781", lambda: bring(submission(tmp_path, "0" * 64, where)))


@pytest.mark.parametrize("where", ["../outside", "/etc", "bundles/../../outside"])
def test_a_place_never_leads_out(tmp_path: Path, signed: dict[int, dict[str, bytes]], where: str) -> None:
    forge.write_folder(signed[1], tmp_path / "outside")
    digest = sha256(signed[1][names.MANIFEST])
    refused("FTB781", lambda: bring(submission(tmp_path, digest, where)))
    (tmp_path / "results" / "link").symlink_to(tmp_path / "outside")
    refused("FTB781", lambda: bring(submission(tmp_path, digest, "link")))
