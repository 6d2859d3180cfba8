"""The estimate: published figures, budgets, limits, refusals, and that nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from ftbench import builtin
from ftbench.base_models.catalogue import find_base_model, models
from ftbench.base_models.estimate import GIB, Setting, estimate
from ftbench.errors import InvalidInput

TEMPLATE = Setting(
    kind="lora",
    rank=32,
    targets=["q_proj", "v_proj"],
    clients_per_round=2,
    rounds=200,
    sequence_length=512,
    micro_batch=16,
    budget_mib=200_000,
)


def test_the_published_traffic_of_mistral_7b() -> None:
    found = estimate(find_base_model("mistralai/Mistral-7B-v0.3"), TEMPLATE)
    assert found.trainable_parameters == 13_631_488
    assert found.communication.total_gib == 40.625
    assert found.communication.total_bytes == 13_631_488 * 4 * 2 * 2 * 200
    assert found.communication.client_down_bytes == found.communication.client_up_bytes == 52 * 2**20
    assert found.communication.budget_share == pytest.approx(41_600 / 200_000)
    assert found.communication.rounds_within_budget == 961


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("bits", [4, 8, 16, 32])
def test_parts_make_up_the_whole(name: str, bits: int) -> None:
    found = estimate(find_base_model(name), replace(TEMPLATE, targets="all-linear", bits=bits))
    assert found.memory_bytes == sum(part.bytes for part in found.memory)
    assert all(part.bytes > 0 for part in found.memory)
    order = ["no", "tight", "yes"]
    assert [order.index(card.fits) for card in found.cards] == sorted(order.index(card.fits) for card in found.cards)


def test_more_bits_ask_for_more_weights() -> None:
    sizes = []
    for bits in (4, 8, 16, 32):
        found = estimate(find_base_model("Llama-3.1-8B"), replace(TEMPLATE, bits=bits))
        kinds = ("weights", "scales of the weights", "not quantised")
        sizes.append(sum(part.bytes for part in found.memory if part.name.endswith(kinds)))
    assert sizes == sorted(sizes)
    assert sizes[3] == 2 * sizes[2] == 4 * 8_030_261_248


def test_optimiser_and_control_variates_take_memory() -> None:
    model = find_base_model("Llama-3.1-8B")
    plain = estimate(model, TEMPLATE)
    size = 4 * plain.trainable_parameters
    without = estimate(model, replace(TEMPLATE, moments=0))
    assert plain.memory_bytes - without.memory_bytes == 2 * size
    scaffold = estimate(model, replace(TEMPLATE, strategy="scaffold"))
    assert scaffold.memory_bytes - plain.memory_bytes == 3 * size
    assert scaffold.communication.total_bytes == 2 * plain.communication.total_bytes


def test_double_quantisation_checkpointing_and_a_smaller_micro_batch_save_memory() -> None:
    model = find_base_model("Mistral-7B-v0.3")
    plain = replace(TEMPLATE, bits=4)
    smaller = [
        replace(plain, double_quant=True),
        replace(plain, gradient_checkpointing=True),
        replace(plain, micro_batch=1),
        replace(plain, sequence_length=256),
    ]
    for setting in smaller:
        assert estimate(model, setting).memory_bytes < estimate(model, plain).memory_bytes
    saved = estimate(model, plain).memory_bytes - estimate(model, smaller[0]).memory_bytes
    assert saved == pytest.approx(0.373 / 8 * 6_979_321_856, rel=0.01)  # QLoRA (arXiv 2305.14314): 0.373 bits


def test_scores_are_kept_by_eager_attention_only() -> None:
    model = find_base_model("gemma-2-9b")
    small, large = (replace(TEMPLATE, bits=16, sequence_length=s, micro_batch=1) for s in (256, 1024))
    flat = estimate(model, large).memory[-3].bytes / estimate(model, small).memory[-3].bytes
    eager = [estimate(model, replace(s, attention="eager")).memory[-3].bytes for s in (small, large)]
    assert flat == pytest.approx(4, rel=0.01)
    assert eager[1] / eager[0] > 5


def test_a_seven_billion_model_fits_as_people_find_it_does() -> None:
    model = find_base_model("Mistral-7B-v0.3")
    qlora = replace(TEMPLATE, bits=4, gradient_checkpointing=True, micro_batch=1)
    cards = {card.gib: card.fits for card in estimate(model, qlora).cards}
    assert cards[8] != "no"
    assert cards[12] == "yes"
    full = {card.gib: card.fits for card in estimate(model, replace(TEMPLATE, micro_batch=1)).cards}
    assert full[24] == "no"
    assert full[40] == "yes"


def test_limits_are_reported() -> None:
    setting = replace(TEMPLATE, budget_mib=1000, max_trainable=10**6, max_parameters=8 * 10**9)
    found = {limit.name: limit for limit in estimate(find_base_model("Mistral-7B-v0.3"), setting).limits}
    assert not found["communication in MiB"].within
    assert not found["trainable parameters"].within
    assert found["base model parameters"].within
    assert estimate(find_base_model("Mistral-7B-v0.3"), replace(TEMPLATE, budget_mib=None)).limits == []


def test_download_is_the_weights_as_stored() -> None:
    assert estimate(find_base_model("Mistral-7B-v0.3"), TEMPLATE).download_bytes == 2 * 7_248_023_552
    assert 13 * GIB < estimate(find_base_model("Mistral-7B-v0.3"), TEMPLATE).download_bytes < 14 * GIB


@pytest.mark.parametrize(
    ("name", "change", "code", "words"),
    [
        ("phi-4", {"targets": ["q_proj"]}, "FTB803", "joins them into one layer"),
        ("Qwen2.5-7B", {"targets": ["q_prj"]}, "FTB803", "did you mean `q_proj`"),
        ("Qwen2.5-7B", {"targets": ["lm_head"]}, "FTB803", "gets no adapter"),
        ("Qwen2.5-7B", {"targets": ["embed_tokens", "q_proj"]}, "FTB803", "embed_tokens"),
        ("Qwen2.5-7B", {"kind": "dora", "bits": 8}, "FTB804", "DoRA"),
    ],
)
def test_what_does_not_work_is_refused(name: str, change: dict[str, object], code: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=code) as caught:
        estimate(find_base_model(name), replace(TEMPLATE, **change))  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_nothing_heavy_is_imported() -> None:
    heavy = ["torch", "numpy", "transformers", "peft", "bitsandbytes", "huggingface_hub", "requests", "httpx"]
    code = f"""
import sys
from ftbench.cli.main import run
assert run(["models"]) == 0
assert run(["estimate", "quickstart", "--model", "phi-4"]) == 1  # above its limits
assert run(["validate", "finance", "--entry", {str(builtin.entries() / "phi-4.yaml")!r}]) == 0
print([m for m in {heavy!r} if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_clients_together_share_the_weights_and_nothing_else() -> None:
    model = find_base_model("SmolLM2-135M-Instruct")
    setting = replace(TEMPLATE, kind="dora", bits=4, strategy="scaffold", gradient_checkpointing=True)
    alone, four = (estimate(model, replace(setting, clients_at_once=n)) for n in (1, 4))
    assert (alone.clients_at_once, four.clients_at_once) == (1, 4)
    one, many = ({part.name: part.bytes for part in found.memory} for found in (alone, four))
    for name in ("4-bit weights", "scales of the weights", "not quantised"):
        assert many[name] == one[name]
    for name in ("optimiser", "control variates", "activations"):
        assert many[name] == 4 * one[name]
    for name in ("adapter", "gradients", "held for a step"):
        assert many[name] == 5 * one[name], "the model's own wait beside them"
    assert one["for a moment"] < many["for a moment"] <= 4 * one["for a moment"]
    assert four.memory_bytes < 4 * alone.memory_bytes


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("SmolLM2-135M-Instruct", {"strategy": "flora"}),
        ("SmolLM2-135M-Instruct", {"moment_bits": 8}),
        ("SmolLM2-135M-Instruct", {"attention": "eager"}),
        ("SmolLM2-135M-Instruct", {"bits": 8}),
        ("gemma-2-9b-it", {}),
    ],
)
def test_who_does_not_train_together_is_counted_alone(name: str, change: dict[str, Any]) -> None:
    model, setting = find_base_model(name), replace(TEMPLATE, **change)
    assert estimate(model, replace(setting, clients_at_once=3)) == estimate(model, setting)
