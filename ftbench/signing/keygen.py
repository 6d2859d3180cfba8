"""Signing and verifying by OpenSSH's `ssh-keygen -Y`: no cryptography is ours, and a reader needs no ftbench.

Lists of signers and of revoked keys are OpenSSH's own files (ssh-keygen(1), ALLOWED SIGNERS and KEY REVOCATION LISTS).
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result.signed import Signed
from ftbench.signing import sshsig

TOOL = "ssh-keygen"
PATTERN = frozenset("*?!")
"""What makes a principal of a list a pattern, by which anybody's name could be said."""
KRL = b"SSHKRL\n\x00"
"""How OpenSSH's list of revoked keys in its binary form begins (PROTOCOL.krl)."""
SECONDS = 120
"""Most that a call may take; a person may have to touch a token or type a passphrase."""


@dataclass(frozen=True, slots=True)
class Signers:
    """Whose signatures are known."""

    allowed: Path
    """OpenSSH's file of allowed signers: who, with which key, for which namespaces, since when, until when."""
    revoked: Path | None = None
    """A list of revoked public keys, or a KRL."""
    at: datetime | None = None
    """The moment at which a key must be valid; None: now."""


def available() -> bool:
    """Whether `ssh-keygen` is on this machine."""
    return shutil.which(TOOL) is not None


def ready(signers: Signers) -> None:
    """Raise where nobody's signature could be verified.

    MissingResource without ssh-keygen (FTB750), InvalidInput without the list (FTB755).
    """
    _tool()
    for path in (signers.allowed, signers.revoked):
        if path is not None and not path.is_file():
            raise InvalidInput(Diagnostic(codes.NO_SIGNERS, "there is no such list of keys", Place(str(path))))


def sign(data: bytes, key: Path, namespace: str) -> bytes:
    """The signature of `data` for a namespace, as a file's bytes.

    `key`: a private key's file, or a public one whose private half an agent holds. A passphrase is asked for on the
    terminal. Raises MissingResource (FTB750) without ssh-keygen, InvalidInput (FTB752) where the key cannot sign.
    """
    if not key.is_file():
        raise InvalidInput(Diagnostic(codes.CANNOT_SIGN, "there is no key at this path", Place(str(key))))
    done = _call(["-Y", "sign", "-q", "-n", namespace, "-f", str(key)], data)
    try:
        sshsig.read(done.stdout, "signature")
    except InvalidInput:
        why = f"ssh-keygen did not sign with this key: {_said(done)}"
        hint = "give a private key, or a public key whose private half ssh-agent holds"
        raise InvalidInput(Diagnostic(codes.CANNOT_SIGN, why, Place(str(key)), hint)) from None
    return done.stdout


def signed(data: bytes, signature: bytes, namespace: str, where: str, signers: Signers | None = None) -> Signed:
    """Who signed `data` for a namespace.

    Without `signers` the key alone is told. Raises InvalidInput: FTB751 for what is no signature, FTB753 where it does
    not hold for these bytes and this namespace, FTB754 where `signers` does not know the key, or not at that moment, or
    it is revoked. Raises MissingResource (FTB750) without ssh-keygen, and where a list is not there.
    """
    read = sshsig.read(signature, where)
    if read.namespace != namespace:
        message = f"it was made for `{printable(read.namespace)[:60]}`, not for `{namespace}`"
        raise InvalidInput(Diagnostic(codes.SIGNATURE_BROKEN, message, Place(where)))
    with tempfile.TemporaryDirectory(prefix="ftbench-") as folder:
        file = Path(folder, "signature")
        file.write_bytes(signature)
        done = _call(["-Y", "check-novalidate", "-n", namespace, "-s", str(file)], data)
        if done.returncode != 0:
            message = f"the signature does not hold for these bytes: {_said(done)}"
            raise InvalidInput(Diagnostic(codes.SIGNATURE_BROKEN, message, Place(where)))
        identity = _identity(data, file, signers, read, where) if signers else None
    return Signed(key=read.fingerprint, identity=identity)


def _identity(data: bytes, file: Path, signers: Signers, read: sshsig.SshSignature, where: str) -> str:
    ready(signers)
    moment = (signers.at or datetime.now(UTC)).astimezone(UTC)
    common = ["-s", str(file), "-f", str(signers.allowed), "-O", f"verify-time={moment:%Y%m%d%H%M%SZ}"]
    found = _call(["-Y", "find-principals", *common], data)
    revoked = ["-r", str(signers.revoked)] if signers.revoked is not None else []
    why = _said(found)
    for identity in filter(None, found.stdout.decode("utf-8", "replace").split("\n")):
        if PATTERN & set(identity):
            why = f"the list has a pattern for it, `{printable(identity)[:100]}`, and that is nobody's name"
            continue
        named = ["-Y", "verify", "-n", read.namespace, "-I", identity, *common]
        done = _call([*named, *revoked], data)
        if done.returncode == 0:
            return printable(identity.removeprefix("\ufeff"))[:255]  # a list from Windows begins with it
        why = _said(done)
        if signers.revoked is not None and _call(named, data).returncode == 0:
            why = _refused_by(signers.revoked)  # of which ssh-keygen says nothing
    message = f"no signer of the list made it at {moment:%Y-%m-%d %H:%M} UTC: key {read.fingerprint}; {why}"
    hint = f"the list is {signers.allowed}" + (f", revoked keys are in {signers.revoked}" if revoked else "")
    raise InvalidInput(Diagnostic(codes.UNKNOWN_SIGNER, message, Place(where), hint))


def _refused_by(revoked: Path) -> str:
    """Why a list of revoked keys lets nobody through: it names the key, or ssh-keygen cannot read it, and then it takes
    every key for revoked."""
    data = revoked.read_bytes()
    if not data.startswith(KRL):
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip() and not line.lstrip().startswith(b"#") and not _is_key(line):
                return (
                    f"line {number} of the list of revoked keys is no public key, and while it stands nobody is known"
                )
    return "the key is revoked"


def _is_key(line: bytes) -> bool:
    """Whether a line is a public key as a file of them has it: kind, base64, comment."""
    kind, _, rest = line.strip().partition(b" ")
    try:
        blob = base64.b64decode(rest.split(b" ")[0], validate=True)
    except binascii.Error:
        return False
    if not kind or not blob.startswith(len(kind).to_bytes(4, "big") + kind):
        return False
    if kind.endswith(sshsig.CERTIFIED):
        return True  # it has numbers among its strings
    at, strings = 0, 0
    while at < len(blob):
        at, strings = at + 4 + int.from_bytes(blob[at : at + 4], "big"), strings + 1
    return at == len(blob) and strings > 1


def _tool() -> str:
    tool = shutil.which(TOOL)
    if tool is None:
        hint = "Debian: apt-get install openssh-client"
        raise MissingResource(Diagnostic(codes.NO_SSH_KEYGEN, "there is no ssh-keygen on this machine", hint=hint))
    return tool


def _call(words: Sequence[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        # A moment in a list that names no time zone is UTC's, on every machine.
        return subprocess.run(  # noqa: S603 - the system's own ssh-keygen; every word is an option's value
            [_tool(), *words],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
    except subprocess.TimeoutExpired:
        message = f"ssh-keygen gave no answer within {SECONDS} s"
        raise MissingResource(Diagnostic(codes.NO_SSH_KEYGEN, message)) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = [line.strip(" \r@") for line in done.stderr.decode("utf-8", "replace").split("\n")]  # it draws boxes of @
    return "; ".join(filter(None, lines))[:300] or f"ssh-keygen ended with {done.returncode}"
