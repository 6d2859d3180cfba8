"""The model card says what the result says."""

from __future__ import annotations

from ftbench.result import names
from ftbench.result.card import card
from ftbench.verify.check import Check, Failure
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """The card, where there is one, is byte for byte the one made of result and entry; results of before have none."""
    told = context.bundle.files.get(names.CARD)
    if told is None:
        return "there is none"
    if told != card(context.result, context.entry):
        return Failure(f"{names.CARD} is not the card that result and entry give")
    return "the one that result and entry give"


CHECK = Check("card-made", "CONFORMS", "FTB674", "the adapter's model card says what the result says, and no more", run)
