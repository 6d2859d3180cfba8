"""Packing a bundle into one deterministic zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.result.opening import open_bundle

DATE = (1980, 1, 1, 0, 0, 0)
"""Date of every member: the first that a zip can hold."""


def pack(folder: Path, out: Path | None = None, tell: Callable[[str], None] = lambda text: None) -> Path:
    """Pack the bundle in `folder` into `out` (default: the folder's name with .zip beside it) and return its path.

    What a desktop has put there of its own, such as `.DS_Store`, is left out and told.

    Members are sorted, dated 1980 and stored (the large ones are packed already), so equal bundles give equal bytes
    whatever the machine's zlib. Raises InvalidInput (FTB604) where the folder holds what a bundle may not, and where
    `out` is no name of a zip or lies in the bundle.
    """
    target = out or folder.resolve().with_name(folder.resolve().name + ".zip")
    if target.suffix != ".zip":
        hint = f"for example {printable(target.stem or folder.name)}.zip"
        raise InvalidInput(
            Diagnostic(codes.NOT_PACKED, "an archive is a zip and is named so", Place(str(target)), hint)
        )
    if target.resolve().is_relative_to(folder.resolve()):
        raise InvalidInput(
            Diagnostic(codes.NOT_PACKED, "an archive in its bundle would spoil the bundle", Place(str(target)))
        )
    bundle = open_bundle(folder)
    for problem in bundle.problems:
        if problem.litter:
            tell(f"left out: {printable(problem.name)}")
    wrong = [str(problem) for problem in bundle.problems if not problem.litter]
    wrong += [f"`{name}` is no file of a bundle" for name in bundle if not names.is_permitted(name)]
    wrong += [f"`{name}` is missing" for name in names.FIXED if name not in bundle]
    if wrong:
        raise InvalidInput([Diagnostic(codes.NOT_PACKED, text, Place(str(folder))) for text in wrong])
    write_file(target, to_zip(bundle.files))
    return target


def to_zip(files: Mapping[str, bytes]) -> bytes:
    """The bytes of the zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()
