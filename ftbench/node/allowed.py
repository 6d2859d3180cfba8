"""Which apps a site runs: compiled benchmarks that lie in its own folder, whole, and signed where the site asks for it.

Nothing that comes over the network is ever carried out. A run names the digest of its app bundle; where the site has a
compiled benchmark with that digest, it runs its own copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ftbench import codes
from ftbench.compile.fab import fab_hash
from ftbench.compile.plan import PLAN, Plan
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.signing import keygen, kinds
from ftbench.spec.lock import Lock

LOCK = "ftbench.lock"
SIGNATURE = "ftbench.lock.sig"


@dataclass(frozen=True)
class Allowed:
    """A compiled benchmark that this site runs."""

    folder: Path
    lock: Lock
    plan: Plan
    signer: str
    """Who signed its lock; empty where the site asks for no signature."""

    @property
    def app(self) -> Path:
        """Folder of its Flower app."""
        return self.folder / "app"


def read(folder: Path, signers: Path | None) -> Mapping[str, Allowed]:
    """Digest of the app bundle → what may be run under it, of every compiled benchmark below `folder`.

    Raises InvalidInput: FTB518 where there is none, FTB514 for one that is not what its lock says, FTB75x for one
    without a signature that holds. MissingResource where signatures cannot be verified.
    """
    locks = sorted(folder.rglob(LOCK))
    if not locks:
        hint = "put the compiled benchmark there that the organiser sent, after you have looked at it"
        raise InvalidInput(
            Diagnostic(codes.NODE_FOLDER, "there is no compiled benchmark to run", Place(str(folder)), hint)
        )
    found = [_read(path.parent, signers) for path in locks]
    return {one.lock.fab_hash: one for one in found}


def _read(folder: Path, signers: Path | None) -> Allowed:
    path = folder / LOCK
    data = path.read_bytes()
    try:
        lock = Lock.model_validate_json(data)
        plan = Plan.model_validate_json((folder / PLAN).read_bytes())
    except (OSError, ValidationError) as error:
        raise _refused(folder, f"it cannot be read: {str(error).splitlines()[0]}") from error
    here = {
        one.relative_to(folder).as_posix(): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and one.name not in (LOCK, SIGNATURE) and "__pycache__" not in one.parts
    }
    different = sorted(name for name in here.keys() | lock.files.keys() if here.get(name) != lock.files.get(name))
    # A store may lie beside a compiled benchmark; nothing else that its lock does not name.
    if different:
        raise _refused(folder, f"{different[0]} is not the file that its lock names")
    app = {name: (folder / name).read_bytes() for name in lock.files if name.startswith("app/")}
    if fab_hash(app) != lock.fab_hash:
        raise _refused(folder, "its app gives another bundle than its lock says")
    return Allowed(folder, lock, plan, _signer(path, data, signers))


def _signer(path: Path, data: bytes, signers: Path | None) -> str:
    if signers is None:
        return ""
    signature = path.with_name(SIGNATURE)
    if not signature.is_file():
        raise _refused(path.parent, f"it has no signature ({SIGNATURE}), and this site asks for one")
    known = keygen.Signers(signers)
    return keygen.signed(data, signature.read_bytes(), kinds.LOCK, str(signature), known).identity or ""


def _refused(folder: Path, why: str) -> InvalidInput:
    hint = "take the compiled benchmark out of the folder, or ask whoever sent it for a whole one"
    return InvalidInput(Diagnostic(codes.APP_REFUSED, f"this app is not run here: {why}", Place(str(folder)), hint))
