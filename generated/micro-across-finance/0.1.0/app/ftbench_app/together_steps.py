"""Steps of several clients, each step of all of them in shared passes; what is not the pass is each client's own.

Terms, clipping and optimiser are those of `training`, on each client's values and gradients. Clients may take different
numbers of steps: who has taken all of them leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch

from . import captured, passes, prepared, training
from .arrays import Arrays, ordered
from .errors import AppError
from .together import Adapters, Slot

if TYPE_CHECKING:
    from .objective import Objective


@dataclass(frozen=True)
class Client:
    """Whose steps are to be taken."""

    begin: Arrays
    """The adapter that training begins from."""
    examples: Sequence[Any]
    order: Iterator[int]
    recipe: training.Recipe
    seed: int
    """Of what is drawn in its passes."""
    tell: Callable[[int], None] = lambda steps: None
    """Called with the number of steps taken."""


def hindered(model: torch.nn.Module, recipes: Sequence[training.Recipe]) -> str:
    """Why clients with these recipes cannot train together on the model; empty: they can."""
    made = prepared.of(model)
    if made.head is None or not made.unmasked:
        return "adapter layers, head and attention are not all ours"
    first = recipes[0]
    if (first.optimizer.get("moments") or "float32") != "float32":
        return "the optimiser's moments are not float32"
    if any((one.frozen, one.batch_size, one.micro_batch) != (first.frozen, first.batch_size, first.micro_batch)
           for one in recipes):  # fmt: skip
        return "they differ in what they train, or in their batches"
    return ""


def train(
    model: torch.nn.Module, adapters: Adapters, clients: Sequence[Client]
) -> list[tuple[Arrays, training.Outcome]]:
    """Take every client's steps; for each its trained adapter and what its steps came to.

    No two clients' numbers meet: what comes out is what `training.train` makes of each, but for rounding. Raises
    AppError as that does.
    """
    ranks = sorted(range(len(clients)), key=lambda k: -clients[k].recipe.steps)  # whoever leaves first is last
    found = _train(model, adapters, [clients[k] for k in ranks])
    return [found[ranks.index(k)] for k in range(len(clients))]


def _train(
    model: torch.nn.Module, adapters: Adapters, clients: Sequence[Client]
) -> list[tuple[Arrays, training.Outcome]]:
    recipes = [client.recipe for client in clients]
    slots = adapters.slots[: len(clients)]
    for slot, client in zip(slots, clients, strict=True):
        _put(slot, client.begin)
    terms = [training.Terms(*one) for one in zip(slots, recipes, strict=True)]
    optimizers = [
        training.optimizer_of(training.parameters_of(slot, recipe), recipe)
        for slot, recipe in zip(slots, recipes, strict=True)
    ]
    names = [next(iter(layer.keys[kind] for layer in adapters.every)) for kind in range(3)]
    adapters.wants = _wants(names, recipes[0].frozen)
    steps = _Steps(model, adapters, clients)
    model.train()
    try:
        with training.told_of_memory(recipes[0]), adapters.in_force():
            device = adapters.flat.values.device
            adapters.generators = [torch.Generator(device).manual_seed(client.seed) for client in clients]
            for step in range(recipes[0].steps):
                active = sum(recipe.steps > step for recipe in recipes)
                batches = [[c.examples[next(c.order)] for _ in range(c.recipe.batch_size)] for c in clients[:active]]
                adapters.flat.gradients.zero_()
                steps.accumulate(batches)
                for k in range(active):
                    training.set_rate(optimizers[k], recipes[k], step)
                    terms[k].apply()
                    optimizers[k].step()
                    clients[k].tell(step + 1)
            losses = steps.losses()
        return [
            (
                _taken(slot),
                training.Outcome(math.fsum(loss) / len(loss), term.mean_gradient(), padding=padding),
            )
            for slot, term, loss, padding in zip(slots, terms, losses, steps.padding(), strict=True)
        ]
    finally:
        adapters.flat.gradients.zero_()


def _wants(names: Sequence[str], frozen: frozenset[str]) -> tuple[bool, bool, bool]:
    """Of A, B and m: whether it is there and trained."""
    a, b, m = (bool(name) and name not in frozen for name in names)
    return a, b, m


def _put(slot: Slot, arrays: Arrays) -> None:
    """Raises AppError where it is not the adapter that the model has."""
    if arrays.keys() != slot.named.keys():
        raise AppError("FTB555", "the adapter received is not the one that this client trains")
    for name, array in arrays.items():
        slot.part(slot.values, name).copy_(torch.from_numpy(array.copy()))


def _taken(slot: Slot) -> Arrays:
    """As `model.get_arrays`."""
    host = slot.values.detach().cpu()
    return ordered({name: numpy.array(slot.part(host, name), dtype=numpy.float32) for name in slot.named})


class _Steps:
    """Adds up gradients of all clients and remembers each one's losses."""

    def __init__(self, model: torch.nn.Module, adapters: Adapters, clients: Sequence[Client]) -> None:
        self._model = model
        self._adapters = adapters
        self._objectives = [client.recipe.objective for client in clients]
        self._micro_batch = clients[0].recipe.micro_batch
        self._told: list[list[torch.Tensor]] = []
        """For each step its passes' losses of the clients."""
        self._tokens = [0] * len(clients)
        self._positions = [0] * len(clients)
        self._graphs = adapters.graphs(Graphs)

    def accumulate(self, batches: Sequence[Sequence[Any]]) -> None:
        """Add the gradients of the batches, one of each client that still trains."""
        objectives = self._objectives[: len(batches)]
        together = Together(self._adapters, objectives)
        (self._graphs or self._adapters).refresh()
        self._told.append([])
        divided = [passes.parts(batch, self._micro_batch, one) for batch, one in zip(batches, objectives, strict=True)]
        for at_once in zip(*divided, strict=True):
            parts, weights = [part for part, _ in at_once], [weight for _, weight in at_once]
            if self._graphs is not None:
                _, told, _ = self._graphs.run(together, parts, weights)  # type: ignore[arg-type]
            else:
                _, told, _ = passes.once(self._model, together, parts, weights)  # type: ignore[arg-type]
            assert told is not None
            self._told[-1].append(told[: len(parts)])
            self._note(objectives, parts, told[len(parts) :])
        for k, one in enumerate(together.positions):
            self._positions[k] += one
        self._adapters.finish()

    def _note(self, objectives: Sequence[Objective], parts: Sequence[Sequence[Any]], told: torch.Tensor) -> None:
        """What each objective is told of its own part: as many numbers each, or none at all."""
        each = len(told) // len(parts)
        for k, (objective, part) in enumerate(zip(objectives, parts, strict=True)):
            self._tokens[k] += sum(map(objective.tokens, part))
            objective.note(part, told[k * each : (k + 1) * each] if each else None)

    def losses(self) -> list[list[float]]:
        """For each client the loss of each of its steps."""
        read = [[one.tolist() for one in step] for step in self._told]
        return [
            [math.fsum(one[k] for one in step) for step in read if k < len(step[0])]
            for k in range(len(self._objectives))
        ]

    def padding(self) -> list[float]:
        """For each client the share of its positions that hold no token."""
        return [1 - tokens / at for tokens, at in zip(self._tokens, self._positions, strict=True)]


class Together:
    """The objectives of several clients as one: what `passes.once` and captured passes ask of an objective.

    A part is the clients' parts, and its weights are theirs.
    """

    def __init__(self, adapters: Adapters, objectives: Sequence[Objective]) -> None:
        self._adapters = adapters
        self.objectives = objectives
        self.positions = [0] * len(objectives)
        """Of each client, in all batches so far."""

    def constants(self) -> tuple[object, ...]:
        """What `compute` goes by beside its tensors."""
        return "together", self._adapters.wants, self.objectives[0].constants()

    def batch(
        self, parts: Sequence[Sequence[Any]], weights: Sequence[Sequence[float]], length: int = 0, counted: int = 0
    ) -> dict[str, torch.Tensor]:
        """The clients' own tensors, their names with the client's number before them; `ids` and `places`, a row a
        client: its sequences one after another, and the positions in them."""
        found: dict[str, torch.Tensor] = {}
        rows = []
        for k, one in enumerate(self.objectives):
            own = one.batch(parts[k], weights[k], length, counted)
            self.positions[k] += own["ids"].numel()
            rows.append(own["ids"])
            found |= {f"{k}.{name}": tensor for name, tensor in own.items()}
        longest = max(row.numel() for row in rows)
        ids, places = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in "ab")
        for k, row in enumerate(rows):
            ids[k, : row.numel()] = row.flatten()
            places[k, : row.numel()] = torch.arange(row.shape[1]).repeat(row.shape[0])
        return {**found, "ids": ids, "places": places}

    def sizes(self, parts: Sequence[Sequence[Any]], weights: Sequence[Sequence[float]]) -> tuple[int, int]:
        """One length and one number of counted tokens for all: shapes that are captured must be few."""
        own = [one.batch(part, share) for one, part, share in zip(self.objectives, parts, weights, strict=True)]
        lengths, counts = zip(*map(captured.rounded_sizes, own), strict=True)
        return max(lengths), max(counts)

    def compute(self, model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum of the clients' losses; each one's loss, and after them what each objective tells."""
        own: list[dict[str, torch.Tensor]] = [{} for _ in self.objectives]
        for name, tensor in tensors.items():
            number, _, plain = name.partition(".")
            if plain:
                own[int(number)][plain] = tensor
        shapes = [(one["ids"].shape[0], one["ids"].shape[1]) for one in own]
        losses, told = [], []
        hidden = self._adapters.hidden(tensors["ids"], tensors["places"], shapes)
        for objective, states, mine in zip(self.objectives, hidden, own, strict=True):
            with prepared.given(model, states):
                loss, more = objective.compute(model, mine)
            losses.append(loss)
            told += [] if more is None else [more]
        each = torch.stack(losses)
        return each.sum(), torch.cat([each.detach(), *told])


class Graphs(captured.Graphs):
    """Captured passes of several clients together."""

    def _sizes(self, objective: Any, part: Any, weights: Any) -> tuple[int, int]:
        found: tuple[int, int] = objective.sizes(part, weights)
        return found
