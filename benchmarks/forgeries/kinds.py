"""What a cheat may do that every check up to RESCORED lets pass. Each edits a real run; its docstring is its sentence.

An edit says what of it is false: items (task → indices), client rounds and aggregations. From these the probability of
being caught is computed; what is measured comes from the checks alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forgeries.forged import Arrays, Run
from ftbench.app.strategy.mean import means
from ftbench.result import names, samples
from ftbench.spec.canonical import sha256

BAND = 0.002
"""Nats that a spot-run lets pass; what lies nearer is no lie of consequence."""


@dataclass(frozen=True)
class False_:
    """What is not what the bundle says of it."""

    items: dict[str, set[int]] = field(default_factory=dict)
    clients: set[tuple[int, int]] = field(default_factory=set)
    aggregations: set[int] = field(default_factory=set)
    validations: set[int] = field(default_factory=set)
    """Rounds whose validation loss is not what is told."""


@dataclass(frozen=True)
class Kind:
    """One kind of forgery."""

    name: str
    says: str
    edit: Callable[[Run, Run], False_]
    world: str
    """`plain`, `privacy` or `validation`."""


KINDS: list[Kind] = []
Edit = Callable[[Run, Run], False_]


def kind(world: str = "plain") -> Callable[[Edit], Edit]:
    def enter(edit: Edit) -> Edit:
        KINDS.append(Kind(edit.__name__.replace("_", "-"), " ".join((edit.__doc__ or "").split()), edit, world))
        return edit

    return enter


# --- answers ---


def _items(run: Run) -> dict[str, set[int]]:
    return {task: set(range(len(_lines(run, task)))) for task in run.forged.world.items}


def _lines(run: Run, task: str) -> list[Any]:
    name = names.samples_name(task)
    return samples.parse(run.forged.files[name], name)


def _tell(run: Run, who: str, items: dict[str, set[int]], told: Callable[[Any], list[float]]) -> False_:
    """Give these items other log-likelihoods."""
    for task, indices in items.items():
        with run.forged.samples(task) as lines:
            for line in lines:
                if line["index"] in indices:
                    line[who]["loglikelihoods"] = told(line)
    return False_(items)


def _right(line: Any) -> list[float]:
    return [-0.05 if place == line["target"] else -4.0 - place / 7 for place in range(len(line["options"]))]


def _wrong(line: Any) -> list[float]:
    return [
        -0.05 if place == (line["target"] + 1) % len(line["options"]) else -4.0 for place in range(len(line["options"]))
    ]


@kind()
def answers_invented(run: Run, _: Run) -> False_:
    """All answers of the tuned model are invented."""
    return _tell(run, "tuned", _items(run), _right)


@kind()
def a_tenth_of_the_answers_invented(run: Run, _: Run) -> False_:
    """A tenth of the tuned model's answers are set right."""
    some = {task: set(range(0, len(every), 10)) for task, every in _items(run).items()}
    return _tell(run, "tuned", some, _right)


@kind()
def one_answer_invented(run: Run, _: Run) -> False_:
    """One answer is set right."""
    return _tell(run, "tuned", {"jars": {17}}, _right)


@kind()
def untuned_model_made_worse(run: Run, _: Run) -> False_:
    """The untuned model is told to be wrong of everything, so that tuning gains more."""
    return _tell(run, "untuned", _items(run), _wrong)


def _apart(one: Run, other: Run) -> dict[str, set[int]]:
    """Items whose answers in two runs lie further apart than the band."""
    found = {}
    for task in one.forged.world.items:
        pairs = zip(_lines(one, task), _lines(other, task), strict=True)
        found[task] = {
            a.index
            for a, b in pairs
            if max(abs(x - y) for x, y in zip(a.tuned.loglikelihoods, b.tuned.loglikelihoods, strict=True)) > BAND
        }
    return found


@kind()
def answers_of_another_run(run: Run, other: Run) -> False_:
    """The answers are those of another run, of another seed: a stale or a better result under this adapter's name."""
    honest = run.copy()
    for task in run.forged.world.items:
        run.forged.files[names.samples_name(task)] = other.forged.files[names.samples_name(task)]
    return False_(_apart(honest, run))


# --- adapters ---


@kind()
def random_adapter(run: Run, _: Run) -> False_:
    """The adapter is noise of the right shape; answers and the rest of the run are kept, the ledger's last line names
    it."""
    draw = np.random.default_rng(5)
    final = run.final()
    run.hand_in(
        {key: draw.normal(0, array.std() or 0.01, array.shape).astype(np.float32) for key, array in final.items()}
    )
    return False_(_items(run), aggregations={len(run.rounds())})


@kind()
def adapter_from_elsewhere(run: Run, other: Run) -> False_:
    """The adapter was trained otherwise, for example on the test items; its answers are its own, and the ledger's last
    line names it."""
    _take(run, other, other.final())
    return False_(aggregations={len(run.rounds())})


def _take(run: Run, other: Run, arrays: Arrays) -> None:
    """The adapter, and the answers that the other run's adapter gave."""
    run.hand_in(arrays)
    for task in run.forged.world.items:
        run.forged.files[names.samples_name(task)] = other.forged.files[names.samples_name(task)]


def _around(mean: Arrays, replies: int, seed: int) -> list[Arrays]:
    """Different updates whose mean is about this."""
    draw = np.random.default_rng(seed)
    steps = [{key: draw.normal(0, 1e-3, a.shape).astype(np.float32) for key, a in mean.items()} for _ in range(replies)]
    middle = {key: sum(step[key] for step in steps) / replies for key in mean}
    return [{key: mean[key] + step[key] - middle[key] for key in mean} for step in steps]


@kind()
def last_updates_made_to_fit(run: Run, other: Run) -> False_:
    """As before, and the last round's updates are invented so that their mean is that adapter."""
    last = run.rounds()[-1]
    made = _round(run, last["round"], other.final())
    _take(run, other, made)
    return False_(clients={(last["round"], reply["partition"]) for reply in last["replies"]})


def _round(run: Run, number: int, target: Arrays) -> Arrays:
    """Invent a round's updates around a target, keep them, and give the adapter that they average to."""
    with run.forged.round(number) as body:
        updates = _around(target, len(body["replies"]), number)
        for reply, arrays in zip(body["replies"], updates, strict=True):
            reply["update"] = run.put(arrays)
        weighted = [(float(reply["examples"]), arrays) for reply, arrays in zip(body["replies"], updates, strict=True)]
        made: Arrays = means(weighted, sorted(target))
        body["adapter"] = run.put(made)
    return made


@kind()
def whole_run_invented(run: Run, other: Run) -> False_:
    """No client ever trained: an adapter trained in one place, on pooled rows, say, and a ledger and an archive that
    lead up to it."""
    begin, end = run.arrays(run.start()), other.final()
    rounds = run.rounds()
    made = begin
    for body in rounds:
        part = body["round"] / len(rounds)
        made = _round(
            run, body["round"], {key: begin[key] + (end[key] - begin[key]) * np.float32(part) for key in begin}
        )
    _take(run, other, made)
    return False_(clients=_replies(run, lambda *_: True))


# --- updates ---


def _replies(run: Run, which: Callable[[int, int], bool]) -> set[tuple[int, int]]:
    return {
        (body["round"], reply["partition"])
        for body in run.rounds()
        for reply in body["replies"]
        if which(body["round"], reply["partition"])
    }


def _invent(run: Run, which: Callable[[int, int], bool]) -> False_:
    """Digests of updates that never were. Nobody has their files, so their rounds cannot be aggregated again either."""
    draw = random.Random(11)
    clients = _replies(run, which)
    for number in {number for number, _ in clients}:
        with run.forged.round(number) as body:
            for reply in body["replies"]:
                if (number, reply["partition"]) in clients:
                    reply["update"] = sha256(draw.randbytes(8))
    return False_(clients=clients, aggregations={number for number, _ in clients})


@kind()
def one_update_invented(run: Run, _: Run) -> False_:
    """One client's reply in one round is invented."""
    first = min(_replies(run, lambda *_: True))
    return _invent(run, lambda number, client: (number, client) == first)


@kind()
def one_client_invented(run: Run, _: Run) -> False_:
    """One client never took part, or trained on other rows than its own: on the test items, say."""
    client = run.rounds()[0]["sampled"][0]
    return _invent(run, lambda _, partition: partition == client)


@kind()
def all_updates_invented(run: Run, _: Run) -> False_:
    """No update in the ledger is real; the adapter is."""
    return _invent(run, lambda *_: True)


@kind()
def honest_rounds_kept_alone(run: Run, _: Run) -> False_:
    """Every second round is invented, and of the archive only the others' files are handed over."""
    found = _invent(run, lambda number, _: number % 2 == 0)
    run.listed["keep_every"] = 2
    return found


@kind()
def losses_invented(run: Run, _: Run) -> False_:
    """Training losses are told lower than they were."""
    with run.forged.lines() as lines:
        for line in lines:
            for reply in line["body"].get("replies", []):
                reply["loss"] *= 0.5
    return False_(clients=_replies(run, lambda *_: True))


@kind()
def archive_of_another_run(run: Run, other: Run) -> False_:
    """What was kept is another run's, so that nothing of this one can be done again."""
    run.kept = {name: data for name, data in other.kept.items() if name != f"{run.start()}.safetensors"}
    rounds = {body["round"] for body in run.rounds()}
    return False_(clients=_replies(run, lambda *_: True), aggregations=rounds)


# --- noise ---


@kind("privacy")
def noise_never_added(run: Run, _: Run) -> False_:
    """Differential privacy is told and no noise was added: each adapter is the clipped mean itself."""
    rounds = run.rounds()
    for body in rounds:
        _quiet(run, body["round"], 0.0, 0)
    return False_(
        clients={one for one in _replies(run, lambda *_: True) if one[0] > 1},
        aggregations={body["round"] for body in rounds},
    )


@kind("privacy")
def noise_drawn_until_it_suits(run: Run, _: Run) -> False_:
    """In the last round the noise is of another seed than the run's."""
    number = len(run.rounds())
    _quiet(run, number, 1.0, 4242)
    return False_(aggregations={number})


def _quiet(run: Run, number: int, part: float, seed: int) -> None:
    """Aggregate a round with this part of its noise, from another seed."""
    from ftbench.app.privacy import server

    block = run.forged.world.spec.privacy
    assert block is not None
    told = block.model_dump(mode="json") | {"noise_multiplier": block.noise_multiplier * part}
    rounds = run.rounds()
    body = rounds[number - 1]
    base = run.arrays(run.start() if number == 1 else rounds[number - 2]["adapter"])
    weighted = [(1.0, run.arrays(reply["update"])) for reply in body["replies"]]
    [(_, made)], _ = server.release(told, (seed, number), weighted, base=base, sampled=len(body["sampled"]), state=None)
    if number == len(rounds):
        run.hand_in(dict(made))
    with run.forged.round(number) as told_round:
        told_round["adapter"] = run.put(dict(made))


# --- validation losses ---


@kind("validation")
def validation_losses_invented(run: Run, _: Run) -> False_:
    """Every round's validation loss is told lower than it was, so that a target seems to be reached earlier."""
    with run.forged.lines() as lines:
        for line in lines:
            if line["body"]["event"] == "round":
                line["body"]["validation_loss"] *= 0.5
    return False_(validations={body["round"] for body in run.rounds()})


@kind("validation")
def best_round_hidden(run: Run, _: Run) -> False_:
    """The best round's validation loss is told higher than it was, so that the next best is scored, which does better
    on the test items, say. Its adapter and its answers are its own."""
    losses = {body["round"]: body["validation_loss"] for body in run.rounds()}
    best = min(losses, key=lambda number: (losses[number], number))
    losses[best] = max(losses.values()) + 0.1
    scored = min(losses, key=lambda number: (losses[number], number))
    with run.forged.round(best) as body:
        body["validation_loss"] = losses[best]
    run.hand_in(run.arrays(run.rounds()[scored - 1]["adapter"]))
    with run.forged.lines() as lines, run.forged.result() as result:
        lines[-1]["body"]["round"] = result["checkpoint_round"] = scored
    return False_(validations={best})
