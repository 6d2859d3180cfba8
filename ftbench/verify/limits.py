"""What verification does not establish, said aloud with every verdict."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench.result.documents import LEVELS, Level
from ftbench.result.signed import Signed

SWAPPED_ADAPTER = (
    "That the adapter came out of the training in the ledger: no round was trained again, so another adapter of the "
    "same shape with a ledger rewritten to name it passes (SPOT-RUN would tell)."
)
INVENTED_ANSWERS = (
    "That the answers were given by this model with this adapter: none was generated again, so wholly invented but "
    "consistent answers pass (SPOT-RUN would tell)."
)
UPDATES = (
    "That the updates in the ledger are real and the adapter is what the strategy makes of them: they are digests, and "
    "most of their tensors are not in the bundle."
)
TEST_SET = "That the submitter did not also train privately on the test items."
BEST_OF_K = "That this is not the best of several runs, under one name or many."
HARDWARE = "Hardware, times, memory and package versions: they are as the submitter tells them."
NOT_BROUGHT = "{}: {}, so that nothing is known of it here."
AUTHOR = "Who submitted this: the bundle is not signed."
KEY = "Who has the key {} that signed this: no list of signers was given (`--signers`)."

REPEATED = "Why rounds were asked again after too few replies ({} times): the bytes of these are in no total."
LEFT_OUT = (
    "That the {} replies left out were unusable: a submitter may leave out whom they like, down to the fewest allowed."
)

ATTACKED = (
    "That the {} of {} clients drawn as Byzantine attacked as the spec says: in a ledger their updates are digests."
)

ALWAYS = (SWAPPED_ADAPTER, INVENTED_ANSWERS, UPDATES, TEST_SET, BEST_OF_K, HARDWARE)

READ_EVIDENCE = (
    "That anything was done again: the evidence of the spot-run was read from a file, and holds as far as its maker is "
    "believed. `--spot` makes it here."
)

CHOSEN = (
    "How many trials the entry's knobs were chosen from, and by what: the bundle says so, and the trials that lost are "
    "not in it."
)

BY_ANOTHER = (
    "That anything was done again here: the level rests on another run, and on the word of who signed it. `--spot` "
    "does part of it here."
)

VALIDATION = "The validation losses: they are as the submitter's run recorded them."
"""A check of a spec that goes by them notes it."""

TOLD_BY_SPOT = (SWAPPED_ADAPTER, INVENTED_ANSWERS, UPDATES, VALIDATION)
"""What a spot-run bears on; its own checks say how far."""

ABOVE: dict[Level, str] = {
    "CLAIMED": "CLAIMED: whether the documents can be read and the scores can be.",
    "INTACT": "INTACT: whether the files are those of the manifest.",
    "CONFORMS": "CONFORMS: whether lock, entry, base model, ledger and adapter are what the benchmark asks for.",
    "RESCORED": "RESCORED: whether items, prompts and scores are the benchmark's.",
    "SPOT-RUN": "SPOT-RUN: whether answers, updates and adapters come out again where nobody foresees the draw.",
    "REPRODUCED": "REPRODUCED: whether somebody else who runs all of it comes to the same.",
}
"""What is missing when a level was not reached."""


def not_checked(reached: Level, notes: Sequence[str], signature: Signed | None = None) -> list[str]:
    """Sentences for a verdict: levels not reached, what a check could not establish here, what no check does yet."""
    missing = [text for level, text in ABOVE.items() if LEVELS.index(level) > LEVELS.index(reached)]
    author = [AUTHOR] if signature is None else [KEY.format(signature.key)] if signature.identity is None else []
    done_again = LEVELS.index(reached) >= LEVELS.index("SPOT-RUN")
    told = [text for text in [*dict.fromkeys(notes), *ALWAYS] if not (done_again and text in TOLD_BY_SPOT)]
    return [*missing, *told, *author]
