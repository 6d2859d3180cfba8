"""`ftbench models` and `ftbench estimate`."""

from __future__ import annotations

import json

import pytest

from ftbench import builtin
from ftbench.base_models.catalogue import models
from ftbench.cli.main import run


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
    assert found["communication"]["client_down_bytes"] == 4 * found["trainable_parameters"]
    assert all(limit["within"] for limit in found["limits"])


def test_estimate_of_another_model_with_a_knob(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["estimate", "quickstart", "--model", "Qwen2.5-7B", "--set", "adapter.rank=2", "--bits", "4"]
    assert run([*line, "--micro-batch", "1", "--json"]) == 1, "the model is larger than the quickstart allows"
    found = json.loads(capsys.readouterr().out)
    assert found["bits"] == 4
    assert found["micro_batch"] == 1
    assert found["estimate"]["memory"][0]["name"] == "4-bit weights"
    assert run([*line, "--double-quant", "--gradient-checkpointing"]) == 1
    out = capsys.readouterr().out
    assert "over the limit: base model parameters" in out
    assert "tokens at once" in out


def test_a_knob_out_of_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "quickstart", "--set", "adapter.rank=100000"]) == 3
    assert "adapter.rank" in capsys.readouterr().err


DOMAINS = ("general-nlp", "finance", "medical", "code")


@pytest.mark.parametrize("spec", [*DOMAINS, *(f"budget/{name}" for name in DOMAINS)])
def test_a_domain_s_conditions_are_estimated_as_its_spec_states_them(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["estimate", spec, "--micro-batch", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bits"], found["gradient_checkpointing"], found["double_quant"]) == (4, True, False)
    # DoRA of rank 32 on every linear layer of Mistral-7B-v0.3: 32 (in + out) + out for each of seven, in 32 layers.
    layer = [(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096), (4096, 14336), (4096, 14336), (14336, 4096)]
    assert found["estimate"]["trainable_parameters"] == 32 * sum(32 * (i + o) + o for i, o in layer)


def test_the_leaderboard_s_template_takes_40_625_gib(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = {
        "adapter.kind": "lora",
        "adapter.targets": "[q_proj, v_proj]",
        "federation.rounds": "200",
        "federation.sampling.fraction": "0.1",
    }
    sets = [part for path, value in chosen.items() for part in ("--set", f"{path}={value}")]
    assert run(["estimate", "budget/general-nlp", "--model", "Mistral-7B-v0.3", *sets, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["estimate"]
    assert found["trainable_parameters"] == 13_631_488
    assert found["communication"]["total_gib"] == 40.625


def test_named_parts_of_a_family_are_its_layers(capsys: pytest.CaptureFixture[str]) -> None:
    def trained(model: str, targets: str) -> int:
        line = ["estimate", "medical", "--model", model, "--set", f"adapter.targets={targets}", "--json"]
        assert run(line) == 0
        return int(json.loads(capsys.readouterr().out)["estimate"]["trainable_parameters"])

    for model, attention in (("phi-4", "[qkv_proj, o_proj]"), ("Qwen2.5-3B", "[q_proj, k_proj, v_proj, o_proj]")):
        assert trained(model, "attention") == trained(model, attention)
        assert trained(model, "attention") + trained(model, "mlp") == trained(model, "all-linear")


def test_an_entry_is_estimated_with_its_model_and_knobs(capsys: pytest.CaptureFixture[str]) -> None:
    entry = str(builtin.entries() / "mistral-small-24b.yaml")
    assert run(["estimate", "finance", "--entry", entry, "--micro-batch", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["estimate"]
    assert found["model"] == "mistralai/Mistral-Small-24B-Base-2501"
    assert all(limit["within"] for limit in found["limits"])
    assert run(["estimate", "finance", "--entry", entry, "--set", "adapter.rank=32", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["estimate"]
    assert [limit["name"] for limit in found["limits"] if not limit["within"]] == ["communication in MiB"]
