"""Test items that occur in the training data: found by their text, reported, left to the reader to judge."""

from __future__ import annotations

from dataclasses import dataclass

from ftbench import codes
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.spec.model import Spec
from ftbench.spec.pins import Pins
from ftbench.spec.template import fill

EXAMPLES = 3
"""Items shown of each task."""
SHORTEST = 20
"""Fewest letters and digits of a column that is compared by itself: a shorter one occurs by chance."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What one task shares with the training rows."""

    task: str
    items: int
    """Items of the task."""
    found: list[tuple[int, int]]
    """(item, training row) of each item that occurs, by the first row that holds it; numbers from 0."""
    examples: list[str]
    """The first few of those texts."""


def find_overlaps(spec: Spec, pins: Pins, store: Store) -> list[Overlap]:
    """For each task whose rows are in the store, the items that occur among the training rows.

    Texts are compared in lower case, reduced to letters and digits. A row and an item are each known by their filled
    prompt and by their columns of at least SHORTEST letters and digits; the item occurs when they share one.
    Raises MissingResource where the training rows are not in the store.
    """
    train = pins.sources["train"]
    if train.digest is None:
        return []
    seen: dict[str, int] = {}
    for number, row in enumerate(store.rows(train.digest)):
        for text in texts(spec.data.prompt, row):
            seen.setdefault(text, number)
    found = []
    for task in spec.evaluation.scored:  # canaries are in the training rows on purpose
        pin = pins.sources[f"task:{task.name}"]
        if pin.digest is None or not store.has_rows(pin.digest):
            continue
        items = store.rows(pin.digest)
        hits = []
        for number, row in enumerate(items):
            rows = [seen[text] for text in texts(task.prompt, row) if text in seen]
            if rows:
                hits.append((number, min(rows)))
        examples = [fill(task.prompt, items[number])[:120] for number, _ in hits[:EXAMPLES]]
        found.append(Overlap(task.name, len(items), hits, examples))
    return found


def report(spec: Spec, pins: Pins, store: Store) -> list[Diagnostic]:
    """A warning (FTB329) for each task with items that occur in the training rows, as far as rows are here."""
    try:
        return warnings(find_overlaps(spec, pins, store))
    except MissingResource:
        return []


def warnings(overlaps: list[Overlap]) -> list[Diagnostic]:
    """One for each task with items that occur."""
    return [
        Diagnostic(
            codes.OVERLAP,
            f"task {one.task}: {len(one.found)} of {one.items} items occur in the training rows, e.g. item "
            + "; item ".join(
                f"{item} in row {row}: {text!r}" for (item, row), text in zip(one.found, one.examples, strict=False)
            ),
            hint="a model may learn them by heart; say so beside scores, or choose other training data",
            severity="warning",
        )
        for one in overlaps
        if one.found
    ]


def texts(prompt: str, row: dict[str, object]) -> list[str]:
    """The normalised texts by which a row is known."""
    columns = [_plain(value) for value in row.values() if isinstance(value, str)]
    texts = [_plain(fill(prompt, row)), *(text for text in columns if len(text) >= SHORTEST)]
    return [text for text in dict.fromkeys(texts) if text]


def _plain(text: str) -> str:
    """Lower case, letters and digits only."""
    return "".join(filter(str.isalnum, text.casefold()))
