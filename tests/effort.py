"""How often a heavy test does what it draws at random.

`make test-slow` must fit into an hour on two cores, so it does a share of it; `make test-at-length` sets the
variable and does as often as the pages say, which takes hours.
"""

from __future__ import annotations

import os
from typing import Final

AT_LENGTH: Final = os.environ.get("FTBENCH_TESTS_AT_LENGTH") == "1"


def times(usually: int, at_length: int) -> int:
    return at_length if AT_LENGTH else usually
