from __future__ import annotations

import gzip

import pytest

from ftbench.errors import InvalidInput
from ftbench.result import samples
from ftbench.result.models import Answer, Sample
from ftbench.spec.canonical import canonical


def sample(index: int) -> Sample:
    answer = Answer(loglikelihoods=[-1.0, -2.5])
    return Sample(
        index=index, item="a" * 64, prompt="?\u2028é", options=[" a", " b"], target=1, untuned=answer, tuned=answer
    )


def test_round_trip_and_same_bytes() -> None:
    made = [sample(n) for n in range(5)]
    assert samples.parse(samples.dump(made), "x") == made
    assert samples.dump(made) == samples.dump(iter(made))
    assert samples.dump(made)[4:8] == bytes(4), "no date"
    assert samples.dump(made)[3] == 0, "no file name"


def packed(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


LINE = canonical(sample(0).model_dump(mode="json")) + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain",
        packed(LINE)[:-3],
        packed(LINE) + b"more",
        packed(LINE) + packed(LINE),
        packed(LINE[:-1]),
        packed(LINE + b"\n"),
        packed(b" " + LINE),
        packed(LINE.replace(b"-1,", b"-1.0,")),
        packed(LINE.replace(b'"target":1', b'"target":-1')),
        packed(LINE.replace(b"-2.5", b"NaN", 1)),
        packed(LINE.replace(b'"index"', b'"indices"')),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        samples.parse(data, "x")


def test_bomb_is_not_unpacked() -> None:
    bomb = packed(bytes(200 * 2**20))
    assert len(bomb) < 2**18
    with pytest.raises(InvalidInput, match="unpacks to more than"):
        samples.parse(bomb, "x")
