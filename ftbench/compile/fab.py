"""The Flower app bundle (FAB), built by Flower's own builder, and its hash."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import version

from ftbench import codes
from ftbench.compile.stack import STACK
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource


def fab_hash(files: Mapping[str, bytes]) -> str:
    """sha256 of the FAB made from the files under `app/`. Raises InvalidInput if Flower refuses the app.

    Flower leaves some names out of a bundle without a word; a module left out is refused here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Flower's own dependencies warn at import, which must not end a program
        from flwr.cli.build import build_fab_from_files  # about half a second: not at the top

    if flower() != STACK["flwr"]:
        hint = f"pip install flwr=={STACK['flwr']}"
        raise MissingResource(
            Diagnostic(
                codes.OTHER_FLOWER, f"the FAB hash needs Flower {STACK['flwr']}; installed is {flower()}", hint=hint
            )
        )
    app = {path.removeprefix("app/"): data for path, data in sorted(files.items()) if path.startswith("app/")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fab, _ = build_fab_from_files(app)
    except Exception as error:  # whatever the builder raises is a refusal of what we gave it
        raise InvalidInput(Diagnostic(codes.FAB_REFUSED, f"Flower {flower()} refuses the app: {error}")) from error
    _nothing_left_out(fab, app)
    if sys.platform == "win32":
        fab = _as_elsewhere(fab)
    return hashlib.sha256(fab).hexdigest()


def flower() -> str:
    """Version of the installed Flower."""
    return version("flwr")


def _as_elsewhere(fab: bytes) -> bytes:
    """The bundle with its members marked as made on Unix: on Windows `zipfile` writes 0 there ("version made by",
    APPNOTE.TXT 4.4.2), and one app would have two hashes."""
    import io
    import struct
    import zipfile

    with zipfile.ZipFile(io.BytesIO(fab)) as archive:
        at, members = archive.start_dir, len(archive.infolist())
    marked = bytearray(fab)
    for _ in range(members):
        marked[at + 5] = 3
        at += 46 + sum(struct.unpack_from("<3H", marked, at + 28))  # name, extra field, comment
    return bytes(marked)


def _nothing_left_out(fab: bytes, app: Mapping[str, bytes]) -> None:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(fab)) as archive:
        missing = sorted(set(app) - set(archive.namelist()))
    if missing:
        raise InvalidInput(
            Diagnostic(codes.FAB_REFUSED, f"Flower's builder left files out of the bundle: {', '.join(missing)}")
        )
