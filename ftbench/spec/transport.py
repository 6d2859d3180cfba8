"""How arrays are coded on their way between server and clients, and how many bytes that makes."""

from __future__ import annotations

from math import prod
from typing import Literal, TypeAlias

from ftbench.spec.primitives import Block

Coding: TypeAlias = Literal["float32", "bf16", "int8"]
WIDTH: dict[Coding, int] = {"float32": 4, "bf16": 2, "int8": 1}
"""Bytes of an element as sent."""
DIRECTIONS = ("down", "up")


class Transport(Block):
    """How arrays travel. What coding loses is kept where it was lost and added to what is coded next.

    Bytes are metered as sent, scales included.
    """

    down: Coding = "float32"
    """From the server: `float32`: as it is; `bf16`: rounded to 16 bits (arXiv 1905.12322); `int8`: 8-bit whole numbers
    with one float32 scale for each direction of rank. Every client begins from the coded values, and the server keeps
    its own."""
    up: Coding = "float32"
    """From the clients: the same codings, of the change since what the client received, with error feedback
    (arXiv 1901.09847): a client that sends `bf16` or `int8` keeps a state."""


def sent_bytes(coding: Coding, shape: tuple[int, ...]) -> int:
    """Bytes of one array of that shape as sent.

    `int8`: a byte an element and a float32 for each scale; a matrix has as many scales as its shorter side is long,
    any other array one.
    """
    scales = 0 if coding != "int8" else min(shape) if len(shape) == 2 else 1
    return WIDTH[coding] * prod(shape) + WIDTH["float32"] * scales
