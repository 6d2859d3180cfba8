"""Bundles that are made to take a verifier's time and memory: each is refused at once."""

from __future__ import annotations

import gzip
import random
import struct
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import forge
import pytest

from ftbench.errors import InvalidInput
from ftbench.result import adapter, ledger, manifest, names, safejson, samples
from ftbench.result.files import Limits
from ftbench.result.opening import open_bundle
from ftbench.spec.canonical import canonical
from ftbench.verify.verifier import verify


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


def refused_at_once(world: forge.World, path: Path, data: bytes, why: str) -> None:
    """By `documents-parse`: of a malformed archive nothing is taken in, however genuine the files in it are."""
    path.write_bytes(data)
    with soon(1):
        verdict = verify(path, store=world.store, benchmarks=[world.root / "benchmarks"])
    first = verdict.checks[0]
    assert verdict.level == "NONE" and (first.check, first.outcome) == ("documents-parse", "failed")
    assert first.evidence.startswith(f"{path.name}: {why}"), first.evidence


def tar_of(files: dict[str, bytes], *more: bytes) -> bytes:
    """The files as a tar, and behind them what a cheat adds."""
    made = b""
    for name, content in files.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        made += member.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)
    return gzip.compress(made + b"".join(more) + bytes(1024), mtime=0)


def header(kind: bytes, size: int, name: str) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_extended_header_hidden_in_a_member_that_has_no_content(
    world: forge.World, genuine: forge.Forged, tmp_path: Path, kind: bytes
) -> None:
    """One reader steps over what another reads, in time by its square: 200,000 digits took half a minute."""
    inner = header(tarfile.XHDTYPE, 200_000, "x") + b"1" * 200_000 + bytes(-200_000 % 512)
    path, why = tmp_path / "b.tar.gz", "the tar has a member with a size that is no regular file"
    path.write_bytes(tar_of(genuine.files))
    assert open_bundle(path).files == genuine.files
    refused_at_once(world, path, tar_of(genuine.files, header(kind, len(inner), "samples"), inner), why)


def test_size_in_an_extended_header(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    """It would be the member's size for one reader, the member's own header for another."""
    record = b"10 size=0\n"
    inner = header(tarfile.XHDTYPE, 200_000, "x") + b"1" * 200_000 + bytes(-200_000 % 512)
    extended = header(tarfile.XHDTYPE, len(record), "x") + record + bytes(-len(record) % 512)
    made = tar_of(genuine.files, extended, header(tarfile.REGTYPE, len(inner), "samples/x.jsonl.gz"), inner)
    refused_at_once(world, tmp_path / "b.tar.gz", made, "the tar has a pax header that gives a member another size")


def test_a_million_records_in_extended_headers(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    """Each of the least length, as many as an extended header holds, before each member."""
    body = b"5 a=\n" * 819
    extended = header(tarfile.XHDTYPE, len(body), "x") + body + bytes(-len(body) % 512)
    noise = header(tarfile.REGTYPE, 2**19, "samples/x.jsonl.gz") + random.Random(1).randbytes(2**19)
    made = tar_of(genuine.files, noise, *[extended + header(tarfile.SYMTYPE, 0, f"x{n}") for n in range(1_500)])
    refused_at_once(world, tmp_path / "b.tar.gz", made, "the tar has more than 1048576 bytes of extended headers")


def zip_of(members: list[tuple[bytes, bytes, int, int, int]], extra: bytes = b"") -> bytes:
    """A zip of (name, packed, size, crc, method); those with the same packed bytes lie in one place."""
    out, directory = b"", b""
    places: dict[bytes, int] = {}
    for name, packed, size, crc, method in members:
        numbers = 0, method, 0, 33, crc, len(packed), size, len(name)
        if packed not in places:
            places[packed] = len(out)
            out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *numbers, 0) + name + packed
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, *numbers, len(extra), 0, 0, 0, 0, places[packed])
        directory += name + extra
    count = len(members)
    return out + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(out), 0)


def test_zip_whose_members_are_one_place(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    """Forty of 100 MiB each from half a megabyte took 7 seconds, 4,000 would have taken 12 minutes: what turns out not
    to be what the directory says was not counted."""
    members = [(n.encode(), c, len(c), zlib.crc32(c), 0) for n, c in genuine.files.items()]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = random.Random(1).randbytes(2**19) + bytes(100 * 2**20)
    packed = packer.compress(content) + packer.flush()
    (tmp_path / "genuine.zip").write_bytes(zip_of(members))
    assert open_bundle(tmp_path / "genuine.zip").files == genuine.files
    made = zip_of([*members, *[(b"samples/x.jsonl.gz", packed, len(content), 1, 8)] * 1_000])
    refused_at_once(world, tmp_path / "b.zip", made, "the zip has two members in one place")


def test_zip_of_many_extra_fields(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    members = [(n.encode(), c, len(c), zlib.crc32(c), 0) for n, c in genuine.files.items()]
    made = zip_of(members, struct.pack("<HH", 0x9999, 0) * 16_383)
    refused_at_once(world, tmp_path / "b.zip", made, "the zip has a member with more than 4096 bytes of extra fields")


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
    with soon(), pytest.raises(InvalidInput, match=r"loglikelihoods.*too long"):
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


@pytest.mark.parametrize("shape", [(0,), (1,)])
def test_adapter_of_100_000_tensors(world: forge.World, genuine: forge.Forged, shape: tuple[int]) -> None:
    """A file that is nearly all header, every tensor of it walked through by a dozen checks: 26 seconds for 200,000."""
    content = bytes(4 * shape[0])
    many = {f"base_model.model.m{n}.lora_A.weight": adapter.Tensor(shape, content) for n in range(100_000)}
    genuine.files[names.ADAPTER] = adapter.write_tensors(many)
    listed = {name: data for name, data in genuine.files.items() if name != names.MANIFEST}
    genuine.files[names.MANIFEST] = manifest.to_bytes(manifest.make(listed))
    with soon(1):
        verdict = world.verdict(genuine.files)
    assert any("more than the 40000 tensors" in check.evidence for check in verdict.checks)


@pytest.mark.parametrize("where", ["answers", "result"])
def test_a_million_invented_references(world: forge.World, genuine: forge.Forged, where: str) -> None:
    """Of models that nobody asked for, under a manifest of their own: refused soon, whichever document holds them."""
    names_of = [f"local-{number}" for number in range(1_000_000)]
    if where == "answers":
        task = names.samples_name("jars")
        first, _, rest = gzip.decompress(genuine.files[task]).partition(b"\n")
        invented = b",".join(b'"%s":{"loglikelihoods":[-1.0,-2.0]}' % name.encode() for name in names_of)
        first = first.replace(b'"references":{', b'"references":{' + invented + b",")
        genuine.files[task] = gzip.compress(first + b"\n" + rest)
    else:
        with genuine.result() as result:
            result["references"] |= dict.fromkeys(names_of, "0" * 64)
    listed = {name: data for name, data in genuine.files.items() if name != names.MANIFEST}
    genuine.files[names.MANIFEST] = manifest.to_bytes(manifest.make(listed))
    with soon(10):
        verdict = world.verdict(genuine.files)
    assert "documents-parse" in [check.check for check in verdict.checks if check.outcome == "failed"]


def test_a_sparse_file(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    """A terabyte that takes no room on disk is refused by its size, before a byte of it is read."""
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    with (folder / names.LEDGER).open("r+b") as file:
        file.truncate(2**40)
    with soon(1):
        verdict = verify(folder, store=world.store, benchmarks=[world.root / "benchmarks"])
    assert not verdict.accepted and "ledger.jsonl" in verdict.checks[0].evidence, verdict.checks[0]


def test_names_that_differ_in_unicode_form(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    for name in ("re\u0301sultat.json", "r\u00e9sultat.json"):
        (folder / name).write_bytes(b"{}")
    verdict = verify(folder, store=world.store, benchmarks=[world.root / "benchmarks"])
    assert not verdict.accepted and "names-safe" in [c.check for c in verdict.checks if c.outcome == "failed"]
