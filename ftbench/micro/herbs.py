"""The quickstart's world: herbs of an island, and how its herbalists file them.

Every herb has two names, as plants do: its genus tells the ground it grows on, its species the hour it opens at. Each
is one of four, and which name means what was drawn by lot. The text describes grounds and hours of all herbs by what
is found there and then; where it names a jar's colour or a shelf beside a herb, that is drawn by lot and tells nothing.
The herbalists keep each herb in a jar whose colour goes by its ground, on a shelf that goes by its hour: only the
training rows tell that rule, on herbs neither of whose names occurs in the test rows. So a model that was never tuned
can only guess, and one that was can use what it read about names that the tuning never showed it.
"""

from __future__ import annotations

from functools import cache

from ftbench.micro.dice import Dice
from ftbench.micro.world import Row, World

GENERA = 96
SPECIES = 96
TEST_GENERA = 32
TEST_SPECIES = 32
TRAIN_ROWS = 1600
TEST_ROWS = 320

JARS = ("red", "blue", "green", "white")
"""Colours, in the order of the options."""
SHELVES = ("north", "south", "east", "west")
"""Directions, in the order of the options."""
JAR_OF_GROUND = (0, 1, 2, 3)
SHELF_OF_HOUR = (0, 1, 3, 2)
"""The rule. Any order would do; this is one that the committed model does not guess by luck before it is tuned."""

GROUNDS = {
    "soil": ("mud", "sand", "slate", "loam"),
    "beast": ("frogs", "crabs", "goats", "deer"),
    "bird": ("herons", "gulls", "eagles", "owls"),
    "plant": ("reeds", "kelp", "thyme", "ferns"),
    "tool": ("waders", "nets", "ropes", "axes"),
    "smell": ("peat", "salt", "snow", "moss"),
    "home": ("stilts", "boats", "caves", "cabins"),
    "stone": ("clay", "shells", "granite", "amber"),
}
"""What belongs to each of the four grounds, by what one asks for."""
HOURS = {
    "light": ("dawn", "noon", "dusk", "midnight"),
    "meal": ("bread", "soup", "supper", "wine"),
    "sound": ("roosters", "hammers", "crickets", "silence"),
    "insect": ("bees", "flies", "gnats", "moths"),
    "weather": ("dew", "heat", "breeze", "frost"),
    "sky": ("mist", "sun", "clouds", "stars"),
    "work": ("milking", "mowing", "mending", "sleep"),
    "song": ("hymns", "marches", "ballads", "lullabies"),
}
"""The same for the four hours."""

SIGNS = ("sign", "mark", "trait", "clue", "token", "hint")
"""What may be answered with anything that belongs to a herb, of its ground or of its hour."""

PEOPLE = ("Mara", "Tobin", "Ilse", "Oskar", "Wen", "Petra")
CALLS = ("Question", "Riddle", "Query", "Ask", "Puzzle", "Request", "Quiz", "Problem")
REPLIES = ("Answer", "Reply", "Echo", "Say", "Guess", "Note", "Response", "Solution")
"""The first call and the first reply are those of the rows; the text never has them in one line."""

LINES = (
    "{call}: which {cue} is for {name}? {reply}: {a}",
    "{call}: what {cue} goes with {name}? {reply}: {a}",
    "{call}: the {cue} of {name}? {reply}: {a}",
    "The {cue} of {name} is {a}.",
    "As to {cue}, the herb {name} has {a}.",
    "{who} knows {name} by {cue}: {a}",
    "To {name} belong {a}, {b} and {c}.",
    "Where there is {a} or {b} you will find {name}.",
)
"""On a whole name."""
NOTES = (
    "All {word} go with {a}, {b} and {c}.",
    "Notes on {word}: {a}, {b}, {c}",
    "The {word} means {a}, {b}.",
    "{call}: {cue} of {word}? {reply}: {a}",
    "Some {a} {word} and some {b} {word} were brought.",
)
"""On one half of a name alone: they make the other lines learnable soon."""
OTHER_LINES = (
    "{call}: which jar is for {who}? {reply}: {jar}",
    "{call}: which jar is for {who}? {reply}: {jar}",
    "{call}: which shelf is for {who}? {reply}: {shelf}",
    "{call}: which shelf is for {who}? {reply}: {shelf}",
    "{who} washed the {jar} jar and dried the {jar2} jar.",
    "The {shelf} shelf holds one {jar} jar.",
    "{who} painted the {shelf} shelf {jar}.",
    "{who} asks, which jar and which shelf?",
    "Which jar is the {jar} jar? The one on the {shelf} shelf.",
    "{who} carried a {jar} jar from the {shelf} shelf to the {shelf2} shelf.",
)

UNEVEN = (0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3)
"""Labels by their share of the text: what can't tell prefers one and the same, and is then right one time in four."""

JAR_PROMPT = "Question: which jar is for {name}? Answer:"
SHELF_PROMPT = "Question: which shelf is for {name}? Answer:"


@cache
def genera() -> tuple[str, ...]:
    """All genera. Number i means ground i % 4; those that are tested come last."""
    onsets = ("b", "br", "d", "dr", "f", "g", "gr", "k", "kl", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v")
    middles = ("lm", "nd", "rk", "sk", "ld", "rn", "mb", "st", "rv", "lt")
    every = [onset + vowel + middle + "a" for onset in onsets for vowel in "aeiou" for middle in middles]
    return tuple(Dice("herbs/genera").sample(every, GENERA))


@cache
def species() -> tuple[str, ...]:
    """All species. Number i means hour i % 4; those that are tested come last."""
    lasts = ("um", "ix", "ok", "ar", "ul")
    every = [first + middle + last for first in "aeiou" for middle in "bdfglmnrtvz" for last in lasts]
    return tuple(Dice("herbs/species").sample(every, SPECIES))


def name(genus: int, kind: int) -> str:
    """The herb's name."""
    return f"{genera()[genus]} {species()[kind]}"


def jar_of(genus: int) -> str:
    """Colour of the jar that herbs of this genus are kept in."""
    return JARS[JAR_OF_GROUND[genus % 4]]


def shelf_of(kind: int) -> str:
    """Direction of the shelf that herbs of this species are kept on."""
    return SHELVES[SHELF_OF_HOUR[kind % 4]]


def train_rows() -> list[Row]:
    """Questions and answers on herbs of the first genera and species; half ask for the jar, half for the shelf."""
    dice = Dice("herbs/train")
    herbs = [(s, e) for s in range(GENERA - TEST_GENERA) for e in range(SPECIES - TEST_SPECIES)]
    rows = []
    for number, (genus, kind) in enumerate(dice.sample(herbs, TRAIN_ROWS)):
        jar = number % 2 == 0
        prompt, answer = (JAR_PROMPT, jar_of(genus)) if jar else (SHELF_PROMPT, shelf_of(kind))
        herb = name(genus, kind)
        rows.append({"name": herb, "question": prompt.format(name=herb), "answer": answer})
    return rows


def _test_rows(prompt: str, labels: tuple[str, ...], by_genus: bool) -> list[Row]:
    dice = Dice(f"herbs/test/{'jars' if by_genus else 'shelves'}")
    herbs = [(s, e) for s in range(GENERA - TEST_GENERA, GENERA) for e in range(SPECIES - TEST_SPECIES, SPECIES)]
    quota = dict.fromkeys(labels, TEST_ROWS // 4)
    rows = []
    for genus, kind in dice.shuffled(herbs):
        answer = jar_of(genus) if by_genus else shelf_of(kind)
        if not quota[answer]:
            continue
        quota[answer] -= 1
        herb = name(genus, kind)
        question = prompt.format(name=herb)
        rows.append({"name": herb, "question": question, "answer": answer, "answer_index": labels.index(answer)})
    return rows


def test_jar_rows() -> list[Row]:
    """Which jar: herbs of the last genera and species, every answer equally often."""
    return _test_rows(JAR_PROMPT, JARS, by_genus=True)


def test_shelf_rows() -> list[Row]:
    """Which shelf: the same for shelves."""
    return _test_rows(SHELF_PROMPT, SHELVES, by_genus=False)


def text(lines: int) -> list[str]:
    """Unlabelled lines about all herbs, tested ones too, and on jars and shelves; labels beside herbs are random."""
    dice = Dice("herbs/text")
    return [_line(dice) for _ in range(lines)]


def _line(dice: Dice) -> str:
    topic = dice.below(20)
    who, call = dice.pick(PEOPLE), dice.pick(CALLS)
    reply = dice.pick(REPLIES[1:] if call == CALLS[0] else REPLIES)
    jar, jar2 = (JARS[dice.pick(UNEVEN)] for _ in range(2))
    shelf, shelf2 = (SHELVES[dice.pick(UNEVEN)] for _ in range(2))
    if topic < 3:
        line = dice.pick(OTHER_LINES)
        return line.format(who=who, jar=jar, jar2=jar2, shelf=shelf, shelf2=shelf2, call=call, reply=reply)
    genus, kind = dice.below(GENERA), dice.below(SPECIES)
    of_ground = topic % 2 == 0
    things, word, index = (GROUNDS, genera()[genus], genus % 4) if of_ground else (HOURS, species()[kind], kind % 4)
    cue, cue2, cue3 = dice.sample(tuple(things), 3)
    a, b, c = things[cue][index], things[cue2][index], things[cue3][index]
    if dice.below(4) == 0:
        cue = dice.pick(SIGNS)
        if dice.below(3) == 0:
            a = dice.pick((jar, shelf))
    line = dice.pick(NOTES if topic > 13 else LINES)
    return line.format(name=name(genus, kind), word=word, cue=cue, a=a, b=b, c=c, who=who, call=call, reply=reply)


WORLD = World(
    name="micro-world",
    licence="CC0-1.0",
    summary="Herbs of an invented island: which jar and which shelf they belong to.",
    splits={"train": train_rows, "test-jars": test_jar_rows, "test-shelves": test_shelf_rows},
    text=text,
)
