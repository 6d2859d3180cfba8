"""How arrays are coded for the way between server and clients, and how what coding loses is made up for.

Down, the global values are coded once a round for all who are sent the same, and every client begins from what it
decodes. Up, a client codes the change: its reply minus what that counts as a change from. The server adds the decoded
change to its own values, not to the coded ones, so what coding down loses never enters the global adapter.

Both sides keep what coding lost, the residual e, and add it to what they code next (error feedback: Seide et al.,
Interspeech 2014; Karimireddy et al., arXiv 1901.09847; on both sides: Tang et al., arXiv 1905.05957):

    sent = code(x + e)      e ← x + e − decode(sent)

So what arrives over the rounds differs from what was meant by one residual, however many rounds there are.
"""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray

from . import coding
from .arrays import Arrays, ordered
from .in_force import strategy_of
from .settings import Settings

PLAIN = (coding.FLOAT32, coding.FLOAT32)


def kinds(settings: Settings) -> tuple[str, str]:
    """How arrays are coded down and up. To a virtual client nothing is sent, so nothing is coded."""
    block = settings.spec["transport"]
    return PLAIN if settings.virtual else (str(block["down"]), str(block["up"]))


class Down:
    """Codes what the server sends in one round."""

    def __init__(self, settings: Settings, residual: Arrays | None) -> None:
        """`residual`: what the last round's coding lost."""
        self.kind = kinds(settings)[0]
        self._before = residual or {}
        self._coded: list[tuple[Arrays, Arrays]] = []
        """(arrays, as they are sent) of everything that was coded in this round."""
        self._lost: Arrays = {}

    def encode(self, arrays: Arrays) -> Arrays:
        """The arrays as they are sent; for arrays that were coded in this round already, the same object again."""
        if self.kind == coding.FLOAT32:
            return arrays
        for known, sent in self._coded:
            if known is arrays or _equal(known, arrays):
                return sent
        keys = {_key(name, array): name for name, array in arrays.items()}
        before = {name: self._before[key] for key, name in keys.items() if key in self._before}
        sent, lost = _code(self.kind, arrays, {}, before)
        for name, array in lost.items():
            # Of several that differ in values alone, the first leaves its residual.
            self._lost.setdefault(_key(name, array), array)
        self._coded.append((arrays, sent))
        return sent

    @property
    def residual(self) -> Arrays | None:
        """What coding lost in this round, for the next. None in float32.

        Clients with adapters of different ranks are sent different shapes, each with its own residual.
        """
        return ordered(self._lost) if self._lost else None


def keeps_client_state(settings: Settings) -> bool:
    """Whether a client keeps what the coding of its replies lost."""
    return kinds(settings)[1] != coding.FLOAT32 and strategy_of(settings).changes_add_up


def received(settings: Settings, sent: Arrays) -> Arrays:
    """What a client reads out of the arrays that it was sent."""
    kind = kinds(settings)[0]
    return sent if kind == coding.FLOAT32 else _decoded(kind, sent)


def encode_up(settings: Settings, reply: Arrays, base: Arrays, residual: Arrays | None) -> tuple[Arrays, Arrays | None]:
    """A client's reply as it is sent, and what its coding lost (None where nothing is kept).

    `base`: what the reply counts as a change from, in the values that the client received; zero where it is no change.
    `residual`: what the coding of its last committed reply lost.
    """
    if kinds(settings) == PLAIN:
        return reply, None
    keeps = keeps_client_state(settings)
    sent, lost = _code(kinds(settings)[1], reply, base, (residual if keeps else None) or {})
    return sent, ordered(lost) if keeps else None


def like_up(settings: Settings, awaited: Arrays) -> Arrays:
    """Arrays with the names, dtypes and shapes that a coded reply must have; their values mean nothing."""
    kind = kinds(settings)[1]
    parts = (coding.find_coding(kind).like(name, array.shape) for name, array in awaited.items())
    return ordered({name: array for part in parts for name, array in part.items()})


def decode_up(settings: Settings, sent: Arrays, awaited: Arrays) -> Arrays:
    """The reply that a client's arrays stand for, in float32. `sent` is like `like_up(awaited)`.

    `awaited`: the server's own values of what the reply counts as a change from, zero where it is no change.
    """
    if kinds(settings) == PLAIN:
        return sent
    changes = _decoded(kinds(settings)[1], sent)
    return {name: _sum(awaited[name], change) for name, change in changes.items()}


def _code(kind: str, arrays: Arrays, base: Arrays, residual: Arrays) -> tuple[Arrays, Arrays]:
    """The arrays minus `base` plus `residual`, coded; and what that lost, tensor by tensor, in float32."""
    sent: Arrays = {}
    lost: Arrays = {}
    for name, array in arrays.items():
        exact = array.astype(numpy.float64)
        if name in base:
            exact -= base[name]
        before = residual.get(name)
        if before is not None and before.shape == exact.shape:
            exact += before
        parts = coding.find_coding(kind).encode(name, exact)
        sent |= parts
        with numpy.errstate(invalid="ignore"):
            rest = exact - coding.find_coding(kind).decode(name, parts)
        # Of what is not finite nothing is carried on: the server leaves such a reply out.
        lost[name] = numpy.where(numpy.isfinite(rest), rest, 0.0).astype(numpy.float32)
    return ordered(sent), lost


def _decoded(kind: str, sent: Arrays) -> Arrays:
    one = coding.find_coding(kind)
    beside = {other for name in sent for other in one.beside(name)}
    return ordered({name: one.decode(name, sent) for name in sent if name not in beside})


def _sum(value: NDArray[Any], change: NDArray[Any]) -> NDArray[Any]:
    with numpy.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is not finite, and judged so
        return numpy.asarray(value.astype(numpy.float64) + change, dtype=numpy.float32)


def _key(name: str, array: NDArray[Any]) -> str:
    return f"{'x'.join(map(str, array.shape))}::{name}"


def _equal(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(
        array is other[name] or numpy.array_equal(array, other[name], equal_nan=True) for name, array in one.items()
    )
