"""A folder `results/`: what is handed in, registered and judged there.

decisions.jsonl                      what was decided, in order
submissions/NAME.json                a bundle by digest, and where it lies
bundles/NAME/                        the bundle itself, where it is small enough to be kept here
registrations/DIGEST.json (.sig)     runs that somebody announced
verdicts/DIGEST.json (.sig)          verdicts, each by the digest of its file
carried/DIGEST.json (.sig)           scores under another spec hash
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.decisions.documents import Label, Registration, Submission
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import FtbenchError, InvalidInput, MissingResource
from ftbench.result import safejson
from ftbench.result.signed import Signed
from ftbench.signing import keygen, sshsig
from ftbench.signing.keygen import Signers
from ftbench.signing.kinds import REGISTRATION
from ftbench.spec.canonical import pretty, sha256
from ftbench.spec.primitives import Block

SUBMISSIONS, BUNDLES, REGISTRATIONS, VERDICTS, CARRIED = (
    "submissions",
    "bundles",
    "registrations",
    "verdicts",
    "carried",
)
SUBMITTED = (SUBMISSIONS, BUNDLES, REGISTRATIONS)
"""The only folders that a submitter adds to."""
MAX_BYTES = 2**20

M = TypeVar("M", bound=Block)


def submission(path: Path) -> Submission:
    """A submission's file. Raises InvalidInput, for a name that no decision could hold too."""
    try:
        TypeAdapter(Label).validate_python(path.stem)
    except ValidationError:
        hint = "at most 80 of a-z, 0-9, `_` and `-`, the first a letter or digit, and .json"
        message = "this is no name of a submission"
        raise InvalidInput(Diagnostic(codes.NOT_THE_SCHEMA, message, Place(printable(str(path))), hint)) from None
    return _document(path, Submission)


def submissions(folder: Path) -> dict[str, Path]:
    """Name → file of every submission."""
    return {path.stem: path for path in sorted((folder / SUBMISSIONS).glob("*.json"))}


def registrations(folder: Path) -> dict[str, Registration]:
    """Digest → every registration that can be read; what a file is called does not matter."""
    found = {}
    for path in sorted((folder / REGISTRATIONS).glob("*.json")):
        try:
            found[sha256(path.read_bytes())] = _document(path, Registration)
        except FtbenchError:
            continue
    return found


def registration(path: Path, signers: Signers | None) -> tuple[Registration, str, Signed]:
    """A registration, its digest and who signed it. Raises InvalidInput: nobody's registration counts for nobody."""
    found = _document(path, Registration)
    beside = path.with_name(path.name + ".sig")
    if not beside.is_file():
        hint = f"ftbench sign {path} --key FILE"
        raise InvalidInput(Diagnostic(codes.NOT_SIGNED, "a registration is signed", Place(str(path)), hint))
    data = path.read_bytes()
    return found, sha256(data), keygen.signed(data, sshsig.read_file(beside), REGISTRATION, str(beside), signers)


def wrong_registrations(folder: Path, before: Path | None) -> Iterator[Diagnostic]:
    """Why registrations that were not there before cannot be received: nobody can read them, or nobody signed."""
    for path in sorted((folder / REGISTRATIONS).glob("*.json")):
        if before is not None and (before / REGISTRATIONS / path.name).exists():
            continue
        try:
            registration(path, None)
        except InvalidInput as error:
            yield from error.diagnostics
        except MissingResource:
            continue  # without ssh-keygen a signature is not verified here


def keep(folder: Path, kind: str, document: Block, key: Path | None = None, namespace: str = "") -> str:
    """Write a document under its digest, signed where there is a `key`. Returns the digest of its file."""
    data = pretty(document.model_dump(mode="json"))
    digest = sha256(data)
    path = folder / kind / f"{digest}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    signature = keygen.sign(data, key, namespace) if key is not None else None
    write_file(path, data)
    if signature is not None:
        write_file(path.with_name(path.name + ".sig"), signature)
    return digest


def meddled(old: Path, new: Path) -> list[str]:
    """What differs between two copies of the folder that a submitter does not touch: anything but new files in the
    folders of SUBMITTED that belong to nothing which was there. Links count as what they are, and so does the folder
    itself: as a link to the old copy it would have nothing that differs."""
    if new.is_symlink():
        return [f"`{new.name}` is no plain folder"]
    before, after = _files(old), _files(new)
    gone = [f"`{name}` is gone" for name in sorted(before.keys() - after.keys())]
    other = [f"`{name}` is changed" for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    added = sorted(after.keys() - before.keys())
    outside = [f"`{name}` is added" for name in added if name.partition("/")[0] not in SUBMITTED]
    known = {_handed_in(name) for name in before}
    beside = [f"`{name}` is added to what was handed in before" for name in added if _handed_in(name) in known]
    links = [f"`{name}` is no plain file" for name in added if after[name] is None]
    return gone + other + outside + beside + links


def _handed_in(name: str) -> str:
    """What a file is a part of: a bundle with all that lies in its folder, or a document with its signature."""
    kind, _, rest = name.casefold().partition("/")
    return f"{kind}/{rest.partition('/')[0].removesuffix('.sig')}"


def _files(folder: Path) -> dict[str, str | None]:
    """Path below the folder → digest; None for what is no plain file."""
    found: dict[str, str | None] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            found[path.relative_to(folder).as_posix()] = None
        elif path.is_file():
            with path.open("rb") as file:  # whatever its size
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _document(path: Path, model: type[M]) -> M:
    if not path.is_file() or path.is_symlink():
        raise InvalidInput(Diagnostic(codes.NO_PATH, "there is no such file", Place(str(path))))
    with path.open("rb") as file:
        return safejson.parse_model(file.read(MAX_BYTES + 1), model, str(path), max_bytes=MAX_BYTES)
