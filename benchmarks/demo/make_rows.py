"""The demo's rows: messages of customers to an invented bakery, and what they want. Invented here, read through by eye.

600 to train on and 40 to test on: `python make_rows.py FOLDER` writes both. The test's are built from openings and
particulars that no training row has.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

# Of each intent: what is said in training, and what only in the test. {thing}, {when}, {name} are filled in.
SAID: dict[str, tuple[list[str], list[str]]] = {
    "order": (
        [
            "I would like to buy {thing} for {when}.",
            "Can you bake {thing} for me by {when}?",
            "Please put me down for {thing} on {when}.",
            "We need {thing} ready for {when}.",
            "Could I get {thing} for {when}, please?",
            "Reserve {thing} for {name}, {when}.",
        ],
        [
            "Please make {thing} for our party on {when}.",
            "I want to have {thing} on {when}, name is {name}.",
        ],
    ),
    "cancel": (
        [
            "Please call off {thing} for {when}, we no longer need it.",
            "I have to cancel {thing} that was due {when}.",
            "Don't bake {thing} for {when} after all.",
            "{name} here: strike {thing} from {when}, plans changed.",
            "We won't be needing {thing} on {when} any more.",
            "Cancel what I ordered for {when}: {thing}.",
        ],
        [
            "Sorry, drop {thing} for {when}, the guests are not coming.",
            "Please cancel the order of {name}: {thing} on {when}.",
        ],
    ),
    "complaint": (
        [
            "{thing} you sold me {when} was burnt underneath.",
            "I am not happy: {thing} from {when} was stale.",
            "There was a hair in {thing} I picked up {when}.",
            "Half of {thing} delivered {when} was squashed.",
            "{thing} tasted of nothing, and I paid full price {when}.",
            "Very disappointed with {thing} we had {when}.",
        ],
        [
            "What a let-down: {thing} on {when} was still raw inside.",
            "{thing} was mouldy, bought {when}. I want my money back.",
        ],
    ),
    "hours": (
        [
            "Are you open on {when}?",
            "Until what time can one come in {when}?",
            "When do you close {when}?",
            "Is the shop shut {when}?",
            "How early do you open {when}?",
            "Do you keep your usual hours {when}?",
        ],
        [
            "At what time does the shop open {when}?",
            "Will somebody be in the shop late {when}?",
        ],
    ),
    "praise": (
        [
            "{thing} on {when} was the best I ever had, thank you!",
            "Just to say how much we loved {thing} {when}.",
            "My compliments for {thing}, all gone in minutes {when}.",
            "{name} sends thanks: {thing} made {when} special.",
            "Wonderful, {thing} we had {when}: we will be back.",
            "Everyone asked where {thing} came from {when}. Well done!",
        ],
        [
            "Thank you, {thing} was a delight on {when}.",
            "Lovely work: {name} could not stop talking of {thing} {when}.",
        ],
    ),
}
THINGS = (
    "a rye loaf",
    "a pair of seeded loaves",
    "a lemon cake",
    "a dozen rolls",
    "an apple tart",
    "a tray of buns",
    "a plum pie",
)
THINGS_TEST = ("a walnut bread", "a bag of cinnamon swirls", "a cherry flan")
WHEN = (
    "Monday",
    "Tuesday morning",
    "Wednesday",
    "Thursday noon",
    "Friday",
    "Saturday afternoon",
    "the 3rd",
    "the 14th",
)
WHEN_TEST = ("Sunday", "the 21st", "Easter eve")
NAMES = ("Ada", "Bruno", "Cleo", "Dario", "Enid")
SHOPS = ("north", "south", "harbour", "market")


def rows(count: int, seed: int, *, test: bool) -> list[dict[str, str]]:
    """`count` different messages, as many of each intent."""
    dice, found = random.Random(seed), dict[str, dict[str, str]]()
    things, when = (THINGS_TEST, WHEN_TEST) if test else (THINGS, WHEN)
    intents = list(SAID)
    while len(found) < count:
        intent = intents[len(found) % len(intents)]
        text = dice.choice(SAID[intent][int(test)])
        text = text.format(thing=dice.choice(things), when=dice.choice(when), name=dice.choice(NAMES))
        text = text[0].upper() + text[1:]
        text = dice.choice(("", "", "Hello. ", "Hi there! ", "Good day. ")) + text
        if text not in found:
            found[text] = {"shop": dice.choice(SHOPS), "message": text, "intent": intent}
    mixed = list(found.values())
    dice.shuffle(mixed)
    return mixed


def main(folder: Path) -> None:
    """Write `train.jsonl` and `test.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", 600, 1), ("test", 40, 2)):
        lines = [json.dumps(row) + "\n" for row in rows(count, seed, test=name == "test")]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
