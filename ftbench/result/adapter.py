"""Reading adapter weights by hand from safetensors bytes, and the digest that names an adapter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import safejson
from ftbench.spec.canonical import canonical, sha256

DOMAIN = b"ftbench/adapter/v1\n"
"""Prefix of what an adapter's digest is taken over."""
MAX_HEADER = 16 * 2**20
"""Largest header that is read, in bytes."""
MAX_TENSORS = 40_000
"""Most tensors that are read: every check walks through all of them. A mixture of 128 experts in 48 layers, the most
modules of any base model known here, has 36,864 factors in them."""
WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""safetensors dtype → bytes of one element."""

_LORA = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?:(?P<factor>[AB])\.weight|magnitude_vector)")


@dataclass(frozen=True, slots=True)
class Header:
    """One tensor of a safetensors file."""

    dtype: str
    """safetensors' name of the element type."""
    shape: tuple[int, ...]
    begin: int
    """First byte, counted from the end of the header."""
    end: int
    """Byte after the last."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A float32 tensor."""

    shape: tuple[int, ...]
    data: bytes
    """Little-endian elements in C order."""


@dataclass(frozen=True, slots=True)
class Factors:
    """The shapes of one adapted module's tensors."""

    a: tuple[int, ...] | None
    """[rank, in]"""
    b: tuple[int, ...] | None
    """[out, rank]"""
    magnitude: tuple[int, ...] | None = None
    """[out], of DoRA alone."""


def read_header(data: bytes, where: str) -> tuple[dict[str, Header], int]:
    """Tensor name → header, and the offset of the first tensor byte.

    Raises InvalidInput (FTB606) unless the tensors fill the rest of the file.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > MAX_HEADER or 8 + size > len(data):
        _refuse(where, "the file is too short for its header, or the header is larger than any real one")
    headers, filled = parse_header(data[8 : 8 + size], where)
    if filled != len(data) - 8 - size:
        _refuse(where, "the tensors do not fill the file")
    return headers, 8 + size


def parse_header(data: bytes, where: str) -> tuple[dict[str, Header], int]:
    """Tensor name → header from the JSON alone, and how many bytes the tensors take.

    Raises InvalidInput (FTB606) unless they lie in order, without gap or overlap, each as large as its shape says.
    """
    # Each tensor's fields are an object: counted before anything is made of them.
    if data.count(b"{") > MAX_TENSORS + 2:
        _refuse(where, f"the header has more than the {MAX_TENSORS} tensors that are read")
    table = safejson.parse(data, f"{where} header")
    if not isinstance(table, dict):
        _refuse(where, "the header is not an object")
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        _refuse(where, "the header's metadata is not text")
    headers = {name: _one(name, fields, where) for name, fields in table.items()}
    position = 0
    for name, header in sorted(headers.items(), key=lambda item: (item[1].begin, item[1].end)):
        if header.begin != position or header.end - header.begin != prod(header.shape) * WIDTH[header.dtype]:
            _refuse(where, f"tensor {name[:80]!r} does not lie where its shape and the tensors before it say")
        position = header.end
    return headers, position


def read_tensors(data: bytes, where: str) -> dict[str, Tensor]:
    """Every tensor of an adapter file, all float32. Raises InvalidInput (FTB606)."""
    headers, start = read_header(data, where)
    for name, header in headers.items():
        if header.dtype != "F32":
            _refuse(where, f"tensor {name[:80]!r} is {header.dtype}, an adapter is F32")
    return {name: Tensor(h.shape, data[start + h.begin : start + h.end]) for name, h in headers.items()}


def write_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """The bytes of a safetensors file, tensors sorted by name. For tests and tools; a run uses the library."""
    table: dict[str, Any] = {}
    position = 0
    for name in sorted(tensors):
        end = position + len(tensors[name].data)
        table[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [position, end]}
        position = end
    header = canonical(table)
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + b"".join(tensors[name].data for name in sorted(tensors))


def tensors_digest(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """The adapter digest: names, shapes and bytes, and the adapter block in force (kind, rank, alpha, …)."""
    rows = [[name, "float32", list(tensors[name].shape), sha256(tensors[name].data)] for name in sorted(tensors)]
    return sha256(DOMAIN + canonical({"config": dict(config), "tensors": rows}))


def adapter_digest(data: bytes, config: Mapping[str, Any], where: str = "adapter") -> str:
    """The adapter digest of safetensors bytes. Raises InvalidInput (FTB606)."""
    return tensors_digest(read_tensors(data, where), config)


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that hold NaN or an infinity."""
    import numpy as np

    return [n for n, t in sorted(tensors.items()) if not np.isfinite(np.frombuffer(t.data, dtype="<f4")).all()]


def parameters(tensors: Mapping[str, Tensor]) -> int:
    """Number of elements."""
    return sum(prod(tensor.shape) for tensor in tensors.values())


def factors(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Factors], list[str]]:
    """Module name → shapes of its LoRA factors and DoRA magnitude, and the names that are neither."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    strange = []
    for name, tensor in sorted(tensors.items()):
        if found := _LORA.fullmatch(name):
            shapes.setdefault(found["module"], {})[found["factor"] or "M"] = tensor.shape
        else:
            strange.append(name)
    return {module: Factors(pair.get("A"), pair.get("B"), pair.get("M")) for module, pair in shapes.items()}, strange


def _one(name: str, fields: Any, where: str) -> Header:
    match fields:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)], **rest} if not rest:
            whole = all(type(n) is int and 0 <= n < 2**48 for n in (*shape, begin, end))
            if dtype in WIDTH and whole and len(shape) <= 8 and begin <= end:
                return Header(dtype, tuple(shape), begin, end)
        case _:
            pass
    _refuse(where, f"the header of tensor {name[:80]!r} is malformed")


def _refuse(where: str, message: str) -> NoReturn:
    raise InvalidInput(Diagnostic(codes.BAD_ADAPTER, message, Place(where)))
