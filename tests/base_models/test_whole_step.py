"""The estimate of memory against a whole step in float32, counted on a CPU storage by storage."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.base_models import hub_config
from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.estimate import Setting, estimate

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from ftbench.app import loading, model, objective, prepared, training  # noqa: E402
from ftbench.app.tokens import IGNORED, Example  # noqa: E402

MICRO = next(path.parent for path in builtin.store().glob("models/*/tokenizer.json"))
RANK, BATCH, LENGTH = 8, 8, 128


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the storages that are alive, and the most that there were."""

    def __init__(self, before: list[Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.known: dict[int, Any] = {}
        for tensor in before:
            self.add(tensor)

    def add(self, tensor: Any) -> None:
        storage = tensor.untyped_storage()
        name = storage._cdata
        if name not in self.known:
            size = storage.nbytes()
            self.known[name] = weakref.finalize(storage, self.gone, name, size)
            self.now += size
            self.most = max(self.most, self.now)

    def gone(self, name: int, size: int) -> None:
        self.now -= size
        self.known.pop(name, None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return out


def random_model() -> Any:
    config = transformers.AutoConfig.for_model(
        "llama",
        vocab_size=3000,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
    )
    torch.manual_seed(1)
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")


def micro_model() -> Any:
    block = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
    return loading.load_base(Path(MICRO), block)


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("make", [micro_model, random_model])
def test_a_whole_step_takes_what_is_estimated(make: Any, kind: Any) -> None:
    torch.set_num_threads(1)
    base = make()
    parameters = sum(p.numel() for p in base.parameters())
    adapter = {"kind": kind, "rank": RANK, "alpha": 16, "dropout": 0.0, "targets": "all-linear"}
    net = model.attach(base, adapter, 1)
    assert prepared.prepare(net) == ""
    ids = torch.randint(3, base.config.vocab_size, (BATCH, LENGTH)).tolist()
    examples = [Example(one, [IGNORED] * (LENGTH // 2) + one[LENGTH // 2 :]) for one in ids]
    optimizer = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0}
    spec = {
        "training": {"optimizer": optimizer, "sequence_length": LENGTH},
        "data": {"loss_reduction": "token-mean"},
        "objective": {"kind": "sft"},
    }
    recipe = training.Recipe(
        learning_rate=1e-3,
        optimizer=optimizer,
        steps=2,
        batch_size=BATCH,
        micro_batch=0,
        objective=objective.find_objective(spec),
        max_grad_norm=1.0,
    )
    live = Live([*net.parameters(), *net.buffers()])
    with live:
        training.train(net, examples, iter([*range(BATCH)] * 2), recipe)
    known = BaseModel(
        name="here",
        variant=None,
        pair=None,
        licence=None,
        parameters=parameters,
        revision=None,
        stored="float32",
        architecture=hub_config.from_config(base.config.to_dict()),
        sources={},
    )
    setting = Setting(
        kind=kind,
        rank=RANK,
        targets="all-linear",
        clients_per_round=1,
        rounds=1,
        sequence_length=LENGTH,
        micro_batch=BATCH,
        learnt=0.5,
    )
    parts = {part.name: part.bytes for part in estimate(known, setting).memory if part.name != "runtime"}
    told = ", ".join(f"{name} {size / 2**20:.2f}" for name, size in parts.items())
    assert sum(parts.values()) == pytest.approx(live.most, rel=0.15), f"{live.most / 2**20:.2f} MiB against {told}"
