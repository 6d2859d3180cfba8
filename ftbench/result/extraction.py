"""From what a model wrote to the option that it meant. Pure text rules: runner and verifier share this module.

The harness hook `ftbench_tasks.py` has a copy of its own, since a hook cannot import; a test holds the two equal.
None means unparsable: no rule turns silence or babble into an option, except the incumbent's `sentiment-substring`,
whose fault that is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
INCUMBENT_LETTERS = "abcde"


def extract(rule: str, text: str, options: Sequence[str]) -> int | None:
    """Index of the option that `text` names by the rule of `generated`, or None.

    `option-text`: the option named first, as whole words, case ignored, any white space for a space; of two that begin
    at one place the longer. `option-letter`: the first capital letter A, B, C … of an option that stands alone.
    Raises ValueError for another rule.
    """
    if rule == "option-text":
        return _first_named(text, options)
    if rule == "option-letter":
        last = LETTERS[min(len(options), len(LETTERS)) - 1]
        found = re.search(rf"(?<![\w'’])[A-{last}](?![\w'’])", text)
        return None if found is None else LETTERS.index(found[0])
    raise ValueError(f"{rule!r} is no rule of extraction")


def flowertune(rule: str, text: str, options: Sequence[str]) -> int | None:
    """Index of the option that `text` gives by the FlowerTune evaluation's rule, or None.

    The text is put in lower case and stripped to a–z and 0–9. `first-letter`: its first character against a–e.
    `exact-label`: equal to a label treated alike. `sentiment-substring`: `positive`, then `negative`, else neutral,
    so that silence is neutral. Raises ValueError for another rule.
    """
    plain, labels = _plain(text), [_plain(option) for option in options]
    if rule == "first-letter":
        index = INCUMBENT_LETTERS.find(plain[:1]) if plain else -1
        return index if 0 <= index < len(options) else None
    if rule == "exact-label":
        return labels.index(plain) if plain in labels else None
    if rule == "sentiment-substring":
        label = next((word for word in ("positive", "negative") if word in plain), "neutral")
        return labels.index(label) if label in labels else None
    raise ValueError(f"{rule!r} is no rule of the flowertune scoring")


def _first_named(text: str, options: Sequence[str]) -> int | None:
    words = " ".join(text.casefold().split())
    best: tuple[int, int, int] | None = None
    for index, option in enumerate(options):
        name = " ".join(option.casefold().split())
        found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) if name else None
        if found is not None:
            place = (found.start(), -len(name), index)
            best = place if best is None else min(best, place)
    return None if best is None else best[2]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
