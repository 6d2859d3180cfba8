"""Who signed a document, as far as it could be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ftbench.spec.primitives import Block

Fingerprint = Annotated[str, Field(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")]
"""Of a public key, as `ssh-keygen -l` prints it."""


class Signed(Block):
    """A signature that holds: the owner of this key signed exactly these bytes."""

    key: Fingerprint
    """The key that signed."""
    identity: Annotated[str, Field(min_length=1, max_length=255)] | None
    """Whose key that is by the verifier's list of signers; null where there was no list."""
