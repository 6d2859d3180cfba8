"""One app beside one benchmark: what was found, and the knobs that the entry sets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ftbench.base_models.catalogue import BaseModel
from ftbench.flowertune.app import App
from ftbench.flowertune.facts import Fact, Facts
from ftbench.spec import knobs
from ftbench.spec.emit import flow
from ftbench.spec.model import Spec

Kind = Literal["departs", "carried", "not-told"]
Topic = Literal[
    "data", "partition", "supernodes", "model", "rounds", "sampling", "learning-rate", "batch", "steps", "optimizer",
    "schedule", "precision", "quantization", "adapter", "targets", "loss", "strategy", "packages", "remote-code",
    "prompts", "scorer", "traffic", "log", "entry",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between an app and a benchmark."""

    kind: Kind
    """`departs`: no entry can say it; `carried`: it differs from the benchmark's own value and the entry sets it;
    `not-told`: the app's files do not tell."""
    topic: Topic
    text: str
    """In a sentence."""
    place: str
    """File and line, or the file."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A knob that the entry sets."""

    value: Any
    place: str
    note: str = ""


@dataclass(slots=True)
class Case:
    """What the parts of the comparison share."""

    app: App
    folder: Path
    """As it was given: the app's own, or one above it."""
    facts: Facts
    spec: Spec
    base: BaseModel | None
    """Architecture of the app's base model, where it is known."""
    reference: Mapping[str, Mapping[str, Sequence[str]]]
    """`prompt` and `scorer` → name of a function → digests of the public ones."""
    findings: list[Finding] = field(default_factory=list)
    knobs: dict[str, Chosen] = field(default_factory=dict)

    def short(self, place: str) -> str:
        """A place as it is called inside the app's folder."""
        return place.removeprefix(f"{self.app.folder}{os.sep}").removeprefix(f"{self.folder}{os.sep}")

    def departs(self, topic: Topic, text: str, place: str = "") -> None:
        """Note what no entry can say."""
        self.findings.append(Finding("departs", topic, text, self.short(place or self.app.shown)))

    def carried(self, topic: Topic, text: str, place: str = "") -> None:
        """Note what the entry says."""
        self.findings.append(Finding("carried", topic, text, self.short(place or self.app.shown)))

    def not_told(self, topic: Topic, text: str, place: str = "") -> None:
        """Note what the files do not tell."""
        self.findings.append(Finding("not-told", topic, text, self.short(place or self.app.shown)))

    def choose(self, topic: Topic, path: str, fact: Fact[Any] | None, what: str) -> None:
        """Set a knob to what the app has; a finding where it is not the benchmark's own value, or may not be set."""
        if fact is None:
            self.not_told(topic, f"{what}: not to be told from the app's text; the entry keeps the benchmark's own")
            return
        own = knobs.value(self.spec, path)
        shown, knob = flow(fact.value), self.spec.knobs.get(path)
        if knob is None:
            if own != fact.value:
                self.departs(topic, f"{what}: {shown}; the benchmark fixes {flow(own)} for everyone", fact.place)
            return
        if not knobs.allows(knob, fact.value):
            allowed = knobs.describe(knob, knobs.shape(self.spec, path))
            self.departs(topic, f"{what}: {shown}; the benchmark allows {allowed}", fact.place)
            return
        self.knobs[path] = Chosen(fact.value, self.short(fact.place))
        if own != fact.value:
            told = "none of its own" if own is None else flow(own)
            self.carried(topic, f"{what}: {shown}; the benchmark has {told}", fact.place)
