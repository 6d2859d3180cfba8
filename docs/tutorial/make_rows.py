"""The tutorial's rows: invented clauses of invented leases, and whether each binds the tenant.

`python make_rows.py` writes both files.

The test's clauses are about other matters than the training rows': what is to be learnt is who is bound.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

PARTIES = {
    "yes": ("The tenant", "The lessee", "Each party", "Every side"),
    "no": ("The landlord", "The lessor", "The owner", "The agent"),
}
DUTIES = ("shall", "must", "undertakes to", "is obliged to", "agrees to", "promises to")
TRAIN = (
    "keep the stairs clear of goods",
    "insure the building against fire",
    "repair the roof before winter",
    "give notice in writing",
    "pay for broken windows",
    "sweep the chimney once a year",
    "hand over all keys on the last day",
    "tell the other side of any flood",
    "let the surveyor into the cellar",
    "keep the garden wall upright",
    "settle the water bill each quarter",
    "lock the gate after dark",
)
TEST = (
    "paint the shutters in spring",
    "report any leak within two days",
    "keep a list of all visitors' bicycles",
    "empty the gutters after a storm",
    "bring disputes to the town's arbiter first",
    "renew the licence of the bakery",
)
FIRMS = ("Alder & Finch", "Brook Chambers", "Corbel Legal", "Dunmore LLP", "Easterly & Sons")


def rows(matters: tuple[str, ...], count: int, seed: int) -> list[dict[str, str]]:
    """`count` different clauses, drawn by `seed`."""
    every = [
        {"clause": f"{name} {duty} {matter}.", "answer": party}
        for party, names in PARTIES.items()
        for name in names
        for duty in DUTIES
        for matter in matters
    ]
    chosen = random.Random(seed).sample(every, count)
    return [{"firm": FIRMS[number % len(FIRMS)], **row} for number, row in enumerate(chosen)]


def main(folder: Path) -> None:
    """Write `train.jsonl` and `test.jsonl`."""
    for name, matters, count, seed in (("train", TRAIN, 200, 1), ("test", TEST, 60, 2)):
        lines = [json.dumps(row) + "\n" for row in rows(matters, count, seed)]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parent)
