"""What an app does, as far as its configuration and the text of its modules tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

Aggregation = Literal["fedavg", "fedprox", "fedavgm", "fedadam", "fedyogi", "fedadagrad", "flexlora", "fedmedian"] | str


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """Something that is known of an app, and where it stands."""

    value: T
    place: str


@dataclass(slots=True)
class Facts:
    """None where the text does not tell."""

    dataset: Fact[str] | None = None
    supernodes: Fact[int] | None = None
    model: Fact[str] | None = None
    revision: Fact[str] | None = None
    rounds: Fact[int] | None = None
    fraction: Fact[float] | None = None
    least_clients: int = 2
    """Flower samples at least so many."""
    bits: Fact[int] | None = None
    """Of the base weights; 16 where they are not quantised."""
    quantization: Fact[str] | None = None
    """`fp4` or `nf4`."""
    compute: Fact[str] | None = None
    """Type in which 4-bit weights are multiplied."""
    double_quant: Fact[bool] | None = None
    attention: Fact[str] | None = None
    remote_code: Fact[bool] | None = None
    rank: Fact[int] | None = None
    alpha: Fact[float] | None = None
    dropout: Fact[float] | None = None
    dora: Fact[bool] | None = None
    targets: Fact[Any] | None = None
    """Names of layers, `all-linear`, a pattern; a Fact of None where peft chooses by the model's family."""
    adapter_extras: Mapping[str, Fact[Any]] = field(default_factory=dict)
    """Other arguments of LoraConfig that change what is trained."""
    other_adapter: Fact[str] | None = None
    """A kind of adapter that is not LoRA."""
    sequence_length: Fact[int] | None = None
    arguments: Mapping[str, Fact[Any]] = field(default_factory=dict)
    """Arguments of the trainer, by name."""
    rates: Sequence[float | None] = ()
    """Learning rate of each round, None where the text does not tell."""
    rate_place: str = ""
    rate_max: Fact[float] | None = None
    rate_min: Fact[float] | None = None
    strategy: Fact[str] | None = None
    """Flower's name of what aggregates in small letters, `flexlora`, or `own`."""
    strategy_settings: Mapping[str, Fact[Any]] = field(default_factory=dict)
    reads_mu: bool = False
    """Whether a client's text names the proximal term's mu."""
    packages: Sequence[Fact[str]] = ()
    """Requirements as they are written."""
    locked: str = ""
    """A file that pins every package."""
