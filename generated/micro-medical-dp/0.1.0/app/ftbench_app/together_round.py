"""One round of several clients, trained together where that is possible, each answered as if it had been alone.

What stands in the way is in the log, and the clients concerned train one after another.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import (
    batches,
    captured,
    client_round,
    client_rows,
    prepared,
    seeding,
    step_log,
    together_steps,
    training,
    worker,
)
from .arrays import Arrays
from .client_round import Begun, Reply, Task
from .errors import AppError
from .settings import Settings
from .strategy.base import Strategy
from .together import Adapters

Answer = tuple[Reply, int] | Exception
"""A reply and how many trained together, its client among them; or what was raised."""


def carry_out(asked: Sequence[tuple[Settings, Task, Arrays]]) -> list[Answer]:
    """The answer of each client."""
    answers: dict[int, Answer] = {}
    ready: dict[int, Begun] = {}
    for place, one in enumerate(asked):
        try:
            ready[place] = _ready(*one)
        except Exception as error:  # it is the answer of this client, and no other's
            answers[place] = error
    answers |= zip(ready, _answers(list(ready.values())), strict=True)
    return [answers[place] for place in range(len(asked))]


def _ready(wanted: Settings, task: Task, sent: Arrays) -> Begun:
    """With what a client alone may lack: its state, and rows to learn from. Raises AppError."""
    begun = client_round.begin(wanted, task, sent)
    if not begun.own_training:
        worker.examples_of(worker.find_worker(wanted), wanted, task.partition)
    return begun


def _answers(group: list[Begun]) -> list[Answer]:
    if len(group) < 2:
        return [_alone(begun) for begun in group]
    if why := _hindered(group):
        _say(group, f"one after another, not together: {why}")
        return [_alone(begun) for begun in group]
    trained = _train(group)
    if trained is None:
        half = len(group) // 2
        _say(group, f"not enough memory together: {half}, then {len(group) - half}")
        worker.give_back(worker.find_worker(group[0].wanted))
        return [*_answers(group[:half]), *_answers(group[half:])]
    _say(group, f"{len(group)} together")
    return [_answered(begun, len(group), *one) for begun, one in zip(group, trained, strict=True)]


def _alone(begun: Begun) -> Answer:
    try:
        return client_round.alone(begun), 1
    except Exception as error:
        return error


def _answered(begun: Begun, together: int, arrays: Arrays, outcome: training.Outcome) -> Answer:
    try:
        return client_round.answer(begun, arrays, outcome), together
    except Exception as error:
        return error


def _hindered(group: Sequence[Begun]) -> str:
    """Why these clients cannot train together; empty: they can."""
    if any(begun.own_training for begun in group):
        return "the entry trains by its own code"
    if any(type(begun.kind).around is not Strategy.around for begun in group):
        return "the strategy acts beside the adapter"
    net = worker.find_worker(group[0].wanted).net
    if group[0].wanted.adapter["dropout"] and not prepared.checkpointed(net) and captured.of(net) is not None:
        return "each draws dropout by itself, which is not captured, and a client alone is"
    return together_steps.hindered(net, [_recipe(begun) for begun in group])


def _recipe(begun: Begun) -> training.Recipe:
    plain = worker.plain_recipe(worker.find_worker(begun.wanted), begun.wanted, begun.task.learning_rate)
    return begun.kind.recipe(plain, begun.received, begun.own)


def _train(group: Sequence[Begun]) -> list[tuple[Arrays, training.Outcome]] | None:
    """Adapter and outcome of each; None where memory ran out. Raises AppError."""
    found = worker.find_worker(group[0].wanted)
    clients = [_client(begun) for begun in group]
    try:
        if found.together is None or len(found.together.slots) < len(group):
            found.together = None  # not both at a time
            with training.told_of_memory(clients[0].recipe):
                found.together = Adapters(found.net, len(group))
        trained = together_steps.train(found.net, found.together, clients)
    except AppError as error:
        if error.code != training.OUT_OF_MEMORY:
            raise
        return None
    return [
        (arrays, worker.told(outcome, client.recipe, len(client.examples), begun.task.round, begun.task.partition))
        for begun, client, (arrays, outcome) in zip(group, clients, trained, strict=True)
    ]


def _client(begun: Begun) -> together_steps.Client:
    wanted, task = begun.wanted, begun.task
    found, recipe = worker.find_worker(wanted), _recipe(begun)
    examples = worker.examples_of(found, wanted, task.partition)
    stream = client_rows.stream(wanted, task.partition)
    return together_steps.Client(
        begin=begun.kind.begin(begun.received, lambda: worker.drawn(found, wanted)),
        examples=examples,
        order=batches.order(len(examples), seeding.derive(wanted.seed, "order", task.round, stream)),
        recipe=recipe,
        seed=seeding.derive(wanted.seed, "client", task.round, stream),
        tell=step_log.told_to(wanted.run_dir, task.round, task.partition, recipe.steps),
    )


def _say(group: Sequence[Begun], what: str) -> None:
    clients = ", ".join(str(begun.task.partition) for begun in group)
    print(f"ftbench: round {group[0].task.round}, clients {clients}: {what}", flush=True)
