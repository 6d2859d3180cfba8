"""Whether an adapter changes anything: products that are computed, and at what price."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attacks_plausible
import forge
import numpy as np
import pytest

from ftbench.result import adapter, names
from ftbench.result.documents import Verdict
from ftbench.verify import products


def tensor(values: Any) -> adapter.Tensor:
    made = np.ascontiguousarray(values, dtype="<f4")
    return adapter.Tensor(made.shape, made.tobytes())


def least(b: Any, a: Any) -> float:
    return products.least(tensor(b), tensor(a))


def random(*shape: int) -> Any:
    return np.random.default_rng(list(shape)).normal(size=shape)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (8, 4, 8), (300, 2, 5), (5, 2, 300), (64, 64, 64), (3, 700, 2), (1, 9, 1)]
)
@pytest.mark.parametrize("size", [1.0, 1e-12, 1e15])
@pytest.mark.parametrize("chunk", [2**18, 16])
def test_what_is_shown_is_so(
    shape: tuple[int, int, int], size: float, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest element is no less, and how many numbers are looked at together changes but the last digits."""
    height, rank, width = shape
    b, a = np.float32(size * random(height, rank)), np.float32(random(rank, width))
    whole = least(b, a)
    monkeypatch.setattr(products, "CHUNK", chunk)
    assert least(b, a) == pytest.approx(whole, rel=1e-9)
    largest = np.abs(b.astype(float) @ a.astype(float)).max()
    assert 0 < whole <= largest and whole > largest / (10 * height * width * rank)


def test_a_single_element_is_found() -> None:
    b, a = np.zeros((50, 4)), np.zeros((4, 70))
    b[49, 3], a[3, 0] = 1e-3, -1e-3
    assert 0 < least(b, a) <= 1e-6


BIG = 2.0**60


@pytest.mark.parametrize(
    ("b", "a"),
    [
        ([[1, 0]] * 3, [[0, 0], [1, 1]]),
        ([[1, 1]] * 3, [[1, 2], [-1, -2]]),
        ([[BIG, BIG, 0]] * 3, [[1, 2], [-1, -2], [5, 5]]),
        (random(4, 2)[:, [0, 0, 1, 1]], np.concatenate([random(2, 6), -random(2, 6)])[[0, 2, 1, 3]]),
        ([[0.0]], [[-0.0]]),
    ],
)  # fmt: skip
def test_products_that_are_zero(b: Any, a: Any) -> None:
    assert np.any(b) or b == [[0.0]]
    assert least(b, a) == 0.0


def test_what_rounding_hides_is_not_shown() -> None:
    """In float64 the sum may come out as anything that small."""
    assert least([[BIG, BIG, 1e-30]], [[1.0], [-1.0], [1e-30]]) == 0.0
    third = np.float32(1) / np.float32(3)
    assert least([[1, third]], [[third], [-1]]) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows_nothing(bad: float) -> None:
    assert least([[bad, 1]], [[0], [1]]) == least([[1, 1]], [[bad], [1]]) == 0.0


@pytest.mark.parametrize(
    ("b", "a"),
    [((3, 2), (1, 3)), ((3,), (3, 3)), ((3, 1), (3,)), ((1, 1, 1), (1, 1)), ((0, 1), (1, 2)), ((2, 0), (0, 2))],
)
def test_factors_that_do_not_fit(b: tuple[int, ...], a: tuple[int, ...]) -> None:
    assert least(np.ones(b), np.ones(a)) == 0.0


def test_smallest_and_largest_numbers() -> None:
    assert 0 < least([[1e-45]], [[1e-45]]) <= 2.0**-298 and least([[3e38]], [[3e38]]) > 1e75


@pytest.mark.parametrize("shape", [(2**22, 1, 2**22), (1, 2**22, 1), (2**11, 2**11, 2**11)])
def test_time_goes_with_the_factors(shape: tuple[int, int, int]) -> None:
    """The product of the first has 2⁴⁴ elements."""
    height, rank, width = shape
    b, a = adapter.Tensor((height, rank), bytes(4 * height * rank)), tensor(np.ones((rank, width)))
    begun = time.process_time()
    assert products.least(b, a) == 0.0
    assert time.process_time() - begun < 3


# --- the check --------------------------------------------------------------------------------------------------------


def told(verdict: Verdict) -> tuple[str, str]:
    return next((check.outcome, check.evidence) for check in verdict.checks if check.check == "adapter-trained")


def test_the_sentence_is_what_was_computed(world: forge.World, genuine: forge.Forged) -> None:
    """One module of five that changes something is enough, and it is counted as one."""
    found = adapter.read_tensors(genuine.files[names.ADAPTER], names.ADAPTER)
    kept = next(name for name in found if "lora_B" in name)
    attacks_plausible.directions_that_cancel(genuine)
    zero = adapter.read_tensors(genuine.files[names.ADAPTER], names.ADAPTER)
    pair = (kept, kept.replace("lora_B", "lora_A"))
    genuine.files[names.ADAPTER] = adapter.write_tensors({**zero, **{name: found[name] for name in pair}})
    forge.reseal(genuine)
    outcome, evidence = told(world.verdict(genuine.files))
    assert outcome == "passed" and evidence.startswith("alpha / rank · B·A is not zero in 1 of 5 modules, its largest")
    b, a = (np.frombuffer(found[name].data, "<f4").reshape(found[name].shape).astype(float) for name in pair)
    block = world.spec.adapter
    largest = block.alpha / block.rank * np.abs(b @ a).max()
    assert 0 < float(evidence.rpartition(" ")[2]) <= largest * 1.05


def test_scale_that_leaves_nothing(tmp_path: Path) -> None:
    world = forge.make_world(tmp_path, lambda spec: spec["adapter"].update(alpha=1e-40))
    verdict = world.verdict(forge.make(world).files)
    assert verdict.level == "INTACT"
    assert told(verdict) == ("failed", "alpha / rank · B·A of none of 5 modules can be told from zero")


def test_magnitudes_are_no_change_of_their_own(tmp_path: Path) -> None:
    """DoRA's tell how long a changed weight is; without the change nothing was trained."""
    world = forge.make_world(tmp_path, lambda spec: spec["adapter"].update(kind="dora"))
    made = forge.make(world)
    assert told(world.verdict(made.files))[0] == "passed"
    attacks_plausible.factors_that_never_meet(made)
    forge.reseal(made)
    assert told(world.verdict(made.files))[0] == "failed"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_no_change(world: forge.World, genuine: forge.Forged, value: float) -> None:
    def edit(b: Any, a: Any) -> None:
        b[:, 0], a[1:] = value, 0

    attacks_plausible.in_factors(genuine, edit)
    forge.reseal(genuine)
    verdict = world.verdict(genuine.files)
    failed = {check.check: check.code for check in verdict.checks if check.outcome == "failed"}
    assert {"adapter-shape", "adapter-trained"} <= failed.keys() and "FTB699" not in failed.values()


@pytest.mark.parametrize(
    "shapes", [((4, 8), (8,)), ((4,), (8, 4)), ((1, 4, 8), (8, 4)), ((3, 8), (8, 4)), ((), (8, 4))]
)
def test_factors_of_other_shapes(
    world: forge.World, genuine: forge.Forged, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    """Whatever their shape, it is said and no check breaks off."""
    found = adapter.read_tensors(genuine.files[names.ADAPTER], names.ADAPTER)
    for name in found:
        found[name] = tensor(np.ones(shapes["lora_B" in name]))
    genuine.files[names.ADAPTER] = adapter.write_tensors(found)
    forge.reseal(genuine)
    verdict = world.verdict(genuine.files)
    failed = {check.check: check.code for check in verdict.checks if check.outcome == "failed"}
    assert "adapter-shape" in failed and "FTB699" not in failed.values(), failed
