"""The app of an entry in the open division: the compiled app and the entry's own modules, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from ftbench.compile.fab import fab_hash
from ftbench.compile.sources import APP_PACKAGE


def path(kind: str) -> str:
    """Where the module of that kind, `strategy` or `client`, lies in the compiled benchmark."""
    return f"app/{APP_PACKAGE}/open_{kind}.py"


def files(compiled: Mapping[str, bytes], modules: Mapping[str, bytes]) -> dict[str, bytes]:
    """What lies under `app/`: the compiled benchmark's own, and the modules. Nothing of the frozen app is replaced.

    Raises ValueError where the compiled app has a module of such a name itself.
    """
    app = {name: data for name, data in compiled.items() if name.startswith("app/")}
    own = {path(kind): data for kind, data in modules.items()}
    if taken := sorted(app.keys() & own.keys()):
        raise ValueError(f"the compiled app has {taken[0]} itself")
    return {**app, **own}


def fab(compiled: Mapping[str, bytes], modules: Mapping[str, bytes]) -> str:
    """sha256 of the Flower app bundle with the modules in it. They are packed as bytes and never imported.

    Raises as `fab_hash` does.
    """
    return fab_hash(files(compiled, modules))
