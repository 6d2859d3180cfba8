"""A sweep in a file: what varies, what is fixed, how it is tuned, and the claim that it tests.

    ftbench: sweep/v1

The file says in words what would confirm and what would refute the claim, and in `claims` the same as figures, so that
`ftbench analyse --claims` can judge it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.spec import yaml
from ftbench.spec.canonical import canonical
from ftbench.spec.primitives import Block

FORMAT = "sweep/v1"
Points = Annotated[float, Field(gt=-1, lt=1)]
"""A difference of scores; 0.2 is 20 points."""


class DifferenceClaim(Block):
    """One level of a factor scores more than another by at least so much."""

    kind: Literal["difference"]
    says: str
    """The claim in a sentence."""
    factor: str
    """Factor, as `ftbench analyse` calls it."""
    level: str
    """The level that scores more."""
    against: str
    """The level that it is held against."""
    above: Points = 0.0
    """The difference must be above this."""


class EquivalenceClaim(Block):
    """Two levels of a factor score alike."""

    kind: Literal["equivalent"]
    says: str
    """The claim in a sentence."""
    factor: str
    level: str
    against: str
    within: Annotated[float, Field(gt=0, lt=1)]
    """Alike means nearer than this, either way."""


class ShareClaim(Block):
    """One factor moves the score more than another."""

    kind: Literal["share"]
    says: str
    """The claim in a sentence."""
    factor: str
    """The factor that is said to matter more."""
    exceeds: str
    """The other."""


class InteractionClaim(Block):
    """What one factor does depends on another."""

    kind: Literal["interaction"]
    says: str
    """The claim in a sentence."""
    factors: Annotated[list[str], Field(min_length=2, max_length=2)]
    at_least: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Their interaction's share of the variance must be above this."""


Claim = Annotated[DifferenceClaim | EquivalenceClaim | ShareClaim | InteractionClaim, Field(discriminator="kind")]


class SweepFile(Block):
    """One comparison, as a file."""

    ftbench: Literal["sweep/v1"]
    """Format of this file."""
    title: str
    """One line."""
    claim: str
    """What is claimed, in a sentence, and by whom."""
    refuted_by: str
    """What would refute it, in a sentence."""
    fixed: str
    """What is the same in every run, in a sentence."""
    specs: Annotated[list[str], Field(min_length=1)]
    """Specs, by name or path; each is swept by itself, and has a table of its own."""
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]]
    """Knob, or `model` → values; the product is run."""
    tune: dict[str, Annotated[list[Any], Field(min_length=2)]] = {}
    """Knob → values from which each setting's best is chosen on the validation cut."""
    trials: Annotated[int, Field(ge=2)] | None = None
    """Candidates of each setting; null: nothing is tuned."""
    set: dict[str, Any] = {}
    """Knob → its value in every run."""
    seeds: Annotated[int, Field(ge=1)] = 1
    """How many of the spec's seeds, from the first."""
    claims: list[Claim] = []
    """The claim as figures."""

    @model_validator(mode="after")
    def _trials_go_with_tune(self) -> SweepFile:
        if bool(self.tune) != (self.trials is not None):
            raise ValueError("`tune` and `trials` go together")
        return self

    @property
    def varied(self) -> tuple[str, ...]:
        """As `--vary` takes them."""
        return _options(self.vary)

    @property
    def tuned(self) -> tuple[str, ...]:
        """As `--tune` takes them."""
        return _options(self.tune)

    @property
    def sets(self) -> tuple[str, ...]:
        """As `--set` takes them."""
        return tuple(f"{path}={_text(value)}" for path, value in self.set.items())


def is_sweep_file(path: Path) -> bool:
    """Whether a YAML file says that it is one. False for what cannot be read."""
    try:
        value = yaml.read(path).value
    except InvalidInput:
        return False
    return isinstance(value, dict) and value.get("ftbench") == FORMAT


def load(path: Path) -> SweepFile:
    """The file at `path`. Raises InvalidInput (FTB915, or those of YAML) with every problem."""
    document = yaml.read(path)
    try:
        return SweepFile.model_validate(document.value)
    except ValidationError as error:
        found = []
        for one in error.errors():
            where = ".".join(str(part) for part in one["loc"])
            hint = "docs/sweeps.md has an example"
            found.append(Diagnostic(codes.SWEEP_FILE, f"{where or 'the file'}: {one['msg']}", Place(str(path)), hint))
        raise InvalidInput(found) from None


def _options(values: dict[str, list[Any]]) -> tuple[str, ...]:
    return tuple(f"{path}={','.join(_text(value) for value in listed)}" for path, listed in values.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value).decode()
