"""Per-item outputs of one task: RFC 8785 lines in a gzip file with neither date nor name."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable
from typing import NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import safejson
from ftbench.result.documents import Sample
from ftbench.spec.canonical import canonical, is_canonical

MAX_BYTES = 128 * 2**20
"""Most bytes that a samples file may unpack to."""
MAX_LINE = 2**20
"""Longest line, in bytes."""

GZIP = b"\x1f\x8b\x08"
MAX_ANSWERS = 1_000_000
"""Most answers of all models to all items that are read from a bundle: each takes memory, however short it is."""


def dump(samples: Iterable[Sample]) -> bytes:
    """The gzip bytes of a samples file. The same samples give the same bytes with one zlib."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as packed:
        for sample in samples:
            packed.write(canonical(sample.model_dump(mode="json")) + b"\n")
    return buffer.getvalue()


def parse(data: bytes, where: str) -> list[Sample]:
    """The samples in gzip bytes. Raises InvalidInput (FTB607 and the codes of safejson)."""
    return parse_lines(gunzip(data, where), where)


def parse_lines(text: bytes, where: str, most: int = MAX_ANSWERS, *, known: bool = False) -> list[Sample]:
    """The same from unpacked bytes, with no more than `most` answers. `known`: these bytes passed before."""
    if text and not text.endswith(b"\n"):
        _refuse(where, "the last line has no newline")
    made: list[Sample] = []
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        if known:
            made.append(Sample.model_validate(json.loads(line)))
            continue
        value = safejson.parse(line, f"{where} line {number}", max_bytes=MAX_LINE)
        sample = safejson.to_strict(value, Sample, f"{where} line {number}")
        if not is_canonical(value, line):
            _refuse(f"{where} line {number}", "the line is not in canonical form (RFC 8785)")
        most -= answers(sample)
        if most < 0:
            _refuse(where, "holds more answers than are read")
        made.append(sample)
    return made


def answers(sample: Sample) -> int:
    """How many models answered."""
    return 2 + len(sample.references)


def unpack(data: bytes, where: str, limit: int = MAX_BYTES) -> bytes:
    """What `dump` packed, never more than `limit` bytes: nothing stands beside the samples that nobody would look at.
    Raises InvalidInput."""
    if data[:3] == GZIP and any(data[3:8]):  # flags and the date: RFC 1952, 2.3
        _refuse(where, "its gzip header has a date, a name, a comment or more, where only samples belong")
    return gunzip(data, where, limit)


def gunzip(data: bytes, where: str, limit: int = MAX_BYTES) -> bytes:
    """One gzip member unpacked, never to more than `limit` bytes, however small it looks. Raises InvalidInput."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        _refuse(where, f"is not gzip: {error}")
    if len(text) > limit:
        _refuse(where, f"unpacks to more than {limit} bytes")
    if not unpacker.eof:
        _refuse(where, "the gzip data is cut short")
    if unpacker.unused_data:
        _refuse(where, "bytes follow the end of the gzip data")
    return text


def _refuse(where: str, message: str) -> NoReturn:
    raise InvalidInput(Diagnostic(codes.BAD_SAMPLES, message, Place(where)))
