"""Writing YAML that reads back the same: one spelling for each value, nothing left to a library's taste."""

from __future__ import annotations

import re
from typing import Any

from ftbench.spec import scalars

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def emit(value: dict[str, Any]) -> bytes:
    """A mapping as UTF-8 YAML in block style, in the order given. Raises TypeError for what JSON does not have."""
    if not value:
        return b"{}\n"
    return "".join(f"{line}\n" for line in _block(value, "")).encode()


def _block(value: Any, indent: str) -> list[str]:
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines.append(f"{indent}{_scalar(key)}:")
            lines += _block(item, indent + "  ")
        else:
            lines.append(f"{indent}{_scalar(key)}: {flow(item)}")
    return lines


def flow(value: Any) -> str:
    """A value on one line, in flow style. Raises TypeError for what JSON does not have."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, str):
        raise TypeError(f"cannot write {type(value).__name__} as YAML")
    if _BARE.fullmatch(value) and scalars.plain(value) == value:
        return value
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
