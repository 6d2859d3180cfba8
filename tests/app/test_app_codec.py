"""The two directions: what is coded, what arrives over several rounds, and what either side keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest

from ftbench.app import arrays as arr
from ftbench.app import codec, settings
from ftbench.app.arrays import Arrays
from ftbench.app.settings import Settings
from ftbench.spec.transport import WIDTH

CODINGS = tuple(WIDTH)

MakeBench = Callable[..., Any]
A, B = "m.lora_A.weight", "m.lora_B.weight"
LOSSY = ("bf16", "int8")
ROUNDS = 5


@pytest.fixture
def having(make_bench: MakeBench) -> Callable[..., Settings]:
    """Settings with this transport."""

    def make(down: str, up: str, kind: str = "fedavg") -> Settings:
        bench = make_bench({"transport.down": down, "transport.up": up, "strategy.kind": kind})
        return settings.read(bench.config, bench.plan)

    return make


def adapter(seed: int, scale: float = 1.0) -> Arrays:
    generator = numpy.random.default_rng(seed)
    return {name: (scale * generator.normal(size=shape)).astype("f4") for name, shape in {A: (3, 8), B: (6, 3)}.items()}


def reference(kind: str, exact: Any) -> Any:
    """What arrives, in a few lines from the definitions."""
    if kind == "bf16":
        import torch

        return torch.from_numpy(exact.astype("f4")).to(torch.bfloat16).double().numpy()
    axis = 1 if exact.shape[0] <= exact.shape[1] else 0
    scale = numpy.abs(exact).max(axis=axis, keepdims=True) / 127
    return numpy.rint(exact / scale) * scale


@pytest.mark.parametrize("kind", LOSSY)
def test_error_feedback_up_equals_numpy_over_five_rounds(having: Any, kind: str) -> None:
    """The reference keeps its residual in float64. What arrived in sum is what was meant, but for one residual."""
    wanted = having("float32", kind)
    theta = adapter(0)
    kept: Arrays | None = None
    exact = {name: numpy.zeros(array.shape) for name, array in theta.items()}
    meant = {name: numpy.zeros(array.shape) for name, array in theta.items()}
    came = {name: numpy.zeros(array.shape) for name, array in theta.items()}
    for number in range(1, ROUNDS + 1):
        reply = {name: theta[name] + step for name, step in adapter(number, 0.02).items()}
        sent, kept = codec.encode_up(wanted, reply, theta, kept)
        arrived = codec.decode_up(wanted, sent, theta)
        assert kept is not None
        for name, base in theta.items():
            change = reply[name].astype("f8") - base
            now = reference(kind, change + exact[name])
            exact[name] = change + exact[name] - now
            assert numpy.abs(kept[name] - exact[name]).max() < 1e-6
            assert numpy.abs(arrived[name] - (base + now)).max() < 1e-6
            meant[name] += change
            came[name] += arrived[name].astype("f8") - base
            assert numpy.abs(came[name] + kept[name] - meant[name]).max() < 1e-6
            assert arrived[name].dtype == kept[name].dtype == numpy.float32
    lost = max(numpy.abs(kept[name]).max() for name in theta)
    assert 0 < lost < 0.02 * 4 / 127
    # So the mean change of many rounds comes closer and closer to the true one.
    assert max(numpy.abs(came[n] - meant[n]).max() for n in theta) / ROUNDS < 0.02 * 4 / 127 / ROUNDS + 1e-6


def test_without_feedback_small_changes_would_never_arrive(having: Any) -> None:
    """A change below half a step of its slice: it waits in the residual until it is large enough."""
    wanted = having("float32", "int8")
    theta = {A: numpy.zeros((1, 2), dtype="f4")}
    reply = {A: numpy.array([[1.0, 0.001]], dtype="f4")}
    kept, came = None, 0.0
    for _ in range(40):
        sent, kept = codec.encode_up(wanted, reply, theta, kept)
        came += float(codec.decode_up(wanted, sent, theta)[A][0, 1])
    assert float(codec.decode_up(wanted, codec.encode_up(wanted, reply, theta, None)[0], theta)[A][0, 1]) == 0
    assert came == pytest.approx(0.04, abs=1 / 127)


@pytest.mark.parametrize("kind", LOSSY)
def test_clients_begin_from_coded_values_and_the_server_adds_to_its_own(having: Any, kind: str) -> None:
    for up in CODINGS:
        wanted = having(kind, up)
        theta = adapter(0)
        down = codec.Down(wanted, None)
        begun = codec.received(wanted, down.encode(theta))
        lost = max(numpy.abs(begun[name] - theta[name]).max() for name in theta)
        assert 1e-4 < lost < 0.03
        step = adapter(1, 1e-3)
        sent, _ = codec.encode_up(wanted, {name: begun[name] + step[name] for name in begun}, begun, None)
        arrived = codec.decode_up(wanted, sent, theta)
        for name in theta:
            assert numpy.abs(arrived[name] - (theta[name] + step[name])).max() < 4e-3 / 127


@pytest.mark.parametrize("kind", LOSSY)
def test_what_clients_begin_from_is_right_in_the_mean(having: Any, kind: str) -> None:
    wanted = having(kind, "float32")
    theta = adapter(0)
    kept, seen = None, {name: numpy.zeros(array.shape) for name, array in theta.items()}
    for _ in range(20):
        down = codec.Down(wanted, kept)
        for name, array in codec.received(wanted, down.encode(theta)).items():
            seen[name] += array / 20
        kept = down.residual
        assert kept is not None and all(array.dtype == numpy.float32 for array in kept.values())
    once = codec.received(wanted, codec.Down(wanted, None).encode(theta))
    for name in theta:
        assert numpy.abs(seen[name] - theta[name]).max() < numpy.abs(once[name] - theta[name]).max() / 5


def test_one_coding_for_all_who_are_sent_the_same(having: Any) -> None:
    wanted = having("int8", "float32")
    theta = adapter(0)
    down = codec.Down(wanted, None)
    sent = down.encode(theta)
    assert down.encode(theta) is sent
    assert down.encode({name: array.copy() for name, array in theta.items()}) is sent


def test_each_rank_has_its_own_residual(having: Any) -> None:
    wanted = having("int8", "float32")
    large = adapter(0)
    small = {A: large[A][:2], B: large[B][:, :2]}
    down = codec.Down(wanted, None)
    for arrays in (large, small):
        down.encode(arrays)
    first = down.residual
    assert first is not None and len(first) == 4
    after = codec.Down(wanted, first)
    for arrays in (large, small):
        alone = codec.Down(wanted, {k: v for k, v in first.items() if v.shape in [a.shape for a in arrays.values()]})
        assert all((after.encode(arrays)[name] == array).all() for name, array in alone.encode(arrays).items())
    other = codec.Down(wanted, None)
    other.encode(small)
    assert other.residual is not None and len(other.residual) == 2, "what was not sent keeps none"


def test_float32_is_as_it_was(having: Any) -> None:
    wanted = having("float32", "float32")
    theta, reply = adapter(0), adapter(1)
    down = codec.Down(wanted, None)
    assert down.encode(theta) is theta and down.residual is None
    assert codec.received(wanted, theta) is theta
    sent, kept = codec.encode_up(wanted, reply, theta, None)
    assert sent is reply and kept is None and codec.decode_up(wanted, sent, theta) is reply
    assert not codec.keeps_client_state(wanted)


@pytest.mark.parametrize("kind", CODINGS)
def test_tensors_without_a_counterpart_are_coded_as_they_are(having: Any, kind: str) -> None:
    wanted = having("int8", kind)
    theta = adapter(0)
    extra = {"control::" + name: array for name, array in adapter(2).items()}
    awaited = {**theta, **{name: numpy.zeros_like(array) for name, array in extra.items()}}
    sent, _ = codec.encode_up(wanted, {**adapter(1), **extra}, theta, None)
    assert not arr.mismatch(sent, codec.like_up(wanted, awaited))
    arrived = codec.decode_up(wanted, sent, awaited)
    assert all(numpy.abs(arrived[name] - array).max() < 0.02 for name, array in extra.items())


@pytest.mark.parametrize("bad", [numpy.nan, numpy.inf])
@pytest.mark.parametrize("kind", CODINGS)
@pytest.mark.parametrize("down", CODINGS)
def test_the_server_sees_what_is_not_finite(having: Any, down: str, kind: str, bad: float) -> None:
    wanted = having(down, kind)
    theta, reply = adapter(0), adapter(1)
    reply[A][1, 2] = bad
    sent, kept = codec.encode_up(wanted, reply, theta, None)
    assert arr.not_finite(codec.decode_up(wanted, sent, theta)) == A
    assert kept is None or not arr.not_finite(kept), "and nothing of it is carried on"
    huge = {name: numpy.full_like(array, -3.4e38) for name, array in theta.items()}
    sent, _ = codec.encode_up(wanted, {n: -array for n, array in huge.items()}, huge, None)
    codec.decode_up(wanted, sent, huge)  # overflows without a warning


def test_flora_s_factors_leave_no_residual(having: Any) -> None:
    """Each round's are new: what coding one loses is of no use to the next."""
    wanted = having("float32", "int8", "flora")
    zero = {name: numpy.zeros_like(array) for name, array in adapter(0).items()}
    sent, kept = codec.encode_up(wanted, adapter(1), zero, None)
    assert kept is None and not codec.keeps_client_state(wanted)
    other, _ = codec.encode_up(wanted, adapter(1), zero, adapter(2))
    assert all((sent[name] == other[name]).all() for name in sent)


def test_a_residual_of_another_shape_is_left_behind(having: Any) -> None:
    wanted = having("float32", "int8")
    theta = adapter(0)
    old = {A: numpy.ones((4, 8), dtype="f4"), B: numpy.ones((6, 4), dtype="f4")}
    assert all(
        (one == other).all()
        for one, other in zip(
            codec.encode_up(wanted, adapter(1), theta, old)[0].values(),
            codec.encode_up(wanted, adapter(1), theta, None)[0].values(),
            strict=True,
        )
    )


def test_a_virtual_client_is_sent_nothing_and_so_nothing_is_coded(make_bench: MakeBench) -> None:
    bench = make_bench({"transport.down": "int8", "transport.up": "bf16"}, reference="centralised")
    wanted = settings.read(bench.config, bench.plan)
    assert codec.kinds(wanted) == ("float32", "float32")
    other = settings.read({**bench.config, "reference": "fault-free"}, bench.plan)
    assert codec.kinds(other) == ("int8", "bf16")
