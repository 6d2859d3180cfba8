"""Which option of an item is the right one, by what stands in the answer's column.

The harness hook has its own copy (`right` in `ftbench_tasks`); a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence


def right_option(answer: object, options: Sequence[str]) -> int:
    """Index of the right option: the whole number itself, counted from 0, or the place of the one option whose text it
    is, white space at the ends of both left out.

    Raises ValueError, which says in words why it is none of them.
    """
    last = len(options) - 1
    if isinstance(answer, int) and not isinstance(answer, bool):
        if not 0 <= answer <= last:
            raise ValueError(f"is {answer}; an index from 0 to {last} is expected")
        return answer
    if not isinstance(answer, str):
        raise ValueError(f"is {answer!r}; an index from 0 to {last} or the text of an option is expected")
    found = [place for place, option in enumerate(options) if option.strip() == answer.strip()]
    if len(found) != 1:
        how = "more than one" if found else "none"
        raise ValueError(f"is {answer[:60]!r}, which is the text of {how} of the {len(options)} options")
    return found[0]
