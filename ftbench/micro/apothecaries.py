"""Five apothecaries of the herbs' island, each with records of its own: what a benchmark of natural silos is made of.

Four gather at one hour each and so know herbs that open then; the town's buys a little from all of them. All file by
the quickstart's rule (`ftbench.micro.herbs`): the jar goes by the ground. The larger houses have more records.
"""

from __future__ import annotations

from collections.abc import Callable

from ftbench.micro import herbs
from ftbench.micro.dice import Dice
from ftbench.micro.world import Row, World

HOUSES = ("dawn-house", "noon-house", "dusk-house", "night-house")
"""The house of each of the four hours."""
TOWN = "town-house"
RECORDS = (420, 300, 210, 150)
"""Records of the houses of the hours; together with the town's, 1,200."""
TOWN_RECORDS = 120
ITEMS = 160
"""Items of each house's test, every jar equally often."""


def train_rows() -> list[Row]:
    """Each house's records on herbs of the first genera and species, the houses' in turn by their hours, then the
    town's."""
    dice = Dice("apothecaries/train")
    every = [(g, s) for g in range(herbs.GENERA - herbs.TEST_GENERA) for s in range(herbs.SPECIES - herbs.TEST_SPECIES)]
    left = dice.shuffled(every)
    rows: list[Row] = []
    for hour, (house, count) in enumerate(zip(HOUSES, RECORDS, strict=True)):
        own = [herb for herb in left if herb[1] % 4 == hour][:count]
        left = [herb for herb in left if herb not in set(own)]
        rows += [_row(herb, house) for herb in own]
    return rows + [_row(herb, TOWN) for herb in left[:TOWN_RECORDS]]


def _row(herb: tuple[int, int], house: str) -> Row:
    name = herbs.name(*herb)
    answer = herbs.jar_of(herb[0])
    question = herbs.JAR_PROMPT.format(name=name)
    return {"house": house, "question": question, "answer": answer, "answer_index": herbs.JARS.index(answer)}


def test_rows(house: str) -> Callable[[], list[Row]]:
    """Herbs of the last genera and species such as that house gets, every jar equally often."""

    def made() -> list[Row]:
        dice = Dice(f"apothecaries/test/{house}")
        genera = range(herbs.GENERA - herbs.TEST_GENERA, herbs.GENERA)
        every = [(g, s) for g in genera for s in range(herbs.SPECIES - herbs.TEST_SPECIES, herbs.SPECIES)]
        quota = dict.fromkeys(herbs.JARS, ITEMS // 4)
        rows = []
        for herb in dice.shuffled(every):
            if house != TOWN and herb[1] % 4 != HOUSES.index(house):
                continue
            if quota[herbs.jar_of(herb[0])]:
                quota[herbs.jar_of(herb[0])] -= 1
                rows.append(_row(herb, house))
        return rows

    return made


WORLD = World(
    name="micro-apothecaries",
    licence="CC0-1.0",
    summary="Records of five apothecaries of the herbs' island: in which jar a herb is kept.",
    splits={"train": train_rows, **{f"test-{house}": test_rows(house) for house in (*HOUSES, TOWN)}},
    text=herbs.text,
)
