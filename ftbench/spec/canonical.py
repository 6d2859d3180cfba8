"""The canonical form (RFC 8785, JCS) and the digests built on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

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


def is_canonical(value: Any, data: bytes) -> bool:
    """Whether `data` is the canonical form of `value`, which was read from it. Raises as `canonical`.

    Most documents are told by the standard library, twenty times as fast: where no key and no number is of those that
    it writes otherwise than RFC 8785 (see `_alike`)."""
    if _alike(value) and json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == data:
        return True
    return canonical(value) == data


def _alike(value: Any) -> bool:
    """Whether the standard library writes a value as RFC 8785 does: keys in ASCII, integers below 2^53, and other
    numbers with a fraction, from 1e-4 to 1e16."""
    todo = [value]
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind is float:
            if not 1e-4 <= abs(one) < 1e16 or one.is_integer():
                return False
        elif kind is dict:
            if not all(type(key) is str and key.isascii() for key in one):
                return False
            todo += one.values()
        elif kind is list:
            todo += one
        elif kind is int:
            if abs(one) >= 2**53:
                return False
        elif one is not None and kind is not str and kind is not bool:
            return False
    return True


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
