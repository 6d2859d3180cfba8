"""Bundles that are made to take a verifier's time and memory: each is refused at once."""

from __future__ import annotations

import gzip
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import forge
import pytest

from ftbench.errors import InvalidInput
from ftbench.result import ledger, names, safejson, samples
from ftbench.result.files import Limits, open_bundle
from ftbench.spec.canonical import canonical


@contextmanager
def soon(seconds: float = 5) -> Iterator[None]:
    """Far above what it takes, far below what the attack would."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < seconds


def tar(kind: bytes, body: bytes) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, len(body)
    return gzip.compress(member.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512 + 1024))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_extended_header_searched_in_quadratic_time(tmp_path: Path, kind: bytes) -> None:
    """`tarfile` looks for `hdrcharset` behind every run of digits: a megabyte of them, packed to one kilobyte."""
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(tar(kind, b"1" * 900_000))
    with soon():
        assert "extended header" in str(open_bundle(path).problems[0])


def test_tar_size_that_is_no_number(tmp_path: Path) -> None:
    raw = bytearray(gzip.decompress(tar(tarfile.REGTYPE, b"x")))
    raw[124:136] = b"\x80" + bytes(10) + b"\x01"
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(gzip.compress(bytes(raw)))
    assert "octal" in str(open_bundle(path).problems[0])


def test_ledger_of_a_million_lines() -> None:
    line = canonical({"seq": 1, "prev": "0" * 64, "body": {"event": "resumed", "after_round": 0}}) + b"\n"
    with soon(), pytest.raises(InvalidInput, match="at most"):
        ledger.parse(line * 1_000_000, "ledger")


def test_answer_of_half_a_million_numbers() -> None:
    line = b'{"index":0,"item":"%s","options":[],"prompt":"","target":0,"tuned":{"loglikelihoods":[0%s]}}\n'
    with soon(), pytest.raises(InvalidInput, match="loglikelihoods"):
        samples.parse_lines(line % (b"0" * 64, b",0" * 500_000), "samples")


def test_more_answers_than_are_read() -> None:
    answers = {"index": 0, "item": "0" * 64, "prompt": "", "options": [], "target": 0, "untuned": {}, "tuned": {}}
    line = canonical(answers) + b"\n"
    assert len(samples.parse_lines(line * 5, "samples", 10)) == 5
    with pytest.raises(InvalidInput, match="more answers"):
        samples.parse_lines(line * 6, "samples", 10)


def test_numbers_are_not_walked() -> None:
    with soon():
        assert len(safejson.parse(b"[0" + b",0" * 2_000_000 + b"]", "x")) == 2_000_001


@pytest.mark.parametrize("name", [names.RESULT, names.LOCK, names.ENVIRONMENT, names.MANIFEST, names.ADAPTER_CONFIG])
def test_document_larger_than_any_real_one(world: forge.World, genuine: forge.Forged, name: str) -> None:
    genuine.files[name] = b"[0" + b",0" * (5 * 2**20) + b"]"
    with soon():
        verdict = world.verdict(genuine.files)
    assert verdict.level == "NONE"
    assert any(f"{name}: has 10485763 bytes" in check.evidence for check in verdict.checks)


def test_only_the_adapter_may_be_very_large() -> None:
    limits = Limits()
    assert limits.of(names.ADAPTER) > limits.of("samples/jars.jsonl.gz") == limits.other_bytes
