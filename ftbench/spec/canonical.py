"""The canonical form (RFC 8785, JCS) and the digests built on it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

_WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_ALIKE = bytes.maketrans(b"123456789-\xf1\xf2\xf3\xf4", b"000000000+\xf0\xf0\xf0\xf0")
"""Every digit as 0, both signs and the first bytes of all characters beyond the basic plane alike."""
_WHOLE = re.compile(rb"\.0(?![0-9])")
_SIXTEEN = re.compile(rb"0000000000000000(?<![.0]0000000000000000)")

UNHASHED = frozenset({"metadata", "reporting"})
"""Blocks of a spec that change neither training nor score. They stand in the plan beside the spec."""
SPEC_DOMAIN = b"ftbench/spec/v1\n"
"""Prefix of the spec hash, so that it can never equal the digest of some other document."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value. Raises ValueError for NaN, infinity, integers ≥ 2^53 and non-JSON types."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from error


def canonical_json(value: Any) -> bytes:
    """The same of a value that came out of JSON text, whose keys are all text, ten times as fast.

    Python's own writer differs from RFC 8785 in numbers with an exponent, in floats without a fraction, in whole
    numbers that are refused there, and in the order of keys beyond the basic plane. What has none of these is it.
    """
    try:
        text = _WRITER.encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        return canonical(value)
    return canonical(value) if _written_otherwise(text) else text


def _written_otherwise(text: bytes) -> bool:
    """Whether any of the four may stand in what Python wrote; as whole searches at C's speed, since a lock and a verify
    ask it of every row."""
    alike = text.translate(_ALIKE)
    return b"0e+0" in alike or b"\xf0" in alike or _WHOLE.search(text) is not None or _SIXTEEN.search(alike) is not None


def is_canonical(value: Any, data: bytes) -> bool:
    """Whether `data` is the canonical form of `value`, which was read from it. Raises as `canonical`."""
    return canonical_json(value) == data


def digest(value: Any) -> str:
    """sha256 (64 hexadecimal digits) of the canonical form."""
    return sha256(canonical(value))


def sha256(data: bytes) -> str:
    """sha256 of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def spec_hash(plan: Mapping[str, Any]) -> str:
    """The spec hash: sha256 over a fixed prefix and the canonical plan without what is UNHASHED (design §5)."""
    hashed = {key: value for key, value in plan.items() if key not in UNHASHED}
    return sha256(SPEC_DOMAIN + canonical(hashed))


def pretty(value: Any) -> bytes:
    """Readable JSON with sorted keys and a final newline: for files that people open. Deterministic as well."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"
