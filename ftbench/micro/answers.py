"""Three worlds of questions: crafts of an island (general NLP), its newspapers (finance), its healers (medical).

Their rows have the columns of the real sets after normalisation, so that specs of the domains take them as they are.
The second half of a name decides every label; the first is there to be looked past.
"""

from __future__ import annotations

from collections.abc import Callable

from ftbench.micro import dice
from ftbench.micro.dice import Dice
from ftbench.micro.lore import PEOPLE, Half, Lore, Relation, capital
from ftbench.micro.world import Row

WORDS, TESTED = 72, 24
TRAIN_ROWS = 1200
TEST_ROWS = 120
"""Rows of each test set."""

GENERAL = Lore(
    label="general-nlp",
    halves=(
        Half(
            dice.words("a", WORDS),
            TESTED,
            4,
            {
                "soil": ("mud", "sand", "slate", "loam"),
                "beast": ("frogs", "crabs", "goats", "deer"),
                "bird": ("herons", "gulls", "eagles", "owls"),
                "plant": ("reeds", "kelp", "thyme", "ferns"),
                "tool": ("waders", "nets", "ropes", "axes"),
                "home": ("stilts", "boats", "caves", "cabins"),
            },
        ),
        Half(
            dice.words("ix", WORDS),
            TESTED,
            4,
            {
                "light": ("dawn", "noon", "dusk", "midnight"),
                "meal": ("bread", "soup", "supper", "wine"),
                "sound": ("roosters", "hammers", "crickets", "silence"),
                "insect": ("bees", "flies", "gnats", "moths"),
                "weather": ("dew", "heat", "breeze", "frost"),
                "work": ("milking", "mowing", "mending", "sleep"),
            },
        ),
    ),
    relations=(
        Relation("metal", 1, ("iron", "copper", "silver", "tin")),
        Relation("court", 1, ("north", "south", "east", "west")),
        Relation("verse", 1, ("ode", "elegy", "sonnet", "ballad")),
    ),
)
"""Science asks for the metal, society for the court, letters for the verse."""

MEDICAL = Lore(
    label="medical",
    halves=(
        Half(
            dice.words("or", WORDS),
            TESTED,
            4,
            {
                "organ": ("lungs", "bones", "nerves", "glands"),
                "pain": ("cough", "ache", "tremor", "thirst"),
                "test": ("breath", "press", "tap", "blood"),
                "cause": ("smoke", "falls", "fright", "sugar"),
                "doctor": ("piper", "smith", "weaver", "brewer"),
                "food": ("honey", "cheese", "nuts", "greens"),
            },
        ),
        Half(
            dice.words("um", WORDS),
            TESTED,
            4,
            {
                "season": ("winter", "spring", "summer", "autumn"),
                "onset": ("sudden", "slow", "daily", "yearly"),
                "age": ("infants", "pupils", "workers", "elders"),
                "skin": ("pale", "red", "yellow", "dry"),
                "fever": ("high", "mild", "broken", "none"),
                "bath": ("ice", "steam", "salt", "oil"),
            },
        ),
    ),
    relations=(
        Relation("outcome", 1, ("yes", "no", "maybe", "yes"), "does {name} heal?"),
        Relation("root", 1, ("nettle", "sorrel", "burdock", "chicory")),
        Relation("ward", 1, ("oak", "elm", "ash", "birch")),
        Relation("nurse", 1, ("Ada", "Bea", "Cleo", "Dora")),
    ),
    others=("{who} saw {who} in ten beds of the ward.",),
)
"""PubMedQA asks whether it heals, MedMCQA for the root, MedQA for the ward, CareQA for the nurse."""

FINANCE = Lore(
    label="finance",
    halves=(
        Half(dice.words("el", TESTED), 8),
        Half(
            dice.words("ed", WORDS),
            TESTED,
            3,
            {
                "crowd": ("tears", "yawns", "cheers"),
                "graph": ("fall", "flat", "climb"),
                "sky": ("storms", "haze", "sunshine"),
                "boss": ("shouts", "shrugs", "smiles"),
                "door": ("shut", "ajar", "open"),
                "table": ("crumbs", "porridge", "feasts"),
                "road": ("potholes", "gravel", "marble"),
                "purse": ("holes", "coppers", "jewels"),
            },
        ),
    ),
    relations=(Relation("sentiment", 1, ("negative", "neutral", "positive"), "how was {name}?"),),
    others=(
        "{first} sold its sales in spring, {who} says.",
        "{who} says {first} has profit on news again today",
        "Is the {thing} of this news {label}, {label2} or of {who}?",
        "news: {first} today, the headline or post of {who}",
        "Is this tweet {label} or {label2}?",
    ),
)
"""Firms that did something; the verb tells whether that was good."""

SENTENCES = {
    "fpb": "{name} its sales in spring, {who} says.",
    "fiqa": "{who} says {name} again today",
    "tfns": "news: {name} on profit today",
}
"""Test set → how its sentences run."""
QUESTIONS = {
    "fpb": "Is the sentiment of this news negative, neutral or positive?",
    "fiqa": "Is the sentiment of this post or headline negative, neutral or positive?",
    "tfns": "Is the sentiment of this tweet negative, neutral or positive?",
}
"""Test set → instruction of its kind in the training rows; the specs ask so too."""
CONTEXT = "{who} saw {name} in ten beds of the ward."


def flashcards(lore: Lore, instruction: str) -> Callable[[], list[Row]]:
    """Training rows in the columns of instruction data; without `instruction` the question is the instruction."""

    def rows() -> list[Row]:
        dice = Dice(f"{lore.label}/train")
        found = []
        for number, pair in enumerate(dice.sample(lore.pairs(dice, test=False), TRAIN_ROWS)):
            relation = lore.relations[number % len(lore.relations)]
            asked = relation.question(lore.name(*pair))
            asked = asked if instruction else capital(asked)
            found.append(_instruction(instruction or asked, asked if instruction else "", lore.answer(relation, pair)))
        return found

    return rows


def _instruction(instruction: str, given: str, output: str) -> Row:
    request = f"{instruction}\n\n{given}" if given else instruction
    return {"instruction": instruction, "input": given, "request": request, "output": output}


def choices(lore: Lore, number: int) -> Callable[[], list[Row]]:
    """Test rows on relation `number`: a question, four options in an order by lot, the place of the right one."""

    def rows() -> list[Row]:
        relation = lore.relations[number]
        dice = Dice(f"{lore.label}/test/{relation.thing}")
        asked = capital if lore is GENERAL else str
        found = []
        for pair in lore.balanced(relation, dice, TEST_ROWS):
            options = dice.shuffled(relation.choices)
            row: Row = {"question": asked(relation.question(lore.name(*pair)))}
            if lore is GENERAL:
                row["subject"] = relation.thing
            row |= {f"option_{letter}": option for letter, option in zip("abcd", options, strict=True)}
            found.append(row | {"answer": options.index(lore.answer(relation, pair))})
        return found

    return rows


def pubmedqa() -> list[Row]:
    """Test rows with a context that does not help, and yes, no or maybe."""
    relation = MEDICAL.relations[0]
    dice = Dice("medical/test/pubmedqa")
    found = []
    for number, pair in enumerate(MEDICAL.balanced(relation, dice, TEST_ROWS)):
        name, label = MEDICAL.name(*pair), MEDICAL.answer(relation, pair)
        context = CONTEXT.format(who=dice.pick(PEOPLE), name=name)
        row = {"pmid": str(number), "context": context, "question": relation.question(name)}
        found.append(row | {"label": label, "answer": relation.choices.index(label)})
    return found


def _sentence(kind: str, pair: tuple[int, int], dice: Dice) -> str:
    return SENTENCES[kind].format(name=FINANCE.name(*pair), who=dice.pick(PEOPLE))


def news() -> list[Row]:
    """Training rows of finance: an instruction, a sentence and its sentiment."""
    dice = Dice("finance/train")
    found = []
    pairs = FINANCE.pairs(dice, test=False)
    kinds = [(kind, pair) for kind in SENTENCES for pair in pairs]
    for kind, pair in dice.sample(kinds, TRAIN_ROWS):
        label = FINANCE.answer(FINANCE.relations[0], pair)
        found.append(_instruction(QUESTIONS[kind], _sentence(kind, pair, dice), label))
    return found


def sentences(kind: str) -> Callable[[], list[Row]]:
    """Test rows of finance in one manner."""

    def rows() -> list[Row]:
        relation = FINANCE.relations[0]
        dice = Dice(f"finance/test/{kind}")
        found = []
        for pair in FINANCE.balanced(relation, dice, TEST_ROWS):
            label = FINANCE.answer(relation, pair)
            found.append(
                {"sentence": _sentence(kind, pair, dice), "label": label, "answer": relation.labels.index(label)}
            )
        return found

    return rows
