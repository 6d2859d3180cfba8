"""The names of references: models that a tuned one is compared with on the same items."""

from __future__ import annotations

from ftbench.spec.model import Spec

CENTRALISED = "centralised"
LOCAL = "local-"
"""A local-only reference is named by this and its partition's number."""


def due_references(spec: Spec) -> list[str]:
    """The references that a spec asks for: `centralised`, then `local-0` and so on for every client."""
    asked = spec.evaluation.references
    clients = range(spec.federation.clients) if asked.local else ()
    return [CENTRALISED] * asked.centralised + [f"{LOCAL}{client}" for client in clients]
