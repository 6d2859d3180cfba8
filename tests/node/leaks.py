"""Whether bytes hold a piece of a text: as it is, as numbers of any width, as token ids, in base64, hex, or deflated.

Looked for are pieces, not whole rows: so many characters, or so many tokens, in sequence. Numbers are read at every
alignment, whole and floating, in both orders of bytes, so that a text in the values of an array is found too.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import numpy
from numpy.typing import NDArray

CHARACTERS, TOKENS = 10, 6
"""Length of a piece."""
LAYOUTS = ("u1", "<u2", ">u2", "<u4", ">u4", "<f4", ">f4", "<u8", ">u8", "<f8", ">f8")
PRIME = numpy.uint64(1099511628211)
FEW = numpy.uint64((1 << 20) - 1)
"""Bits of a hash by which most numbers are passed over at once."""
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){10,}")
DECIMALS = re.compile(rb"\d{1,7}(?:[^0-9A-Za-z]{1,3}\d{1,7}){5,}")
DEFLATED = (b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b")
ONE = numpy.uint64(1)
LARGEST = 1 << 21
"""Numbers from here on are neither a character nor a token."""
DEEP = 2
"""So many codings, one within the other, are undone."""


class Search:
    """What is looked for."""

    def __init__(self, texts: Iterable[str], tokens: Callable[[str], Sequence[int]]) -> None:
        """`tokens`: ids of a text without special ones."""
        every = list(texts)
        characters = [list(map(ord, text)) for text in every] + [list(text.encode()) for text in every]
        self._pieces = [_Pieces(characters, CHARACTERS), _Pieces([tokens(text) for text in every], TOKENS)]

    def found(self, data: bytes, deep: int = DEEP) -> list[str]:
        """The forms in which a piece is there."""
        if len(data) < min(CHARACTERS, TOKENS):
            return []
        forms = [
            layout
            for layout in LAYOUTS
            for start in range(numpy.dtype(layout).itemsize)
            if self._among(_numbers(data[start:], layout))
        ]
        if self._among(_decimals(data)):
            forms.append("decimals")
        varints = _varints(data)
        # Flower's lists of whole numbers are doubled, an odd one being below zero.
        halved = numpy.where(varints & ONE, LARGEST, varints >> ONE).astype(numpy.uint64)
        if self._among(varints) or self._among(halved):
            forms.append("varints")
        if deep:
            for form, inner in _undone(data):
                forms += [f"{form} {one}" for one in self.found(inner, deep - 1)]
        return sorted(set(forms))

    def _among(self, numbers: NDArray[numpy.uint64]) -> bool:
        return any(piece.among(numbers) for piece in self._pieces)


class _Pieces:
    """All pieces of one length of some sequences of numbers."""

    def __init__(self, sequences: Sequence[Sequence[int]], length: int) -> None:
        found = [_rolled(numpy.array(one, dtype=numpy.uint64), length) for one in sequences if len(one) >= length]
        assert found, "every text is shorter than a piece"
        self._length, self._hashes = length, numpy.unique(numpy.concatenate(found))
        self._perhaps = numpy.zeros(FEW + 1, dtype=bool)
        self._perhaps[self._hashes & FEW] = True

    def among(self, numbers: NDArray[numpy.uint64]) -> bool:
        rolled = _rolled(numbers, self._length)
        candidates = rolled[self._perhaps[rolled & FEW]]
        return bool(len(candidates)) and bool(numpy.isin(candidates, self._hashes).any())


def _rolled(numbers: NDArray[numpy.uint64], length: int) -> NDArray[numpy.uint64]:
    """A hash of each `length` numbers in sequence."""
    if len(numbers) < length:
        return numpy.zeros(0, dtype=numpy.uint64)
    size = len(numbers) - length + 1
    found = numpy.full(size, length, dtype=numpy.uint64)
    for offset in range(length):
        found = found * PRIME + numbers[offset : offset + size]  # modulo 2 to the 64th
        found ^= found >> numpy.uint64(29)
    return found


def _numbers(data: bytes, layout: str) -> NDArray[numpy.uint64]:
    kind = numpy.dtype(layout)
    values = numpy.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], dtype=kind)
    if kind.kind == "f":
        with numpy.errstate(all="ignore"):
            good = (values >= 0) & (values < LARGEST) & (values == numpy.floor(values))
            values = numpy.where(good, values, LARGEST)
    found = values.astype(numpy.uint64)
    return numpy.minimum(found, numpy.uint64(LARGEST))


def _decimals(data: bytes) -> NDArray[numpy.uint64]:
    """Numbers that are written out, of all runs of them, with a mark between two runs."""
    every: list[int] = []
    for run in DECIMALS.findall(data):
        every += [*map(int, re.findall(rb"\d+", run)), LARGEST]
    return numpy.array(every, dtype=numpy.uint64)


def _varints(data: bytes) -> NDArray[numpy.uint64]:
    """Bytes read as protobuf's whole numbers one after the other: where each ends is told by its highest bit."""
    octets = numpy.frombuffer(data, dtype=numpy.uint8)
    (ends,) = numpy.nonzero(octets < 128)
    if not len(ends):
        return numpy.zeros(0, dtype=numpy.uint64)
    starts = numpy.concatenate(([0], ends[:-1] + 1))
    found = numpy.zeros(len(ends), dtype=numpy.uint64)
    for place in range(4):
        at = starts + place
        inside = at <= ends
        part = octets[numpy.minimum(at, ends)].astype(numpy.uint64) & numpy.uint64(127)
        found += numpy.where(inside, part << numpy.uint64(7 * place), 0).astype(numpy.uint64)
    found[ends - starts > 3] = LARGEST
    return found


def _undone(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What codings hide, of each coding together: a run may begin within the first letters of another."""
    written = {run.replace(b"-", b"+").replace(b"_", b"/") for run in BASE64.findall(data)}
    for start in range(4):
        yield "base64", b"\0".join(_base64(run[start:]) for run in sorted(written))
    digits = sorted(set(HEX.findall(data)))
    for start in range(2):
        parts = (run[start:] for run in digits)
        yield "hex", b"\0".join(bytes.fromhex(part[: len(part) // 2 * 2].decode()) for part in parts)
    yield "deflated", b"\0".join(_inflated(data))


def _base64(run: bytes) -> bytes:
    try:
        return base64.b64decode(run[: len(run) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _inflated(data: bytes) -> Iterator[bytes]:
    for mark in DEFLATED:
        at = data.find(mark)
        while at >= 0:
            with suppress(zlib.error):
                yield zlib.decompressobj(47).decompress(data[at:], 1 << 24)
            at = data.find(mark, at + 1)
