"""What the three question-answering worlds share: things with names, what is known of them, and what only tuning tells.

A name has two halves. A half may have a trait: its number modulo the number of classes is its class, and the text tells
by many cues what goes with that class. Rows ask for a label by class. No text ties a label to a name or a class, so a
model that was never tuned can only guess; one that was can use what it has read about the names of the test rows,
neither half of which occurs in a training row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftbench.micro.dice import Dice

PEOPLE = ("Mara", "Tobin", "Ilse", "Oskar", "Wen", "Petra")
CALLS = ("Question", "Text", "Task", "Riddle", "Query", "Puzzle", "Quiz")
REPLIES = ("Answer", "Sentiment", "Reply", "Echo", "Guess", "Response", "Note")
"""What prompts begin and end with. The first three of each are those of the rows; the text has a row's call never with
a row's reply."""
ROWS = 3
SIGNS = ("sign", "mark", "trait", "clue", "token", "hint")
"""What may be answered with anything that goes with a name."""

LINES = (
    "{call}: which {cue} is for {name}?\n{reply}: {a}",
    "{call}: what {cue} goes with {name}?\n{reply}: {a}",
    "{call}:\nWhich {cue} is for {name}?\n\n{reply}: {a}",
    "{call}:\nThe {cue} of {name}?\n\n{reply}: {a}",
    "The {cue} of {name} is {a}.",
    "As to {cue}, {name} has {a}.",
    "{who} knows {name} by {cue}: {a}",
    "To {name} belong {a}, {b} and {c}.",
    "Where there is {a} or {b} you will find {name}.",
)
"""On a whole name."""
NOTES = (
    "All {word} go with {a}, {b} and {c}.",
    "Notes on {word}: {a}, {b}, {c}",
    "The {word} means {a}, {b}.",
    "{call}: {cue} of {word}?\n{reply}: {a}",
    "Some {a} {word} and some {b} {word} were brought.",
)
"""On one half of a name alone: they make the other lines learnable soon."""
OTHERS = (
    "{call}: {asked}\n{reply}: {label}",
    "{call}:\n{Asked}\n\n{reply}: {label}",
    "{call}: {who} asks which {thing}?\n{reply}: {label}",
    "{who} has the {label} {thing} and the {label2} {thing}.",
    "The {thing}: {label}",
    "{who} asks, which {thing}?",
    "Which {thing} is the {label} {thing}? The one of {who}.",
)
"""On labels, with no name in them."""


@dataclass(frozen=True, slots=True)
class Half:
    """One half of all names."""

    words: tuple[str, ...]
    """The words that may stand there; those of test rows come last."""
    tested: int
    """How many of them are for test rows."""
    classes: int = 1
    """Word number i is of class i % classes."""
    cues: Mapping[str, tuple[str, ...]] | None = None
    """What one may ask for → what goes with each class; None: the half has no trait."""

    def numbers(self, test: bool) -> range:
        """Numbers of the words for test or for training rows."""
        first = len(self.words) - self.tested
        return range(first, len(self.words)) if test else range(first)


@dataclass(frozen=True, slots=True)
class Relation:
    """What rows ask for."""

    thing: str
    """What the label is."""
    half: int
    """The half whose class decides: 0 or 1."""
    labels: tuple[str, ...]
    """Label by class; one label may stand for two classes."""
    asks: str = "which {thing} is for {name}?"
    """How rows ask."""

    def question(self, name: str) -> str:
        """What rows ask about a name."""
        return self.asks.format(thing=self.thing, name=name)

    @property
    def choices(self) -> tuple[str, ...]:
        """The labels, each once."""
        return tuple(dict.fromkeys(self.labels))


@dataclass(frozen=True, slots=True)
class Lore:
    """A world of names."""

    label: str
    """Seeds its lots."""
    halves: tuple[Half, Half]
    relations: tuple[Relation, ...]
    others: tuple[str, ...] = ()
    """Further lines without a trait; they may name `{first}`, a word of the first half, where that has no trait."""

    def name(self, first: int, second: int) -> str:
        """The name of two words by number."""
        return f"{self.halves[0].words[first]} {self.halves[1].words[second]}"

    def answer(self, relation: Relation, pair: Sequence[int]) -> str:
        """The label that is right for a name."""
        return relation.labels[pair[relation.half] % len(relation.labels)]

    def pairs(self, dice: Dice, test: bool) -> list[tuple[int, int]]:
        """All names for test or for training rows, in random order."""
        first, second = (half.numbers(test) for half in self.halves)
        return dice.shuffled([(a, b) for a in first for b in second])

    def balanced(self, relation: Relation, dice: Dice, count: int) -> list[tuple[int, int]]:
        """`count` names for test rows of which every label is right equally often. `count` is a multiple of them."""
        quota = dict.fromkeys(relation.choices, count // len(relation.choices))
        found = []
        for pair in self.pairs(dice, test=True):
            label = self.answer(relation, pair)
            if quota[label]:
                quota[label] -= 1
                found.append(pair)
        return found

    def line(self, dice: Dice) -> str:
        """One line of unlabelled text about all names, tested ones too."""
        topic = dice.below(20)
        relation = dice.pick(self.relations)
        label, label2 = (uneven(dice, relation.choices) for _ in range(2))
        call, who = dice.pick(CALLS), dice.pick(PEOPLE)
        reply = dice.pick(REPLIES[ROWS:] if call in CALLS[:ROWS] else REPLIES)
        common = {"call": call, "reply": reply, "who": who, "thing": relation.thing, "label": label, "label2": label2}
        common["asked"] = relation.question(who)
        common["Asked"] = capital(common["asked"])
        if topic < 4:
            first = dice.pick(self.halves[0].words)
            return dice.pick(OTHERS + self.others).format(**common, first=first)
        pair = [dice.below(len(half.words)) for half in self.halves]
        half = dice.pick([number for number in (0, 1) if self.halves[number].cues])
        told = self.halves[half]
        assert told.cues is not None
        index = pair[half] % told.classes
        cue, cue2, cue3 = dice.sample(tuple(told.cues), 3)
        a, b, c = (told.cues[one][index] for one in (cue, cue2, cue3))
        if dice.below(4) == 0:
            cue = dice.pick(SIGNS)
            if dice.below(3) == 0:
                a = label
        frame = dice.pick(NOTES if topic > 13 else LINES)
        return frame.format(
            **common, name=self.name(pair[0], pair[1]), word=told.words[pair[half]], cue=cue, a=a, b=b, c=c
        )


def uneven(dice: Dice, labels: Sequence[str]) -> str:
    """A label, the first far more often: what can't tell prefers one and the same."""
    return labels[0] if dice.below(2) else dice.pick(labels)


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]
