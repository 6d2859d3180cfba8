"""The verifier's own copy of how an adaptive clip moves (Andrew et al., arXiv 1905.03871), and of the state it is."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from ftbench.result import adapter
from ftbench.result.documents import Round
from ftbench.spec.privacy import Privacy

COUNT = 0x434F554E
"""Third word of the seed of the noise on the count."""
MOST = 10.0
"""Largest change of the clip's logarithm in a round."""
SMALLEST, LARGEST = 1e-20, 1e20
"""Bounds of the clip."""
EQUAL = 1e-6
"""Relative: the clip is kept in float32."""
STATE = "privacy/clip"
"""Name of the clip in the server's state."""


def follows(privacy: Privacy, seed: int, body: Round, told: float) -> bool:
    """Whether `told` can be the clip of the round after `body`.

    The noise on the count is the seed's, so only the number of replies within the clip is left open: a whole number
    from none to all of them. A reply within counts 1/2, one beyond −1/2, a missing one 0.
    """
    import numpy as np

    assert body.privacy is not None
    rate, quantile = float(privacy.clip_learning_rate or 0.0), float(privacy.quantile or 0.0)
    noise = np.random.default_rng([seed, body.round, COUNT]).standard_normal()
    noise *= float(privacy.count_noise_multiplier or 0.0)
    before, replies, asked = body.privacy.clip, len(body.replies), max(len(body.sampled), 1)

    def after(within: int) -> float:
        share = 0.5 + (within - replies / 2 + noise) / asked
        moved = before * math.exp(min(MOST, max(-MOST, -rate * (share - quantile))))
        return min(LARGEST, max(SMALLEST, moved))

    most, least = after(0), after(replies)
    if least < told < most and rate:
        share = quantile - (math.log(told) - math.log(before)) / rate
        nearest = round((share - 0.5) * asked - noise + replies / 2)
        return _equal(told, after(min(max(nearest, 0), replies)))
    return _equal(told, most) or _equal(told, least)


def state(strategy: Mapping[str, Any], clip: float) -> str:
    """Digest of a server's state that is this clip and nothing else. `strategy`: the block in force."""
    tensor = adapter.Tensor((1,), struct.pack("<f", min(clip, LARGEST)))
    return adapter.tensors_digest({STATE: tensor}, strategy)


def _equal(told: float, due: float) -> bool:
    return math.isclose(told, due, rel_tol=EQUAL, abs_tol=0.0)
