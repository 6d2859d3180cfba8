"""Facts of any base model: of the store, of the hub's config.json alone, counted where the family has no arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import layouts
import pytest

from ftbench.base_models import counting, meta_count
from ftbench.base_models.adapters import adapted, trainable
from ftbench.base_models.lookup import look_up
from ftbench.cli.main import run
from ftbench.data import base_models
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import sha256
from ftbench.spec.model import BaseModelRef
from ftbench.spec.outline import make

Connect = Callable[[], Hub]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 256,
    "max_position_embeddings": 128,
}
OLMO2 = LLAMA | {
    "model_type": "olmo2",
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
"""Of Qwen3-0.6B's sizes and a family without arithmetic: its norms of queries and keys are as wide as these are."""


def repository(config: dict[str, Any]) -> dict[str, bytes]:
    return layouts.model(**{"config.json": json.dumps(config).encode()})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([tmp_path / "store"])


def test_the_hubs_config_alone_is_asked_for(hub: Any, connect: Connect, store: Store) -> None:
    commit = hub.add("model", "some/llama", repository(LLAMA), "mit")
    found = look_up("some/llama", None, store, connect)
    assert (found.name, found.revision, found.architecture.hidden) == ("some/llama", commit, 64)
    assert {path.rpartition("/")[2] for _, path in hub.requests if "/resolve/" in path} == {"config.json"}
    assert not store.roots[0].exists()
    assert look_up("some/llama", commit, store, connect) == found


def test_what_is_in_the_store_is_not_asked_for(hub: Any, connect: Connect, store: Store) -> None:
    ref = BaseModelRef(name="some/llama", revision=hub.add("model", "some/llama", repository(LLAMA), "mit"))
    base_models.fetch(ref, store, connect(), weights=False)
    asked = len(hub.requests)
    for revision in (None, ref.revision):
        found = look_up(ref.name, revision, store, connect)
        assert found.revision == ref.revision and found.sources["parameters"].startswith("headers")
    assert len(hub.requests) == asked
    with pytest.raises(InvalidInput, match="FTB801"):
        look_up("other/llama", None, store)
    with pytest.raises(MissingResource, match="FTB341"):
        look_up("other/llama", None, store, connect)


def test_estimate_and_models_ask_the_hub(hub: Any, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add("model", "some/llama", repository(LLAMA), "mit")
    line = ["--store", str(store.roots[0]), "--json"]
    assert run(["estimate", "finance", "--model", "some/llama", *line]) == 0
    found = json.loads(capsys.readouterr().out)["estimate"]
    assert (found["model"], found["adapted_layers"]) == ("some/llama", 14)
    assert run(["models", "some/llama", *line]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["parameters"] == found["parameters"]
    assert not hub.asked("GET", "model.safetensors")


def test_no_hub_is_no_traceback(monkeypatch: pytest.MonkeyPatch, store: Store, waits: list[float]) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert run(["estimate", "finance", "--model", "some/llama", "--store", str(store.roots[0])]) == 4


def test_another_family_is_counted_on_the_model(
    hub: Any, connect: Connect, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, with code of the repository named and not run."""
    own = {"auto_map": {"AutoModelForCausalLM": "modeling_own.Own"}}
    hub.add("model", "some/olmo2", repository(OLMO2 | own), "mit")
    assert run(["estimate", "finance", "--model", "some/olmo2", "--store", str(store.roots[0]), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["estimate"]
    assert (found["parameters"], found["adapted_layers"]) == (596_128_768, 28 * 7)
    assert not hub.asked("GET", "modeling_own")


@pytest.mark.parametrize(
    ("change", "names", "part"),
    [
        ({"model_type": "starcoder2"}, {"q_proj", "k_proj", "v_proj", "o_proj", "c_fc", "c_proj"}, "attention"),
        ({"model_type": "gemma3_text", "head_dim": 16}, {"q_proj", "o_proj", "gate_proj", "down_proj"}, "mlp"),
        ({"model_type": "olmo2"}, {"q_proj", "k_proj", "up_proj"}, "mlp"),
        ({"model_type": "smollm3", "pad_token_id": 0}, {"q_proj", "k_proj", "up_proj"}, "attention"),
        ({"model_type": "gpt_neox"}, {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}, ""),
    ],
)
def test_families_without_arithmetic(change: dict[str, Any], names: set[str], part: str) -> None:
    """The count by peft's own rule: rank x (inputs + outputs) of every linear layer but the head."""
    settings = LLAMA | change
    told = meta_count.count(settings)
    made = counting.made(settings, told)
    layers = adapted(made, "all-linear")
    assert names <= {one.name.rpartition(".")[2] for one in layers} and not any(one.head for one in layers)
    assert trainable(made, "lora", 4, "all-linear") == 4 * sum(one.inputs + one.outputs for one in layers)
    assert (made.hidden, made.layers, made.vocabulary) == (64, 2, 256)
    for group in ("attention", "mlp"):
        if part == group or {"q_proj", "gate_proj"} <= names:
            assert adapted(made, group)
        elif not part:
            with pytest.raises(InvalidInput, match="FTB803"):
                adapted(made, group)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "own-thing"}, "transformers says"),
        ({"model_type": "olmo2", "num_hidden_layers": 10**9}, "1000000000 layers"),
        ({"num_hidden_layers": 10**9}, "1000000000 layers"),
        ({"model_type": "olmo2", "hidden_size": "wide"}, "transformers says"),
    ],
)
def test_settings_that_make_no_model_are_refused(
    change: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA | change))
    assert run(["models", str(tmp_path / "config.json")]) == 3
    told = capsys.readouterr().err
    assert "FTB802" in told and words in told


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--model", "some/large"], "FTB806"),
        (["--model", "some/llama", "--set", "adapter.rank=16"], "FTB807"),
    ],
)
def test_run_asks_for_no_weights_before(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: str
) -> None:
    hub.add("model", "some/large", repository(LLAMA | {"vocab_size": 128256}), "mit")
    wide = {"hidden_size": 256, "vocab_size": 64, "num_hidden_layers": 1, "intermediate_size": 256}
    hub.add("model", "some/llama", repository(LLAMA | wide | {"num_hidden_layers": 2, "num_key_value_heads": 1}), "mit")
    out, store = tmp_path / "runs", tmp_path / "store"
    assert run(["run", "quickstart", *argv, "--out", str(out), "--store", str(store), "--engine", "inline"]) == 3
    told = capsys.readouterr().err
    assert code in told, told
    assert not out.exists() and not hub.asked("GET", "model.safetensors")


def test_a_store_with_odd_names_and_headers_gives_no_traceback(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    refs = store.roots[0] / "models" / "refs"
    refs.mkdir(parents=True)
    (refs / "some--odd@main").write_text("x\n")
    (refs / f"some--odd@{'3' * 40}").write_text("no digest\n")
    config = json.dumps(LLAMA | {"model_type": "olmo2"}).encode()
    for number, header in enumerate((b"[]", b'{"a": 1}', b'{"a": {"shape": 3}}', b"{", b"[" * 100_000)):
        files = {"config.json": sha256(config), "model.safetensors": sha256(header)}
        digest = store.put_outline(make(files, config, {"model.safetensors": header}))
        ref = BaseModelRef(name=f"some/odd{number}", revision="4" * 40)
        store.put_model_ref(ref, digest)
    line = ["--store", str(store.roots[0])]
    assert run(["models", "some/odd", *line]) == 4 and "FTB303" in capsys.readouterr().err
    for number in range(5):
        assert run(["models", f"some/odd{number}", *line]) == 3
        assert "FTB802" in capsys.readouterr().err
        assert run(["validate", "finance", "--model", f"some/odd{number}@{'4' * 40}", *line]) == 0
        assert "FTB810" in capsys.readouterr().err
