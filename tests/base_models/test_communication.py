"""Traffic of a run before it takes place, by strategy and coding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftbench.base_models.catalogue import find_base_model
from ftbench.base_models.communication import Sending, communication
from ftbench.base_models.estimate import MIB, Setting, estimate
from ftbench.spec.transport import Transport

MISTRAL = find_base_model("mistralai/Mistral-7B-v0.3")
TEMPLATE = Setting("lora", 32, ["q_proj", "v_proj"], 2, 200, 512, 16, budget_mib=200_000)
PARAMETERS = 13_631_488


def moved(**change: object) -> object:
    return estimate(MISTRAL, replace(TEMPLATE, **change)).communication  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("down", "up", "each"),
    [
        ("float32", "float32", (4 * PARAMETERS, 4 * PARAMETERS)),
        ("bf16", "float32", (2 * PARAMETERS, 4 * PARAMETERS)),
        # 64 layers with two factors of 32 directions.
        ("bf16", "int8", (2 * PARAMETERS, PARAMETERS + 4 * 64 * 2 * 32)),
        ("int8", "int8", (PARAMETERS + 4 * 64 * 2 * 32,) * 2),
    ],
)
def test_codings(down: str, up: str, each: tuple[int, int]) -> None:
    found = moved(transport=Transport.model_validate({"down": down, "up": up}))
    assert (found.client_down_bytes, found.client_up_bytes) == each
    assert found.round_bytes == 2 * sum(each)
    assert found.total_bytes == 200 * found.round_bytes
    assert found.rounds_within_budget == 200_000 * MIB // found.round_bytes


def test_int8_is_nearly_a_quarter() -> None:
    coded = moved(transport=Transport(down="int8", up="int8"))
    assert coded.total_bytes / moved().total_bytes == pytest.approx(0.2503, abs=1e-4)


def test_scaffold_doubles_both_ways() -> None:
    assert moved(strategy="scaffold").total_bytes == 2 * moved().total_bytes


def test_ffa_lora_trains_and_sends_b_alone() -> None:
    found = estimate(MISTRAL, replace(TEMPLATE, strategy="ffa-lora"))
    b = 32 * 32 * (4096 + 1024)
    assert found.trainable_parameters == b
    assert found.communication.total_bytes == 4 * b * 2 * 2 * 200


def test_flora_grows() -> None:
    found = moved(strategy="flora", rounds=3)
    # Down nothing, then two adapters, then four; two clients in a round.
    assert found.client_down_bytes == 4 * 4 * PARAMETERS
    assert found.client_up_bytes == 4 * PARAMETERS
    assert found.total_bytes == 4 * PARAMETERS * 2 * (0 + 2 + 4 + 3)
    assert found.growing
    within = found.rounds_within_budget
    assert (
        moved(strategy="flora", rounds=within).total_mib
        <= 200_000
        < moved(strategy="flora", rounds=within + 1).total_mib
    )


def test_what_flora_stacked_takes_memory() -> None:
    parts = {p.name: p.bytes for p in estimate(MISTRAL, replace(TEMPLATE, strategy="flora", rounds=3)).memory}
    assert parts["stacked adapters"] == 4 * 4 * PARAMETERS
    assert "stacked adapters" not in {
        p.name for p in estimate(MISTRAL, replace(TEMPLATE, strategy="flora", rounds=1)).memory
    }


def test_the_mean_of_mixed_ranks() -> None:
    mixed = moved(strategy="flexlora", client_ranks=[32, 16, 16])
    assert mixed.total_bytes == pytest.approx(moved().total_bytes * (1 + 0.5 + 0.5) / 3)
    assert estimate(MISTRAL, replace(TEMPLATE, client_ranks=[8, 16])).trainable_parameters == PARAMETERS // 2


def test_magnitudes_have_one_scale() -> None:
    shapes = {"m.lora_A.weight": (2, 8), "m.lora_B.weight": (6, 2), "m.lora_magnitude_vector": (6,)}
    sending = Sending("fedavg", Transport(down="float32", up="int8"), shapes, [2], 1, 1)
    found = communication(sending, None)
    assert (found.client_down_bytes, found.client_up_bytes) == (4 * 34, 34 + 4 * (2 + 2 + 1))
    assert found.budget_share is found.rounds_within_budget is None
