"""The connection to a SuperLink that the user has set up, as Flower's own configuration names it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.run.engines.flower_commands import commands
from ftbench.run.processes import tree

EXAMPLE = 'it is three lines: [superlink.NAME], address = "HOST:PORT", root-certificates = "/…/ca.pem"'


def environment(marker: str) -> dict[str, str]:
    """Environment of `flwr`: a run's own, with the user's settings of Flower and proxies: it talks to other machines.

    Raises MissingResource (FTB520) where there is no Flower.
    """
    theirs = {name: value for name, value in os.environ.items() if name.startswith("FLWR_")}
    theirs |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    ours = tree.environment(marker)
    del ours["NO_PROXY"]
    path = f"{commands()}{os.pathsep}{ours.get('PATH', os.defpath)}"
    return ours | theirs | {"PATH": path, "FLWR_DISABLE_UPDATE_CHECK": "1"}


def check_connection(name: str) -> None:
    """Raise InvalidInput (FTB528) unless the user's Flower configuration has a connection `name` with an address.

    A connection without one is for simulations on a SuperLink that Flower starts by itself.
    """
    path = Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr") / "config.toml"
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("superlink", {})
    except OSError as error:
        raise _unusable(f"Flower's configuration cannot be read: {error.strerror}", path) from error
    except ValueError as error:
        raise _unusable(f"Flower's configuration cannot be read: {error}", path) from error
    known = {key: value for key, value in found.items() if isinstance(value, dict)}
    if name not in known:
        raise _unusable(f"Flower's configuration has no connection `{name}`", path, did_you_mean(name, known))
    address = str(known[name].get("address", ""))
    if not address or address.startswith(":"):
        message = f"the connection `{name}` names no SuperLink: it is for simulations on this machine"
        raise _unusable(message, path, "leave out `--superlink`, or give the connection an address")


def _unusable(message: str, path: Path, hint: str = "") -> InvalidInput:
    return InvalidInput(Diagnostic(codes.NO_CONNECTION, message, Place(str(path)), hint=hint or EXAMPLE))
