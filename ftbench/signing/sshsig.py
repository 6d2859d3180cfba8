"""Reading OpenSSH's signature files strictly: one form for one signature, so that no byte of it can change unseen.

The format: PROTOCOL.sshsig of OpenSSH. Whether a signature holds is said by `ssh-keygen` alone; here it is told apart
from what only resembles one, and its key and namespace are read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput

MAX_BYTES = 16 * 2**10
"""Longest signature that is read: one by an RSA key of 16,384 bits has half of it."""
BEGIN, END = "-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n"
AGAIN = "take the file as it was made: `*.sig -text` in .gitattributes, or `git config core.autocrlf false`"
WIDTH = 70
"""Characters of base64 in a line."""
MAGIC = b"SSHSIG\x00\x00\x00\x01"
HASHES = (b"sha256", b"sha512")
CERTIFIED = b"-cert-v01@openssh.com"
"""How the kind of a certificate ends (PROTOCOL.certkeys of OpenSSH)."""
FIELDS = {b"ssh-ed25519": 1, b"ssh-rsa": 2, b"ecdsa-sha2-": 2, b"sk-ssh-ed25519": 2, b"sk-ecdsa-sha2-": 3}
"""How the kind of a key begins → strings of which it consists."""


@dataclass(frozen=True, slots=True)
class SshSignature:
    """What a signature says of itself. Whether it holds is not known yet."""

    fingerprint: str
    """Of its key: `SHA256:` and 43 characters."""
    namespace: str
    """What it was made for."""


def read_file(path: Path) -> bytes:
    """The bytes of a signature's file, no more than tell `read` that it is too long. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def read(data: bytes, where: str) -> SshSignature:
    """The signature in a file's bytes. Raises InvalidInput (FTB751) unless they are exactly as OpenSSH writes them."""
    if len(data) > MAX_BYTES:
        _refuse(where, f"has more than {MAX_BYTES} bytes")
    blob = _unwrapped(data, where)
    if not blob.startswith(MAGIC):
        _refuse(where, "is no SSHSIG of version 1")
    parts: list[bytes] = []
    rest = blob[len(MAGIC) :]
    while rest:
        size = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + size or len(parts) == 5:
            _refuse(where, "is cut short or has more in it than a signature")
        parts.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    if len(parts) != 5:
        _refuse(where, "is cut short")
    key, namespace, reserved, hash_name, _ = parts
    key = _without_certificate(key, where)
    if reserved or hash_name not in HASHES:
        _refuse(where, "names a hash or has something reserved that OpenSSH does not write")
    fingerprint = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return SshSignature(f"SHA256:{fingerprint}", namespace.decode("ascii", "replace"))


def _without_certificate(key: bytes, where: str) -> bytes:
    """The key that a certificate is of, which has as many names as it has certificates; any other key as it is."""
    kind, rest = _string(key, where)
    plain, certified, _ = kind.partition(CERTIFIED)
    if not certified:
        return key
    _, rest = _string(rest, where)  # the nonce
    fields = b""
    for _ in range(next((count for name, count in FIELDS.items() if plain.startswith(name)), 0)):
        value, rest = _string(rest, where)
        fields += len(value).to_bytes(4, "big") + value
    if not fields:
        _refuse(where, "is by a certificate of a kind that is not known")
    plain += b"@openssh.com" if plain.startswith(b"sk-") else b""
    return len(plain).to_bytes(4, "big") + plain + fields


def _string(data: bytes, where: str) -> tuple[bytes, bytes]:
    """The string that `data` begins with, and what follows it."""
    end = 4 + int.from_bytes(data[:4], "big")
    if len(data) < end:
        _refuse(where, "holds a key that is cut short")
    return data[4:end], data[end:]


def _unwrapped(data: bytes, where: str) -> bytes:
    """What the armour holds; the armour of that must be these bytes again."""
    if b"\r\n" in data:
        _refuse(where, "has line ends of Windows: something on its way wrote it anew", AGAIN)
    try:
        text = data.decode("ascii")
        blob = base64.b64decode("".join(text.removeprefix(BEGIN).removesuffix(END).split("\n")), validate=True)
    except (UnicodeDecodeError, binascii.Error):
        _refuse(where, "is no SSH signature in its armour")
    encoded = base64.b64encode(blob).decode()
    lines = [encoded[at : at + WIDTH] + "\n" for at in range(0, len(encoded), WIDTH)]
    if BEGIN + "".join(lines) + END != text:
        _refuse(where, "is not in the form that OpenSSH writes")
    return blob


def _refuse(where: str, message: str, hint: str = "make it again: `ftbench sign`, or `ssh-keygen -Y sign`") -> NoReturn:
    raise InvalidInput(Diagnostic(codes.BAD_SIGNATURE, message, Place(where), hint))
