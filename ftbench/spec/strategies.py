"""What is known of each strategy, in one place: spec, schema, estimate, traffic, checks and verifier read it here.

A new strategy is a module `ftbench/app/strategy/NAME.py` and an entry of `STRATEGIES` here; a parameter that no other
has is a field of `ftbench.spec.model.Strategy` too. The frozen app carries its own copy of what its strategies need, as
attributes of their classes; a test holds the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

BLOCK = "strategy"
KIND = "strategy.kind"
"""Path of the kind."""

Combines: TypeAlias = Literal["mean", "middle", "one", "step", "products", "stack"]
"""How the new adapter comes of the replies: it is their weighted `mean` and nothing else; it lies in the `middle` of
them, so that where they are alike it is they; it is `one` of them; a `step` of the server's own from the mean; factors
of the mean of their `products`; they are `stack`ed into what was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A strategy. The defaults are federated averaging's."""

    meaning: str
    """What it does, as a sentence without an end; the text of schema and reference."""
    source: str
    """Where it was published."""
    parameters: tuple[str, ...] = ()
    """Fields of the spec's `strategy` block that it uses: all must be given, any other must be null."""
    combines: Combines = "mean"
    chooses: bool = False
    """Whether whole replies are left out, so that attackers' replies may change nothing at all."""
    frozen: tuple[str, ...] = ()
    """Factors of LoRA, `A` or `B`, that stay as they were drawn and are not sent."""
    variates: bool = False
    """Whether a control variate goes with every tensor, both ways."""
    growing: bool = False
    """Whether a client is sent the adapters of all others, of all rounds, so that each round moves more."""
    server_keeps: Literal["nothing", "moments", "velocity"] = "nothing"
    """What the server carries from round to round: `moments` of the changes, the first of which may be left out (its
    decay is `beta1`), or a `velocity`, which is another one after every round."""
    client_keeps: bool = False
    """Whether a client carries anything from one of its rounds to the next."""
    changes_add_up: bool = True
    """Whether replies are changes of the same arrays, so that what coding one loses may be added to the next."""
    mixes_ranks: bool = False
    """Whether it can combine factors of different ranks."""
    lora_only: str = ""
    """Why it does not go with DoRA; empty where it does."""
    privacy: tuple[Literal["central", "local"], ...] = ("central", "local")
    """Who may add noise so that the promise holds and the strategy remains what it is. Central: its server sees a mean
    of changes and nothing else. Local: its clients send one change of what they were sent, and nothing beside it."""

    @property
    def sent(self) -> int:
        """Adapters' worth of arrays that go each way."""
        return 2 if self.variates else 1


STRATEGIES: dict[str, Record] = {
    "fedavg": Record(meaning="the mean", source="arXiv 1602.05629"),
    "fedprox": Record(
        meaning="the client's loss has (mu / 2) · ‖w − w_global‖²", source="arXiv 1812.06127", parameters=("mu",)
    ),
    "fedavgm": Record(
        meaning="v ← momentum · v + m, w ← w + server_learning_rate · v",
        source="arXiv 1909.06335",
        parameters=("server_learning_rate", "momentum"),
        combines="step",
        server_keeps="velocity",
    ),
    "fedadam": Record(
        meaning="Adam on m with tau in the denominator",
        source="arXiv 2003.00295",
        parameters=("server_learning_rate", "beta1", "beta2", "tau"),
        combines="step",
        server_keeps="moments",
    ),
    "fedyogi": Record(
        meaning="the same with Yogi's second moment",
        source="arXiv 2003.00295",
        parameters=("server_learning_rate", "beta1", "beta2", "tau"),
        combines="step",
        server_keeps="moments",
    ),
    "fedadagrad": Record(
        meaning="the same with Adagrad's",
        source="arXiv 2003.00295",
        parameters=("server_learning_rate", "tau"),
        combines="step",
        server_keeps="moments",
    ),
    "scaffold": Record(
        meaning="control variates correct each client's gradients",
        source="arXiv 1910.06378",
        parameters=("server_learning_rate",),
        combines="step",
        variates=True,
        server_keeps="velocity",
        client_keeps=True,
        privacy=(),
    ),
    "ffa-lora": Record(
        meaning="A stays as drawn, and B's mean is taken",
        source="arXiv 2403.12313",
        frozen=("A",),
        combines="mean",
        lora_only="FFA-LoRA freezes A so that the mean of the clients' B gives the mean of their weights; DoRA divides "
        "each weight by its norm, and that mean is lost",
    ),
    "flexlora": Record(
        meaning="the mean of the products B A, factored again by SVD",
        source="arXiv 2402.11505",
        combines="products",
        mixes_ranks=True,
        privacy=("local",),
    ),
    "flora": Record(
        meaning="the clients' factors stacked, and a fresh adapter each round",
        source="arXiv 2409.05976",
        combines="stack",
        growing=True,
        changes_add_up=False,
        lora_only="FLoRA adds every client's product to the weights by stacking factors; DoRA's magnitudes multiply "
        "the weights and cannot be stacked",
        privacy=(),
    ),
    "fedmedian": Record(
        meaning="each coordinate's median", source="arXiv 1803.01498", combines="middle", privacy=("local",)
    ),
    "fedtrimmedavg": Record(
        meaning="each coordinate's mean without the extremes",
        source="arXiv 1803.01498",
        parameters=("trim",),
        combines="middle",
        privacy=("local",),
    ),
    "krum": Record(
        meaning="the one reply whose nearest neighbours are nearest",
        source="Blanchard et al., NeurIPS 2017",
        parameters=("byzantine",),
        combines="one",
        chooses=True,
        privacy=("local",),
    ),
    "multikrum": Record(
        meaning="the mean of several such",
        source="Blanchard et al., NeurIPS 2017",
        parameters=("byzantine", "keep"),
        combines="middle",
        chooses=True,
        privacy=("local",),
    ),
}
"""Kind → what is known of it, in the order in which people read of them."""

EVERY: tuple[str, ...] = tuple(dict.fromkeys(name for one in STRATEGIES.values() for name in one.parameters))
"""All parameters of strategies."""

PATHS: tuple[str, ...] = tuple(f"{BLOCK}.{name}" for name in EVERY)
"""Their paths."""

TEXT = " ".join(f"`{kind}`: {one.meaning} ({one.source})." for kind, one in STRATEGIES.items())
"""All of them in words."""


def uses(kind: object, parameter: str) -> bool:
    """Whether a strategy of this kind has the parameter."""
    return isinstance(kind, str) and kind in STRATEGIES and parameter in STRATEGIES[kind].parameters


def idle(kind: object, path: str) -> bool:
    """Whether `path` is a parameter that a strategy of this kind does not use, so that null is its only value."""
    return path in PATHS and not uses(kind, path.rpartition(".")[2])


def having(**facts: object) -> tuple[str, ...]:
    """The kinds whose records have these values: `having(growing=True)`."""
    return tuple(
        kind for kind, one in STRATEGIES.items() if all(getattr(one, name) == value for name, value in facts.items())
    )
