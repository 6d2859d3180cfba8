"""The plan: spec and pins resolved. It is what is hashed and what emitters and the app read."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.canonical import UNHASHED, canonical, spec_hash
from ftbench.spec.model import Metadata, Reporting, Sha256, Spec
from ftbench.spec.pins import Pins
from ftbench.spec.primitives import Block

PLAN = "app/ftbench_app/plan.json"
"""Where the plan lies in a compiled benchmark: beside the app's modules, which travel with it."""


class Plan(Block):
    """Everything that makes two results comparable, in one document (design §5)."""

    format: Literal["ftbench/plan/v1"] = "ftbench/plan/v1"
    """Format of this file."""
    metadata: Metadata
    """What people read; left out of the spec hash."""
    reporting: Reporting | None = None
    """How results are told; left out of the spec hash, and out of the file where it says nothing."""
    spec: dict[str, object]
    """The spec with every default filled in and without metadata."""
    pins: Pins
    """What its references resolved to."""
    code: dict[str, Sha256]
    """Path inside the compiled benchmark → digest of every copied module."""
    stack: dict[str, str]
    """Exact version of each package that moves a score."""

    def as_json(self) -> dict[str, object]:
        """The JSON value that is written as `plan.json`."""
        found = self.model_dump(mode="json")
        if self.reporting is None:
            del found["reporting"]
        else:  # a field that says nothing moves no bytes
            found["reporting"] = {k: v for k, v in found["reporting"].items() if k == "reading" or v is not None}
        return found

    def to_bytes(self) -> bytes:
        """Exact RFC 8785 bytes of `plan.json`."""
        return canonical(self.as_json())

    @property
    def spec_hash(self) -> str:
        """sha256 over conditions, pins, code and stack; 64 hexadecimal digits."""
        return spec_hash(self.as_json())

    def typed_spec(self) -> Spec:
        """The spec as a model again."""
        beside = {name: getattr(self, name) for name in UNHASHED}
        plain = {name: block and block.model_dump(mode="json") for name, block in beside.items()}
        return Spec.model_validate({**self.spec, **plain})
