"""`federation.weigh_by` where it changes something, and where the server can know what it asks for."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import STRATEGIES

AT = ("federation", "weigh_by")
UNWEIGHTED = ("middle", "one")
"""How strategies combine that ask no client how many rows it has."""


def weighing(spec: Spec) -> Iterator[Problem]:
    """One problem at most."""
    if spec.federation.weigh_by is None:
        return
    kind = spec.strategy.kind
    if STRATEGIES[kind].combines in UNWEIGHTED:
        message = f"`federation.weigh_by` has no effect: `{kind}` does not weigh replies by rows"
        yield Problem(codes.NO_EFFECT, AT, message, "leave it out, or use a strategy that takes a weighted mean")
    elif spec.privacy is not None and spec.privacy.kind == "central":
        message = "`federation.weigh_by` has no effect: with central privacy every client counts the same"
        yield Problem(codes.NO_EFFECT, AT, message, "leave it out")
    elif spec.privacy is not None and spec.federation.weigh_by == "rows-used":
        message = "`weigh_by: rows-used` asks clients for a count of their data that no noise covers"
        yield Problem(codes.CONTRADICTION, AT, message, "leave it out: rows held are public by the pins")
    elif STRATEGIES[kind].variates and spec.federation.weigh_by == "rows-used":
        message = "`weigh_by: rows-used` does not go with SCAFFOLD: its server needs the rows of every client"
        hint = "leave it out: of clients that were not asked, nobody knows how many rows they use"
        yield Problem(codes.CONTRADICTION, AT, message, hint)
