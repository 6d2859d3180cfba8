"""How far honest machines lie apart when they do the same again, as measured (benchmarks/bands.py, docs/design/024).

No part of any hash: a band is what arithmetic does, not what a benchmark asks for. A kind of device without a measured
band gives no level, whatever came out there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftbench.spec.model import Model


@dataclass(frozen=True, slots=True)
class Band:
    """What may differ on one kind of device."""

    likelihood: float
    """Nats by which the log-likelihood of an option may differ, for each token-bearing option as a whole."""
    margin: float
    """Nats by which a token led at most where a text may go on otherwise."""
    update: float | None
    """‖again − kept‖ / ‖kept − before‖ of a client's update; null: only the same digest counts."""
    measured: str
    """On what, in words."""


BANDS: Mapping[tuple[str, str, int | None], Band] = {
    ("cpu", "float32", None): Band(
        0.002,
        0.002,
        0.02,
        "one x86-64 machine, torch 2.13, threads 1 and 2, batches of 1, 8 and 32: at most 1.5e-5 nats, no other text (a"
        " 135M model), every update and aggregation to the last bit; a run with AVX2 kernels done again with AVX-512"
        " (micro): updates at most 2.5e-4 of their length off; the rest is room for machines that nobody tried",
    ),
}
"""(device, dtype, bits of quantised weights) → its band."""


def band_of(device: str, model: Model) -> Band | None:
    """The band of a model held as the spec says on such a device; None where nobody measured one."""
    return BANDS.get((device, model.dtype, model.quantization.bits if model.quantization else None))


def kind(device: str, model: Model) -> str:
    """What a band is of, in words."""
    return f"{model.quantization.bits}-bit weights on {device}" if model.quantization else f"{model.dtype} on {device}"
