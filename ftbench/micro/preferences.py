"""Preference pairs on the crafts of the island: which of two answers people there like better.

Each class of names has a best answer, a fair one and two poor ones, the fair one being another class's best. Most
pairs are of the fair answer and a poor one, few of the best and the fair one. Who learns to give the preferred answers
comes to give the fair one, which is preferred far more often; who learns from the pairs finds that the best one is
liked better.
"""

from __future__ import annotations

from collections.abc import Callable

from ftbench.micro.answers import GENERAL, TEST_ROWS, TRAIN_ROWS
from ftbench.micro.dice import Dice
from ftbench.micro.lore import Relation, capital
from ftbench.micro.world import Row

OFTEN = 6
"""Pairs in ten that are of a fair and a poor answer."""


def ranking(relation: Relation, pair: tuple[int, int]) -> tuple[str, ...]:
    """The four answers for a name, the one that is liked best first; the last two are liked alike."""
    first = pair[relation.half] % len(relation.labels)
    return tuple(relation.labels[(first + place) % len(relation.labels)] for place in range(len(relation.labels)))


def pairs() -> list[Row]:
    """Training rows: a question, the preferred answer, the other one."""
    dice = Dice("preferences/train")
    found = []
    for number, name in enumerate(dice.sample(GENERAL.pairs(dice, test=False), TRAIN_ROWS)):
        relation = GENERAL.relations[number % len(GENERAL.relations)]
        best, fair, *poor = ranking(relation, name)
        chosen, rejected = (fair, dice.pick(poor)) if dice.below(10) < OFTEN else (best, fair)
        asked = capital(relation.question(GENERAL.name(*name)))
        found.append({"prompt": asked, "chosen": chosen, "rejected": rejected})
    return found


def compared(better: int, worse: int) -> Callable[[], list[Row]]:
    """Test rows: two answers by their place in the ranking, in an order by lot, and the place of the one liked more."""

    def rows() -> list[Row]:
        dice = Dice(f"preferences/test/{better}/{worse}")
        found = []
        for relation in GENERAL.relations:
            for name in GENERAL.balanced(relation, dice, TEST_ROWS // len(GENERAL.relations)):
                order = ranking(relation, name)
                first, second = options = dice.shuffled([order[better], order[worse]])
                asked = capital(relation.question(GENERAL.name(*name)))
                answer = options.index(order[better])
                found.append({"prompt": asked, "option_a": first, "option_b": second, "answer": answer})
        return found

    return rows
