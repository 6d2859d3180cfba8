"""On which page of a bundle's answers an item stands."""

from __future__ import annotations

from ftbench.board.model import BundleRef, Row, Table
from ftbench.site import links

SIZE = 100
"""Items on a page."""
AROUND = 2
"""Pages on both sides of the current one that are named."""


def place(table: Table, row: Row, bundle: BundleRef, task: str, position: int) -> str:
    """The page and place of the item at this position among all."""
    return f"{links.samples(table, row, bundle, task, 'all', position // SIZE + 1)}#i{position}"


def count(items: int) -> int:
    """How many pages so many items take, at least one."""
    return max(1, -(-items // SIZE))


def named(page: int, pages: int) -> list[int | None]:
    """The pages to link, with None for a gap."""
    wanted = sorted({1, pages, *range(max(1, page - AROUND), min(pages, page + AROUND) + 1)})
    found: list[int | None] = []
    for number in wanted:
        if found and found[-1] is not None and number > found[-1] + 1:
            found.append(None)
        found.append(number)
    return found
