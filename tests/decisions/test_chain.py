"""The chain of decisions: what follows is taken, what is other is caught, and by what a forger who re-seals is."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))

import keys

from ftbench.decisions import chain, standing
from ftbench.decisions.documents import Decision, PlannedRun, Registration
from ftbench.errors import InvalidInput, MissingResource
from ftbench.locks import hold_folder, holders, release_folder
from ftbench.result.signed import Signed
from ftbench.signing.keygen import Signers
from ftbench.spec.canonical import canonical, digest, sha256

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
ADA = Signed(key="SHA256:" + "A" * 43, identity="ada")
BOB = Signed(key="SHA256:" + "B" * 43, identity="bob")


def body(event: str, document: str = A, minute: int = 0, **more: Any) -> Decision:
    value = {
        "event": event,
        "time": f"2026-01-01T00:{minute:02d}:00Z",
        "submission": f"row-{document[0]}",
        "document": document,
        "spec_hash": "d" * 64,
        "level": "RESCORED",
        "verifier": "val@example.org",
        "reasons": ["reached RESCORED"],
    }
    return Decision.model_validate({**value, **more})


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys.make_key(tmp_path_factory.mktemp("keys"), "val")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, key: Path) -> bytes:
    folder = tmp_path_factory.mktemp("results")
    for event, document in (("received", A), ("received", B), ("accepted", A), ("refused", B), ("re-scored", B)):
        chain.append(folder, body(event, document), key)
    return (folder / chain.FILE).read_bytes()


def broken(data: bytes) -> str:
    with pytest.raises(InvalidInput) as error:
        chain.parse(data, "x")
    assert {one.code for one in error.value.diagnostics} == {"FTB780"}
    return "; ".join(one.message for one in error.value.diagnostics)


def test_grows_and_reads(tmp_path: Path) -> None:
    before = b""
    for number, event in enumerate(("received", "accepted", "carried", "carried", "withdrawn")):
        chain.append(tmp_path, body(event, minute=number))
        data = (tmp_path / chain.FILE).read_bytes()
        assert chain.grown(before, data)
        before = data
    assert [line.body.event for line in chain.read(tmp_path)][-1] == "withdrawn"
    assert chain.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (["accepted"], "never received"),
        (["received", "received"], "a second time"),
        (["received", "carried"], "was not accepted"),
        (["received", "withdrawn", "re-scored"], "after it was withdrawn"),
        (["received", "accepted", "refused"], "nothing was to decide"),
        (["registered", "accepted"], "never received"),
    ],
)
def test_order(tmp_path: Path, events: list[str], told: str) -> None:
    for event in events[:-1]:
        chain.append(tmp_path, body(event))
    before = (tmp_path / chain.FILE).read_bytes() if events[:-1] else b""
    with pytest.raises(InvalidInput) as error:
        chain.append(tmp_path, body(events[-1]))
    assert told in error.value.diagnostics[0].message
    assert not before or (tmp_path / chain.FILE).read_bytes() == before


def test_time_does_not_run_back(tmp_path: Path) -> None:
    chain.append(tmp_path, body("received", minute=5))
    with pytest.raises(InvalidInput):
        chain.append(tmp_path, body("accepted", minute=4))


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
@pytest.mark.parametrize("mode", ["LOCK_SH", "LOCK_EX"])
def test_a_reader_who_holds_the_folder_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Whoever may read the folder may hold it: the writer ends with a diagnostic, and nothing is written."""
    import fcntl

    monkeypatch.setattr(chain, "PATIENCE", 0.2)
    reader = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(reader, getattr(fcntl, mode))
        with pytest.raises(MissingResource) as error:
            chain.append(tmp_path, body("received"))
    finally:
        os.close(reader)
    [told] = error.value.diagnostics
    assert told.code == "FTB871" and not (tmp_path / chain.FILE).exists()
    if Path("/proc/locks").is_file() and holders_are_told(tmp_path):
        assert f"process {os.getpid()} (" in told.message
    chain.append(tmp_path, body("received"))
    assert len(chain.read(tmp_path)) == 1


def holders_are_told(folder: Path) -> bool:
    """Whether this system's /proc/locks tells of a lock: some containers' is empty."""
    handle = hold_folder(folder)
    try:
        return bool(holders(folder))
    finally:
        release_folder(handle, folder)


def flips(data: bytes, count: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        broken(bytes(changed))


def test_flipped_bits(signed: bytes) -> None:
    flips(signed, 100, 1)


@pytest.mark.slow
def test_many_flipped_bits(signed: bytes) -> None:
    flips(signed, 2000, 2)


def test_cut_and_grown(signed: bytes) -> None:
    for changed in (signed[:-1], signed[1:], signed + b"\n", signed + b"{}\n", signed + signed, b"\n" + signed):
        broken(changed)


def test_a_chain_longer_than_is_read_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MAX_BYTES", 2**16)
    with (tmp_path / chain.FILE).open("wb") as file:
        file.truncate(2**40)  # a sparse file of a terabyte
    for use in (lambda: chain.read(tmp_path), lambda: chain.append(tmp_path, body("received"))):
        with pytest.raises(InvalidInput, match="has more than"):
            use()


def values(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def reseal(lines: list[Any]) -> bytes:
    """As a cheat makes the chain whole again: numbers, links and digests; signatures need a key."""
    before, out = chain.START, b""
    for number, line in enumerate(lines):
        line |= {"seq": number, "prev": before}
        line["digest"] = digest({name: value for name, value in line.items() if name != "digest"})
        raw = canonical(line) + b"\n"
        before, out = sha256(raw), out + raw
    return out


def caught_by_signature(data: bytes, signers: Signers | None = None) -> None:
    """The chain is whole, and a signature of a line is not."""
    lines = chain.parse(data, "x")
    with pytest.raises(InvalidInput) as error:
        for line in lines:
            chain.signed_by(line, "x", signers)
    assert error.value.diagnostics[0].code in ("FTB753", "FTB754")


def test_a_resealed_chain_is_caught_by_its_signatures(signed: bytes, key: Path, tmp_path: Path) -> None:
    lines = values(signed)
    assert reseal(values(signed)) == signed
    lines[-1]["body"]["reasons"] = ["the verifier liked it"]
    caught_by_signature(reseal(lines))
    lines = values(signed)
    lines[2]["body"]["level"] = "REPRODUCED"
    caught_by_signature(reseal(lines))
    lines = values(signed)
    del lines[3:5]
    lines.append(values(signed)[4] | {"body": lines[1]["body"] | {"event": "accepted"}})
    caught_by_signature(reseal(lines))
    # A line of another place in the chain, signature and all.
    lines = values(signed)
    lines[1], lines[2] = lines[2], lines[1]
    chain.parse(reseal([dict(line) for line in lines]), "x")  # the order of events reads: only the signatures tell
    caught_by_signature(reseal(lines))


def test_a_line_signed_by_a_stranger(signed: bytes, key: Path, tmp_path: Path) -> None:
    (tmp_path / chain.FILE).write_bytes(signed)
    listed = Signers(keys.signers(tmp_path / "signers", ("val", 'namespaces="ftbench-decision"', key)))
    assert {by.identity for line in chain.read(tmp_path) if (by := chain.signed_by(line, "x", listed))} == {"val"}
    chain.append(tmp_path, body("accepted", B), keys.make_key(tmp_path, "mallory"))
    caught_by_signature((tmp_path / chain.FILE).read_bytes(), listed)


def test_a_key_that_did_not_sign_is_named(signed: bytes) -> None:
    lines = values(signed)
    lines[-1]["key"] = ADA.key
    caught_by_signature(reseal(lines))


def test_a_shorter_or_other_chain_is_no_growth(signed: bytes) -> None:
    """What no signature tells: lines left out at the end, or all made anew without any."""
    whole = signed.split(b"\n")
    assert not chain.grown(signed, b"\n".join(whole[:3]) + b"\n")
    unsigned = [line | {"key": None, "signature": None} for line in values(signed)]
    anew = reseal(unsigned)
    chain.parse(anew, "x")
    assert not chain.grown(signed, anew) and chain.grown(signed, signed) and chain.grown(b"", signed)


def test_standing(tmp_path: Path) -> None:
    run = Registration(spec_hash="d" * 64, runs=[PlannedRun(entry=C, seed=seed) for seed in (1, 2)], trials=0)
    own = {"submitter": ADA.model_dump()}
    for event, document, more in (
        ("registered", "e" * 64, {**own, "submission": None}),
        ("received", A, {**own, "adapter": C}),
        ("received", B, {"submitter": BOB.model_dump(), "adapter": C, "answers": C}),
        ("accepted", B, {}),
        ("received", C, own),
        ("registered", "f" * 64, {**own, "submission": None}),
    ):
        chain.append(tmp_path, body(event, document, **more))
    lines = chain.read(tmp_path)
    assert [one.document for one in standing.pending(lines)] == [A, C]
    assert [one.document for one in standing.accepted(lines)] == [B]
    assert standing.identical(lines, C, None, B) == ["row-a"] and standing.identical(lines, None, None, A) == []
    assert standing.record(lines, ADA, "d" * 64) == standing.Record(2, 2)
    assert standing.record(lines, BOB, "d" * 64) == standing.Record(1, 0) and standing.record(lines, None, None) is None
    known = {"e" * 64: run}
    assert standing.registered(lines, known, ADA, ("d" * 64, C, 2)) == "e" * 64
    for who, told in ((BOB, ("d" * 64, C, 2)), (None, ("d" * 64, C, 2)), (ADA, ("d" * 64, C, 3)), (ADA, (A, C, 2))):
        assert standing.registered(lines, known, who, told) is None
    # Registered only after the bundle had come: that counts for nothing.
    assert standing.registered(lines, {"f" * 64: run}, ADA, ("d" * 64, C, 2), before=(A,)) is None
