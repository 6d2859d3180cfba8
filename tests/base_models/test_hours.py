"""Hours by operations: a step as it was measured, and what does and does not count."""

from __future__ import annotations

import pytest

from ftbench.base_models import from_spec
from ftbench.base_models.catalogue import find_base_model
from ftbench.base_models.hours import DEVICES, START_SECONDS, work
from ftbench.spec.load import find_spec, load_spec
from ftbench.spec.model import Spec


def finance(**model: object) -> Spec:
    spec = load_spec(find_spec("finance")).spec
    return spec.model_copy(update={"model": spec.model.model_copy(update=model)})


@pytest.mark.parametrize(("model", "measured"), [({}, 0.296), ({"quantization": None}, 0.233)])
def test_a_step_takes_what_was_measured(model: dict[str, object], measured: float) -> None:
    """Qwen2.5-1.5B, 16 × 512, checkpointing, on an H200 (docs/performance.md): DoRA on 4 bits, LoRA on 16."""
    spec = finance(**model)
    setting = from_spec.setting(spec)
    steps = setting.rounds * (setting.clients_per_round + 1) * spec.training.local_steps  # one more: centralised
    seconds = work(spec, find_base_model("Qwen2.5-1.5B"), setting, DEVICES[0]).train / steps
    assert seconds == pytest.approx(measured, rel=0.25)


def test_a_trial_is_not_scored() -> None:
    spec, model = finance(), find_base_model("Qwen2.5-1.5B")
    setting = from_spec.setting(spec)
    trial, whole = (work(spec, model, setting, DEVICES[0], trained_only=only) for only in (True, False))
    assert trial.train == whole.train and trial.evaluate == 0 < whole.evaluate
    assert trial.seconds == trial.train + 2 * START_SECONDS


def test_a_larger_model_and_a_smaller_card_take_longer() -> None:
    spec = finance()
    setting = from_spec.setting(spec)
    small, large = (find_base_model(f"Qwen2.5-{size}") for size in ("1.5B", "7B"))
    assert work(spec, large, setting, DEVICES[0]).train > 4 * work(spec, small, setting, DEVICES[0]).train
    assert work(spec, small, setting, DEVICES[1]).train > work(spec, small, setting, DEVICES[0]).train
