"""Ranks of clients that differ and can be combined; strategies that go with the kind of adapter."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec import words
from ftbench.spec.checks.strategies import kinds
from ftbench.spec.knobs import extremes
from ftbench.spec.model import Choices, Free, Spec
from ftbench.spec.paths import Path
from ftbench.spec.problems import Problem
from ftbench.spec.ranks import RANKS
from ftbench.spec.strategies import KIND, STRATEGIES, having

MIXED = frozenset(having(mixes_ranks=True))
"""Strategies that can combine factors of different ranks."""
LORA_ONLY = {kind: one.lora_only for kind, one in STRATEGIES.items() if one.lora_only}
"""Strategies that their papers define for LoRA alone → why DoRA does not go with them."""
AT: Path = ("adapter", "client_ranks")


def adapters(spec: Spec) -> Iterator[Problem]:
    """A strategy that is defined for LoRA alone has LoRA to work with, also where knobs allow it."""
    kind, knob = spec.strategy.kind, spec.knobs.get("adapter.kind")
    if kind in LORA_ONLY and spec.adapter.kind != "lora":
        yield Problem(codes.CONTRADICTION, ("adapter", "kind"), LORA_ONLY[kind], "use `lora`, or another strategy")
        return
    dora = spec.adapter.kind == "dora" or isinstance(knob, Free)
    dora |= isinstance(knob, Choices) and "dora" in knob.choices
    lora = spec.adapter.kind == "lora" or isinstance(knob, Free)
    lora |= isinstance(knob, Choices) and "lora" in knob.choices
    allowed = kinds(spec)
    if not lora:
        for other in sorted(allowed & LORA_ONLY.keys()):
            message = f"the knob `{KIND}` allows `{other}`, and the adapter is DoRA: {LORA_ONLY[other]}"
            yield Problem(codes.CONTRADICTION, ("knobs", KIND), message, "let entries choose `lora` too", key=True)
    elif dora and allowed <= LORA_ONLY.keys():
        message = f"the knob `adapter.kind` allows `dora`, and no strategy that the spec allows does: {LORA_ONLY[kind]}"
        yield Problem(codes.CONTRADICTION, ("knobs", "adapter.kind"), message, "leave the knob out", key=True)


def ranks(spec: Spec) -> Iterator[Problem]:
    """Ranks have an effect with the strategy in force, none is above the server's, and at least two differ."""
    kind, given, knob = spec.strategy.kind, spec.adapter.client_ranks, spec.knobs.get(RANKS)
    if given is not None and kind not in MIXED:
        message = f"`{RANKS}` has no effect with `strategy.kind: {kind}`: it cannot combine factors of different ranks"
        yield Problem(codes.NO_EFFECT, AT, message, f"leave it out, or use {words.listed(sorted(MIXED))}")
    elif given is not None:
        yield from _listed(spec, given, spec.adapter.rank, AT)
        others = sorted(kinds(spec) - MIXED)
        null = isinstance(knob, Free) or (isinstance(knob, Choices) and None in knob.choices)
        if others and not null:
            message = f"the knob `{KIND}` allows {words.listed(others)}, with which `{RANKS}` has no effect"
            yield Problem(
                codes.CONTRADICTION, ("knobs", KIND), message, f"make `{RANKS}` a knob that allows null", key=True
            )
    if knob is not None and not MIXED & kinds(spec):
        message = f"the knob `{RANKS}` has no effect: no strategy that the spec allows uses it"
        yield Problem(codes.NO_EFFECT, ("knobs", RANKS), message, "leave it out", key=True)
    elif isinstance(knob, Choices):
        most = max([spec.adapter.rank, *(int(bound) for bound in extremes(spec.knobs.get("adapter.rank")))])
        for number, choice in enumerate(knob.choices):
            if isinstance(choice, list) and choice and all(type(rank) is int and rank > 0 for rank in choice):
                yield from _listed(spec, choice, most, ("knobs", RANKS, "choices", number))


def _listed(spec: Spec, given: list[int], most: int, at: Path) -> Iterator[Problem]:
    """What is wrong with one list, where the server keeps at most rank `most`."""
    clients = spec.federation.clients
    high = [(number, rank) for number, rank in enumerate(given) if rank > most]
    for number, rank in high:
        message = f"a client of rank {rank}: the server keeps rank {most}, so that the rest could never be sent on"
        yield Problem(codes.CONTRADICTION, (*at, number), message, "raise `adapter.rank`, or lower this")
    if len(given) > clients:
        message = f"{len(given)} ranks for {clients} clients: what follows the first {clients} is nobody's"
        yield Problem(codes.NO_EFFECT, (*at, clients), message, "leave the rest out")
    held = {given[client % len(given)] for client in range(clients)}
    if len(held) == 1 and not high:
        message = f"every client has rank {min(held)}: the ranks are not mixed"
        yield Problem(codes.NO_EFFECT, at, message, f"leave it out, with `adapter.rank: {min(held)}`")
