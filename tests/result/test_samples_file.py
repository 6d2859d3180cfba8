from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ftbench.errors import InvalidInput
from ftbench.result import safejson, samples
from ftbench.result.documents import Answer, Sample
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


VALUES = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text(max_size=3) | st.just([]) | st.just({})
)


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A sample as JSON with one or two values replaced, left out or added, at any depth."""
    value = json.loads(canonical(sample(0).model_dump(mode="json")))
    for _ in range(draw(st.integers(1, 2))):
        places = [value, value.get("untuned"), value.get("options"), value.get("references")]
        place = draw(st.sampled_from([p for p in places if isinstance(p, dict | list)]))
        key = draw(st.sampled_from([*(place if isinstance(place, dict) else range(len(place))), "x"]))
        if isinstance(place, list):
            place.append(draw(VALUES))
        elif draw(st.booleans()):
            place[key] = draw(VALUES)
        else:
            place.pop(key, None)
    return value


@given(spoilt())
def test_what_the_model_takes_its_schema_takes(value: Any) -> None:
    """So that the model alone may judge the samples, of which there are thousands."""
    try:
        Sample.model_validate(value)
    except ValidationError:
        return
    assert safejson.schema_problems(value, Sample) == []
