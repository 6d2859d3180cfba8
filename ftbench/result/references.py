"""The names of references: models that a tuned one is compared with on the same items."""

from __future__ import annotations

from ftbench.spec.model import Spec

CENTRALISED = "centralised"
FAULT_FREE = "fault-free"
"""The same federation without the spec's faults."""
LOCAL = "local-"
"""A local-only reference is named by this and its partition's number."""


def due_references(spec: Spec) -> list[str]:
    """The references that a spec asks for: `centralised`, `fault-free`, then `local-0` and so on for every client."""
    asked = spec.evaluation.references
    clients = range(spec.federation.clients) if asked.local else ()
    federated = [CENTRALISED] * asked.centralised + [FAULT_FREE] * asked.fault_free
    return federated + [f"{LOCAL}{client}" for client in clients]
