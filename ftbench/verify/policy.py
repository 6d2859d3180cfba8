"""Whose runs a reader counts as done by somebody else: without a policy nobody's."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result.safejson import to_model
from ftbench.spec import yaml
from ftbench.spec.primitives import Block

MAX_BYTES = 2**20
Identity = Annotated[str, Field(min_length=1, max_length=255)]


class Policy(Block):
    """A reader's policy. Identities are those of the list of signers (`--signers`)."""

    format: Literal["ftbench/policy/v1"]
    """Format of this document."""
    own: list[Identity] = []
    """The reader's own: a run that they signed is one that the reader made."""
    independent: list[Identity] = []
    """Signers whose runs the reader believes to be their own work."""
    related: list[list[Identity]] = []
    """Groups whose members do not count for one another: a team, a company."""

    def counts(self, other: str, author: str) -> str:
        """Why a run signed by `other` does not count for a bundle that `author` signed; empty: it counts."""
        if _alike(other) == _alike(author):
            return f"{other} signed both" if other == author else f"{other} and {author} are spellings of one name"
        if other not in {*self.own, *self.independent}:
            return f"the reader's policy does not name {other} as independent"
        groups = ({_alike(one) for one in group} for group in self.related)
        if any({_alike(other), _alike(author)} <= group for group in groups):
            return f"by the reader's policy {other} and {author} belong together"
        return ""


def _alike(identity: str) -> str:
    """What is the same in other spellings of a name: to exclude somebody any of them will do, to count one exactly."""
    return unicodedata.normalize("NFKC", identity).casefold()


@dataclass(frozen=True, slots=True)
class By:
    """Where another run's bundle lies, and whose runs count."""

    bundle: Path
    """A folder or an archive."""
    policy: Policy
    """The reader's."""


def read(path: Path) -> Policy:
    """The policy in a YAML file. Raises InvalidInput (FTB854)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise InvalidInput(Diagnostic(codes.BAD_POLICY, message, Place(str(path)))) from error
    hint = "`format: ftbench/policy/v1`, then `independent: [val@example.org]`"
    if len(data) > MAX_BYTES:
        message = f"it has more than {MAX_BYTES} bytes"
        raise InvalidInput(Diagnostic(codes.BAD_POLICY, message, Place(str(path)), hint))
    try:
        document = yaml.parse(data, str(path))
        if document.problems:
            raise InvalidInput(document.problems)
        return to_model(document.value, Policy, str(path))
    except InvalidInput as error:
        problems = "; ".join(one.message for one in error.diagnostics[:3])
        message = f"it is no policy: {problems}"
        raise InvalidInput(Diagnostic(codes.BAD_POLICY, message, Place(str(path)), hint)) from None
