"""Who reaches a run on Flower's engine, and which engine is chosen for that reason."""

from __future__ import annotations

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.run.engines.engine import EngineName
from ftbench.run.processes import network


def default_engine() -> EngineName:
    """Flower's simulation where it can have a network of its own; else the inline engine, which opens no port."""
    return "inline" if network.why_not() else "flower-simulation"


def check_private(*, allowed: bool) -> None:
    """Raise MissingResource (FTB532) where other users of the machine would reach a run and nobody allowed that."""
    why = network.why_not()
    if why and not allowed:
        message = (
            f"Flower's engine would listen where every user of this machine reaches it: no network of its own: {why}"
        )
        hint = (
            "`--engine inline` opens no port and ends at the same digest; where you trust every user of the machine, "
            "`--allow-local-users` runs Flower's engine all the same"
        )
        raise MissingResource(Diagnostic(codes.NOT_PRIVATE, message, hint=hint))
