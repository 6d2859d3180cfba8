"""`ftbench models` and `ftbench estimate`."""

from __future__ import annotations

import json

import pytest

from ftbench.cli.main import run
from ftbench.models.catalogue import models


def test_models_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in models())
    assert len(out.splitlines()) == len(models()) + 1


def test_models_shows_one_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "mistral-7b-v0.3"]) == 0
    out = capsys.readouterr().out
    assert "7,248,023,552" in out
    assert "q_proj, k_proj, v_proj, o_proj" in out
    assert "not yet checked against the hub" in out


def test_models_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "phi-4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "ftbench/output/models/v1"
    assert found["models"][0]["architecture"]["fused"] is True


def test_an_unknown_model_is_an_input_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "phi-44"]) == 3
    assert "microsoft/phi-4" in capsys.readouterr().err


def test_estimate_of_the_spec_s_own_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "quickstart", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["estimate"]
    assert found["model"] == "builtin/micro"
    assert found["communication"]["client_bytes"] == 4 * found["trainable_parameters"]
    assert all(limit["within"] for limit in found["limits"])


def test_estimate_of_another_model_with_a_knob(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["estimate", "quickstart", "--model", "Qwen2.5-7B", "--set", "adapter.rank=2", "--bits", "4"]
    assert run([*line, "--micro-batch", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bits"] == 4
    assert found["micro_batch"] == 1
    assert found["estimate"]["memory"][0]["name"] == "4-bit weights"
    assert run([*line, "--double-quant", "--gradient-checkpointing"]) == 0
    out = capsys.readouterr().out
    assert "over the limit: base model parameters" in out
    assert "tokens at once" in out


def test_a_knob_out_of_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "quickstart", "--set", "adapter.rank=100000"]) == 3
    assert "adapter.rank" in capsys.readouterr().err
