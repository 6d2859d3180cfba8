"""Types of single values that the models share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=26)]
"""Lower-case words joined by hyphens; Flower allows 32 characters and the app's name adds six."""
Version = Annotated[str, Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$", max_length=20)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Count = Annotated[int, Field(ge=1, le=2**31)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Template = Annotated[str, Field(min_length=1, max_length=20_000)]
"""Text in which `{column}` stands for a column's value; `{{` and `}}` are literal braces. Nothing else is special."""
REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"
"""OWNER/NAME on the hub."""
REVISION = r"^[0-9a-f]{40}([0-9a-f]{24})?$"
"""A commit, or a digest."""


class Block(BaseModel):
    """A frozen, strict model. The docstring under a field is its text in schema and reference."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )
