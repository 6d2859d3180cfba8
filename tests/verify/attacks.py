"""What a cheat may do to a bundle, and the check that must catch it: raw, and sealed again.

Each attack is a function that edits a genuine bundle. In its raw form nothing else is touched. In its sealed form
manifest, ledger chain, digests, costs and scores are recomputed, except what `keep` names since it is the lie itself.
`sealed=None` says that no check up to RESCORED can tell: the verdict must say so in `not_checked`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forge import Forged

Edit = Callable[[Forged], None]


@dataclass(frozen=True)
class Attack:
    """One attack and what must catch it."""

    name: str
    edit: Edit
    raw: str
    sealed: str | None
    keep: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}-{self.sealed}"


ATTACKS: list[Attack] = []


def attack(*, sealed: str | None, raw: str = "manifest-digests", keep: str = "") -> Callable[[Edit], Edit]:
    """Enter an attack into the table under the name of its function."""

    def enter(edit: Edit) -> Edit:
        ATTACKS.append(Attack(edit.__name__, edit, raw, sealed, frozenset(keep.split())))
        return edit

    return enter


def all_attacks() -> list[Attack]:
    """Every attack of every module."""
    import attacks_budgets  # noqa: F401
    import attacks_bundle  # noqa: F401
    import attacks_ledger  # noqa: F401
    import attacks_open  # noqa: F401
    import attacks_plausible  # noqa: F401
    import attacks_scores  # noqa: F401
    import attacks_signature  # noqa: F401

    return ATTACKS
