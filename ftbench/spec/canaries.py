"""Canaries: rows with a secret that are planted into training, to see how far a model gives such a row away.

Carlini et al., *The Secret Sharer* (arXiv 1802.08232). A planted row is like any other, but that its prompt is a number
which no other row has and its completion a secret drawn from many alike. After training the model is asked how likely
each of these is; where the secret stands among those that were never planted is its exposure.

Everything here follows from the spec alone, so that whoever locks it plants the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from ftbench.spec import template
from ftbench.spec.primitives import Block, Count
from ftbench.spec.sources import CanarySource
from ftbench.spec.tasks import ChoiceTask

NAME = "canaries"
"""The task in which their secrets are asked for; no other task may have this name with them."""
ANSWER = "canary_secret"
"""The task's column with the place of the secret among the candidates."""
NUMBER_DIGITS, SECRET_DIGITS = 5, 6
"""A secret's digits stand apart, so that tokenizers make as many tokens of one as of another."""


class Canaries(Block):
    """Rows planted into training, whose secrets are asked for after it."""

    count: Annotated[int, Field(ge=1, le=256)]
    """How many canaries, each in the partition of a client that the partition seed draws."""
    candidates: Annotated[int, Field(ge=4, le=1024)]
    """Secrets that are compared, those of the canaries among them: more than twice as many as canaries."""
    repeats: Count = 1
    """How often each stands in its client's partition."""


def unfit(block: Canaries, prompt: str, completion: str) -> str:
    """Why such rows cannot be made for these templates; empty where they can."""
    try:
        asked, learnt = set(template.columns(prompt)), set(template.columns(completion))
    except template.TemplateError:
        return ""  # said of the template itself
    faults = {
        f"`data.completion` names {len(learnt)} columns, and a secret fills one": len(learnt) != 1,
        "`data.prompt` names no column of its own, so that all would have one prompt": not asked - learnt,
        "`data.prompt` shows the column that a secret fills": bool(asked & learnt),
        f"{block.candidates} candidates are too few for {block.count} canaries, which are not compared together": (
            2 * block.count >= block.candidates
        ),
    }
    return next((why for why, holds in faults.items() if holds), "")


def task(block: Canaries, prompt: str, completion: str, seed: int) -> ChoiceTask:
    """The test set that asks for the secrets. The templates must be fit for them; `seed`: the partition's."""
    (filled,) = set(template.columns(completion))
    options = [_escaped(template.fill(completion, {filled: one})) for one in _secrets(block, seed)]
    columns: dict[str, str] = dict.fromkeys(template.columns(prompt), "number")
    return ChoiceTask(
        kind="choice",
        name=NAME,
        source=CanarySource(kind="canaries", seed=seed, count=block.count, candidates=block.candidates),
        columns={**columns, ANSWER: "secret"},
        prompt=prompt,
        options=options,
        answer=ANSWER,
        scoring=["likelihood"],
    )


def items(source: CanarySource) -> list[dict[str, object]]:
    """Number and place of the secret of each canary."""
    pairs = zip(_numbers(source.seed, source.count), _places(source), strict=True)
    return [{"number": number, "secret": place} for number, place in pairs]


def rows(block: Canaries, prompt: str, completion: str, seed: int) -> list[dict[str, str]]:
    """What the columns of each planted row are that the templates name, in the order of the rows."""
    asked, (learnt,) = template.columns(prompt), set(template.columns(completion))
    places = _places(CanarySource(kind="canaries", seed=seed, count=block.count, candidates=block.candidates))
    secrets = _secrets(block, seed)
    made = [
        {**dict.fromkeys(asked, number), learnt: secrets[place]}
        for number, place in zip(_numbers(seed, block.count), places, strict=True)
    ]
    return [row for row in made for _ in range(block.repeats)]


def holders(block: Canaries, seed: int, clients: int) -> list[int]:
    """The client of each planted row, in the order of the rows. No client gets a second canary before all have one."""
    drawn = _distinct(seed, "client", min(block.count, clients), clients)
    return [drawn[number % clients] for number in range(block.count) for _ in range(block.repeats)]


def _numbers(seed: int, count: int) -> list[str]:
    return [f"{one:0{NUMBER_DIGITS}}" for one in _distinct(seed, "number", count, 10**NUMBER_DIGITS)]


def _places(source: CanarySource) -> list[int]:
    return _distinct(source.seed, "place", source.count, source.candidates)


def _secrets(block: Canaries, seed: int) -> list[str]:
    drawn = _distinct(seed, "secret", block.candidates, 10**SECRET_DIGITS)
    return [" ".join(f"{one:0{SECRET_DIGITS}}") for one in drawn]


def _distinct(seed: int, what: str, count: int, below: int) -> list[int]:
    """`count` different whole numbers below `below`, by sha256: the same with every version of everything."""
    return [number for number, _ in zip(_draws(seed, what, below), range(count), strict=False)]


def _draws(seed: int, what: str, below: int) -> Iterator[int]:
    seen: set[int] = set()
    turn = 0
    while len(seen) < below:
        drawn = int.from_bytes(hashlib.sha256(f"ftbench canary {what} {seed} {turn}".encode()).digest()[:16]) % below
        turn += 1
        if drawn not in seen:
            seen.add(drawn)
            yield drawn


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
