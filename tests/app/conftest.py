"""A tiny benchmark (random Llama, a few rows, a small spec) and a way to run the app in this process."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from ftbench.app import worker
from ftbench.app.plan import Plan
from ftbench.data.digests import share_digests
from ftbench.data.store import Store
from ftbench.run.engines.inline_grid import InlineGrid

PARAMETERS = ("mu", "server_learning_rate", "momentum", "beta1", "beta2", "tau", "trim", "byzantine", "keep")
WORDS = ["north", "south", "east", "west", "where", "is", "ana", "bo", "cy", "di", "it", "?"]


@dataclass(frozen=True)
class World:
    """A store with a tiny model and data."""

    store: Store
    model_folder: Path
    model: str
    """Digest of the model's files."""
    rows: list[dict[str, Any]]


@dataclass
class Bench:
    """One benchmark on the tiny world; `play` runs it."""

    plan: Plan
    world: World
    run_dir: Path
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line)["body"] for line in (self.run_dir / "ledger.jsonl").read_bytes().splitlines()]

    def grid(self, kind: Callable[..., InlineGrid] = InlineGrid, **more: Any) -> InlineGrid:
        from ftbench.app.client_app import app

        return kind(app, {**self.config, **more}, self.plan.spec["federation"]["clients"])

    def play(self, kind: Callable[..., InlineGrid] = InlineGrid, grid: InlineGrid | None = None, **more: Any) -> None:
        """Run the ServerApp with these settings changed; raises what it raises."""
        from ftbench.app import server_app

        server_app.conduct(grid or self.grid(kind, **more), {**self.config, **more}, self.plan)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-model")
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    store = Store([tmp_path_factory.mktemp("store")])
    names = ["ana", "bo", "cy", "di"]
    rows = [
        {
            "question": f"where is {names[i % 4]}" + " it" * (i % 3) + " ?",
            "answer": WORDS[(i * 7) % 4] + " it" * (i % 2),
        }
        for i in range(22)
    ]
    return World(store, folder, store.put_model(folder), rows)


def base_spec(model: str) -> dict[str, Any]:
    return {
        "ftbench": "spec/v1",
        "data": {
            "source": {"kind": "builtin", "name": "tiny", "split": "train"},
            "columns": {"question": "question", "answer": "answer"},
            "prompt": "{question}",
            "completion": " {answer}",
            "rejected": None,
            "chat_template": "none",
            "bos": True,
            "eos": True,
            "over_length": "drop",
            "loss_on": "completion",
            "loss_reduction": "token-mean",
            "validation": None,
        },
        "federation": {
            "clients": 3,
            "partition": {"kind": "iid"},
            "sampling": {"fraction": 0.67},
            "rounds": 3,
            "min_replies": 1,
        },
        "training": {
            "optimizer": {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0},
            "schedule": {"kind": "cosine", "learning_rate": 0.01, "final_learning_rate": 0.001},
            "local_steps": 2,
            "batch_size": 4,
            "sequence_length": 32,
            "max_grad_norm": 1,
            "data_order": "reshuffle-each-round",
        },
        "objective": {"kind": "sft"},
        "model": {
            "base": {"name": "builtin/tiny", "revision": model},
            "max_parameters": 1_000_000,
            "dtype": "float32",
            "quantization": None,
            "gradient_checkpointing": False,
            "attention": "sdpa",
        },
        "adapter": {"kind": "lora", "rank": 2, "alpha": 4, "dropout": 0, "targets": "all-linear", "client_ranks": None},
        "strategy": {"kind": "fedavg", **dict.fromkeys(PARAMETERS)},
        "transport": {"down": "float32", "up": "float32"},
        "faults": None,
        "privacy": None,
        "budget": {"communication_mib": 16, "trainable_parameters": 100_000},
        "evaluation": {
            "tasks": [],
            "checkpoint": "last",
            "references": {"untuned": True},
            "quality_within": None,
            "confidence": 0.95,
        },
        "seeds": {"partition": 7, "runs": [1, 2]},
        "knobs": {"adapter.rank": {"min": 1, "max": 8}, "model.base": {"free": True}},
    }


def _asked(value: Any) -> Any:
    """Like compile, without what is null; what knobs allow stands as it is."""
    if not isinstance(value, dict):
        return value
    return {key: one if key == "knobs" else _asked(one) for key, one in value.items() if one is not None}


@pytest.fixture
def make_bench(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    """`make_bench({"federation.clients": 2}, name="a", rank=…)`: a benchmark with these spec values changed."""

    def make(changes: dict[str, Any] | None = None, name: str = "run", **config: Any) -> Bench:
        spec = copy.deepcopy(base_spec(world.model))
        for path, value in (changes or {}).items():
            *folders, last = path.split(".")
            table = spec
            for folder in folders:
                table = table[folder]
            table[last] = value
        clients = spec["federation"]["clients"]
        numbers = list(range(len(world.rows)))
        shares = [numbers[k::clients] for k in range(clients)]
        pins = {
            "format": "ftbench/pins/v1",
            "sources": {"train": {"digest": world.store.put_rows(world.rows), "rows": len(world.rows)}},
            "partition": {
                "digest": world.store.put_partition(shares),
                "sizes": [len(share) for share in shares],
                "digests": share_digests(world.rows, shares),
            },
        }
        document = {
            "format": "ftbench/plan/v1",
            "metadata": {"name": "tiny", "version": "0.1.0"},
            "spec": _asked(spec),
            "pins": pins,
            "code": {},
            "stack": {},
        }
        plan = Plan(document)
        monkeypatch.setitem(worker._checked, plan.spec_hash, plan)
        settings = {
            "store": world.store.joined(),
            "run-dir": str(tmp_path / name),
            "base-model": f"builtin/tiny@{world.model}",
            "spec-hash": plan.spec_hash,
            "seed": 1,
            "resume": False,
            "unpinned": False,
            "smoke": False,
            "micro-batch": 0,
            "round-timeout": 5.0,
        }
        return Bench(plan, world, tmp_path / name, {**settings, **config})

    yield make
    worker._workers.clear()
