"""Open division: the app that is run, made of the compiled one and the entry's own modules.

`<run>/open/` keeps the modules as they were given, `<run>/opened/` the app with them in it. The copy in `compiled/`
stays what the lock says.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.compile import open_division
from ftbench.compile.folder import present
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.spec.canonical import canonical
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.open_division import digests

FOLDER = "opened"
"""Folder of a run whose `app/` is carried out in the open division."""


def check_modules(entry: ResolvedEntry, modules: Mapping[str, bytes]) -> None:
    """Raise InvalidInput (FTB535) where the modules given are not those that the entry names."""
    named = digests(dict(modules)) if modules else None
    if named != entry.open:
        told = "an entry that names others" if entry.open else "an entry in the closed division"
        hint = "run the entry's file with `ftbench run --entry FILE`, so that its modules are read"
        raise InvalidInput(Diagnostic(codes.OPEN_MODULES, f"the modules given do not go with {told}", hint=hint))


def keep(run_dir: Path, modules: Mapping[str, bytes]) -> None:
    """Write the modules into the run's folder."""
    for kind, data in modules.items():
        target = run_dir / names.OPEN[kind]
        target.parent.mkdir(exist_ok=True)
        write_file(target, data)


def kept(run_dir: Path, entry: ResolvedEntry) -> dict[str, bytes]:
    """The modules out of the run's folder; none in the closed division. Raises InvalidInput (FTB535)."""
    found = {}
    for kind, name in names.OPEN.items():
        path = run_dir / name
        if path.is_file():
            found[kind] = path.read_bytes()
    check_modules(entry, found)
    return found


def prepare(run_dir: Path, compiled: Path, entry: ResolvedEntry) -> tuple[Path, str]:
    """Make the app anew and return the folder whose `app/` it is, and the digest of its bundle.

    Raises InvalidInput where the modules are not the entry's, or Flower refuses the app.
    """
    modules = kept(run_dir, entry)
    frozen = {name: (compiled / name).read_bytes() for name in present(compiled) if name.startswith("app/")}
    try:
        made = open_division.files(frozen, modules)
    except ValueError as error:
        raise InvalidInput(Diagnostic(codes.OPEN_MODULES, str(error), Place(str(compiled)))) from error
    folder = run_dir / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in sorted(made.items()):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, data)
    return folder, open_division.fab(frozen, modules)


def setting(entry: ResolvedEntry) -> str:
    """The run-config key `open-code`: both digests as JSON; empty in the closed division."""
    return canonical(entry.open.model_dump(mode="json")).decode() if entry.open else ""
