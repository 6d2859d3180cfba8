"""What comes with ftbench, and where it lies: built-in specs, entries, compiled benchmarks, their small store, models.

In a checkout they are the top-level folders; a wheel carries them under `ftbench/_builtin`.
"""

from __future__ import annotations

from pathlib import Path

MODELS: dict[str, str] = {
    "builtin/micro": "49cee7c67a5c753011cca8f2763de30e3b766c702511884cd2cdbae111d38a20",
    "builtin/micro-domains": "abae8f77adc8a86142c2a62056e3c5ac2fcbae240d9311daf837d65861eb940b",
}
"""Base models that come with ftbench → digest of their files, the only revision that each has."""

PACKAGE = Path(__file__).resolve().parent
"""The folder of ftbench itself."""


def root() -> Path:
    """The folder that holds `specs/`, `entries/`, `schemas/` and `generated/`."""
    packed = PACKAGE / "_builtin"
    return packed if packed.is_dir() else PACKAGE.parent


SWEEPS = "paper"
"""Folder below `specs/` whose files are sweeps over specs."""


def specs() -> dict[str, Path]:
    """Name to path of every built-in spec; a name is the path below `specs/` without its ending."""
    return {name: path for name, path in _named().items() if not name.startswith(f"{SWEEPS}/")}


def sweeps() -> dict[str, Path]:
    """Name to path of every built-in sweep file: `paper/strategies`."""
    return {name: path for name, path in _named().items() if name.startswith(f"{SWEEPS}/")}


def _named() -> dict[str, Path]:
    folder = root() / "specs"
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(folder.rglob("*.yaml"))}


def entries() -> Path:
    """The folder of entries that come with ftbench."""
    return root() / "entries"


def generated() -> Path:
    """The folder of compiled benchmarks that come with ftbench."""
    return root() / "generated"


def store() -> Path:
    """The read-only store with the micro model and micro data."""
    return generated() / "quickstart" / "store"
